"""What people see of a run: the live table, the final one and `report.html`. Import the modules: only some need rich."""
