"""Everything that decides which point to try next."""

from .base import Controller, Outcome, Recommendation
from .registry import NAMES, describe, make_controller

__all__ = ["NAMES", "Controller", "Outcome", "Recommendation", "describe", "make_controller"]
