"""Syntax trees of all layers -> a Program."""

from .program import Elaborated, Request, elaborate

__all__ = ["Elaborated", "Request", "elaborate"]
