"""How kernels are compiled: single-threaded machine code that releases the GIL, cached on disk, never at import.

Numba's own threading is not used: its OpenMP layer kills DataLoader workers forked after it ran, and its workqueue layer is
not safe for concurrent callers. Threads come from `threads.py` instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` at its first call for each combination of argument types.

    Multiplications and additions may be contracted (FMA); nothing else about floating point is relaxed, so NaN and infinity
    propagate as in torch.
    """
    options = {"nogil": True, "error_model": "numpy", "boundscheck": False, "fastmath": {"contract"}}
    try:
        compiled = njit(cache=True, **options)(function)
    except RuntimeError:
        # Numba found no folder it may write its cache to (a read-only home): compile once per process instead.
        compiled = njit(cache=False, **options)(function)
    return cast(Callable[P, R], compiled)
