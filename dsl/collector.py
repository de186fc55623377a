"""Reading without Python's cycle collector.

A tree of a hundred thousand nodes has no cycles, and the collector walks all of it again and again while it grows: a third of the
time that a large file takes.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def uncollected(function: Callable[P, T]) -> Callable[P, T]:
    """`function` with the collector off while it runs, if it was on. For work that ends soon: sizes are limited, so this is."""

    @functools.wraps(function)
    def paused(*args: P.args, **kwargs: P.kwargs) -> T:
        if not gc.isenabled():
            return function(*args, **kwargs)
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            gc.enable()

    return paused
