"""Memory for batches, used again once nobody holds the batch: fresh pages cost as much as writing a light batch."""

from __future__ import annotations

import math
import threading
import weakref

import torch

from ..cpu.scratch import Bytes, allocate

_SMALLEST = 1 << 20  # bytes worth keeping


class Buffers:
    """At most `kept` arrays of `kept_bytes` together. Safe for several threads.

    Every tensor handed out lies over a view of its array that it alone holds, it and what is made from it: the array is free
    again when that view is gone.
    """

    def __init__(self, kept: int = 8, kept_bytes: int = 1 << 30) -> None:
        self._kept, self._kept_bytes = kept, kept_bytes
        self._arrays: list[tuple[Bytes, weakref.ref[Bytes]]] = []
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """A contiguous tensor of arbitrary content."""
        size = math.prod(shape) * dtype.itemsize
        if size < _SMALLEST:
            return torch.empty(shape, dtype=dtype)
        with self._lock:
            array = self._free(size)
            if array is None:
                array = allocate(size)
                if len(self._arrays) == self._kept:
                    self._arrays.pop(0)
            handed = array[:]
            if sum(known.size for known, _ in self._arrays) + array.size <= self._kept_bytes:
                self._arrays.append((array, weakref.ref(handed)))
        return torch.from_numpy(handed)[:size].view(dtype).view(shape)

    def _free(self, size: int) -> Bytes | None:
        """Taken out of the list."""
        for i, (array, handed) in enumerate(self._arrays):
            if size <= array.size <= 2 * size and handed() is None:
                return self._arrays.pop(i)[0]
        return None
