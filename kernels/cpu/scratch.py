"""Working memory that is reused from call to call: large fresh allocations cost more than the work done in them."""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

_PAGE = 2 << 20  # a huge page, which the system gives where it can

Bytes = npt.NDArray[np.uint8]


class Scratch:
    """Buffers for the threads that ask, at most `kept` of them in total `kept_bytes` large between calls.

    Safe to share between threads; a forked child starts empty. What a buffer holds is arbitrary.
    """

    def __init__(self, kept: int = 64, kept_bytes: int = 1 << 30) -> None:
        self._kept, self._kept_bytes = kept, kept_bytes
        self._free: list[Bytes] = []
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._start_empty)

    @contextmanager
    def borrow(self, size: int) -> Iterator[Bytes]:
        """A buffer of at least `size` bytes, aligned to 64, for the caller alone until the block ends."""
        buffer = self._take(size)
        try:
            yield buffer
        finally:
            self._give(buffer)

    def kept_now(self) -> int:
        """How many buffers wait to be borrowed."""
        with self._lock:
            return len(self._free)

    def _take(self, size: int) -> Bytes:
        with self._lock:
            fitting = [i for i, buffer in enumerate(self._free) if buffer.size >= size]
            if fitting:
                return self._free.pop(min(fitting, key=lambda i: self._free[i].size))
            if self._free:
                self._free.pop()  # too small for what is asked for now
        return allocate(size + size // 8)

    def _give(self, buffer: Bytes) -> None:
        with self._lock:
            if len(self._free) < self._kept and sum(known.size for known in self._free) + buffer.size <= self._kept_bytes:
                self._free.append(buffer)

    def _start_empty(self) -> None:
        self._lock, self._free = threading.Lock(), []


def allocate(size: int) -> Bytes:
    """`size` zero bytes on huge pages where the system has them, which numpy does not ask for."""
    length = (max(size, 1) + _PAGE - 1) // _PAGE * _PAGE
    memory = mmap.mmap(-1, length + _PAGE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(memory, np.uint8)
    start = -whole.ctypes.data % _PAGE
    return whole[start : start + length]
