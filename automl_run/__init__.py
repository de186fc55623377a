"""automl-run: the best training recipe for medical-imaging models."""

__version__ = "0.1.0"
