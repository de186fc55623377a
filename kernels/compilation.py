"""How kernels are compiled: single-threaded machine code that releases the GIL, cached on disk, never at import.

Numba's own threading is not used: its OpenMP layer kills DataLoader workers forked after it ran, and its workqueue layer is
not safe for concurrent callers. Threads come from `threads.py` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path
from types import FunctionType
from typing import ParamSpec, TypeVar, cast

from numba import njit
from numba.core.caching import FunctionCache

P = ParamSpec("P")
R = TypeVar("R")

#: What `fast_kernel` relaxes: rounding and the sign of zero, but NaN and infinity still propagate.
RELAXED = frozenset({"contract", "nsz", "arcp", "reassoc", "afn"})

#: Which set of vector operations the kernels are compiled against; `cpu/backend.py` sets it before the first compilation.
_flavour: list[Hashable] = ["intrinsics"]


def set_flavour(name: Hashable) -> None:
    """Keep the machine code of kernels compiled from now on apart, in the disk cache, from that of other flavours."""
    _flavour[0] = name


class _Cache(FunctionCache):  # type: ignore[misc]  # numba has no types
    """Numba's disk cache, which by itself looks only at the file that a function is in, not at the kernels it calls."""

    def __init__(self, function: FunctionType) -> None:
        super().__init__(function)
        files = _sources(function, set())
        stamps = tuple((name, Path(name).stat().st_mtime, Path(name).stat().st_size) for name in sorted(files))
        self._cache_file._source_stamp = (self._cache_file._source_stamp, stamps)

    def _index_key(self, signature: object, codegen: object) -> tuple[object, ...]:
        return (*super()._index_key(signature, codegen), _flavour[0])


def _sources(function: FunctionType, files: set[str]) -> set[str]:
    """The files of `function` and of all compiled functions and modules of operations that its module sees."""
    own = function.__code__.co_filename
    if own in files or not Path(own).is_file():
        return files
    files.add(own)
    for value in list(function.__globals__.values()):
        callee = getattr(value, "py_func", None)
        if isinstance(callee, FunctionType):
            _sources(callee, files)
        files.update(getattr(value, "KERNEL_SOURCES", ()))
    return files


def _compile(function: Callable[P, R], relaxed: set[str] | bool) -> Callable[P, R]:
    compiled = njit(cache=False, nogil=True, error_model="numpy", boundscheck=False, fastmath=relaxed)(function)
    # Where numba finds no folder it may write its cache to (a read-only home), it compiles once per process.
    with suppress(RuntimeError):
        compiled._cache = _Cache(cast(FunctionType, function))
    return cast(Callable[P, R], compiled)


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` at its first call for each combination of argument types.

    Multiplications and additions may be contracted (FMA); nothing else about floating point is relaxed, so NaN and infinity
    propagate as in torch.
    """
    return _compile(function, {"contract"})


def exact_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """As `kernel`, with every operation rounded where it is written."""
    return _compile(function, False)


def fast_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """As `kernel`, with sums reordered, divisions by reciprocals and approximate functions allowed (see `RELAXED`)."""
    return _compile(function, set(RELAXED))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A part of kernels, compiled into each of them under its rules: a call, even one that LLVM inlines, stops vectorisation."""
    return cast(Callable[P, R], njit(inline="always")(function))
