"""Noise fields of a batch, drawn by a helper thread while the caller still decides for the samples that follow."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable
from typing import Any

import torch

from ..helpers import Task
from ..threads import start_beside, thread_count
from .buffers import Buffers
from .noise import Draw
from .points import Noise
from .track import Track

_SMALLEST = 1 << 15  # voxels; smaller fields are drawn in less time than a thread takes to wake
_WAKING_S = 1e-3  # a helper that is not awake by then is not waited for


class Ahead:
    """For one batch of `count` samples. The fields are drawn into `buffers`, the memory of the batch, by key.

    Their order stays that of their generators: whoever needs a field that is not drawn yet draws it, and those before it.
    """

    def __init__(self, count: int, threads: int | None, memory: Buffers) -> None:
        self.buffers: dict[Hashable, torch.Tensor] = {}
        self._count, self._memory = count, memory
        self._allowed = count > 1 and min(threads or thread_count(), thread_count()) > 1
        self._waiting: deque[Draw] = deque()
        self._ended = False
        self._running: Task | None = None
        self._begun = threading.Event()

    def see(self, index: int, sample: Any) -> None:
        """The sample at `index` of the batch has been decided."""
        if not self._allowed or type(sample) is not dict:
            return
        for key, track in sample.items():
            draw = _first_draw(track) if type(track) is Track else None
            if draw is None:
                continue
            shape = (self._count, *track.shape)
            if key not in self.buffers:
                self.buffers[key] = self._memory.take(shape, torch.float32)
            if tuple(self.buffers[key].shape) == shape:
                draw.place = self.buffers[key][index]
                if draw.size >= _SMALLEST:
                    self._waiting.append(draw)
        if self._waiting and (self._running is None or self._running.done):
            self._begun.clear()
            self._running = start_beside(self._draw)
            # The decisions to come hold Python's lock, without which the helper could not even begin.
            self._begun.wait(_WAKING_S)

    def end(self) -> None:
        """All samples have been decided: no field is begun any more, the helper is wanted for the voxels."""
        self._ended = True
        if self._running is not None:
            self._running.cancel()

    def _draw(self) -> None:
        self._begun.set()
        while self._waiting and not self._ended:
            self._waiting.popleft().field()


def _first_draw(track: Track) -> Draw | None:
    """The field that sampled voxels are added to: it may be drawn into their place (see `points.kernel_steps`)."""
    if track.solid is not None or not track.linear or track.geometry.warp is None or not track.points:
        return None
    first = track.points[0]
    if not isinstance(first, Noise) or first.draw.seed is not None or first.draw.shared or first.draw.drawn:
        return None
    here = track.dtype is torch.float32 and track.source.device.type == "cpu"
    return first.draw if here and first.draw.source.std >= 0 else None
