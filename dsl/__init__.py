"""Text -> syntax tree -> Program: the `.automl` language and the legacy Clara JSON."""

from .load import Checked, check, check_text, load, load_mmar, parse

__all__ = ["Checked", "check", "check_text", "load", "load_mmar", "parse"]
