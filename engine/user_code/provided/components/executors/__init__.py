"""Base classes of `automl`."""
