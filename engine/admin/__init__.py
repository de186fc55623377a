"""What people and scripts ask of a living run over its own socket, and what can be done about one without a scheduler."""
