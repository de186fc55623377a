"""Memory for batches, used again once nobody holds the batch: fresh pages cost as much as writing a light batch."""

from __future__ import annotations

import math
import sys
import threading

import torch

from ..cpu.scratch import Bytes, allocate

_SMALLEST = 1 << 20  # bytes worth keeping
_FREE = 3  # references to an array that only the list holds: the list's, the loop's, getrefcount's own


class Buffers:
    """At most `kept` arrays of `kept_bytes` together. Safe for several threads.

    A tensor handed out keeps a reference to its array as long as it or any view of it lives, so an array without one is free.
    """

    def __init__(self, kept: int = 8, kept_bytes: int = 1 << 30) -> None:
        self._kept, self._kept_bytes = kept, kept_bytes
        self._arrays: list[Bytes] = []
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """A contiguous tensor of arbitrary content."""
        size = math.prod(shape) * dtype.itemsize
        if size < _SMALLEST:
            return torch.empty(shape, dtype=dtype)
        with self._lock:
            for array in self._arrays:
                if size <= array.size <= 2 * size and sys.getrefcount(array) == _FREE:
                    return torch.from_numpy(array)[:size].view(dtype).view(shape)
            fresh = allocate(size)
            if len(self._arrays) == self._kept:
                self._arrays.pop(0)
            if sum(array.size for array in self._arrays) + fresh.size <= self._kept_bytes:
                self._arrays.append(fresh)
            return torch.from_numpy(fresh)[:size].view(dtype).view(shape)
