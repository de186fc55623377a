"""Gaussian fields, drawn as late as possible but in MONAI's order.

A field is most of the time of a heavy pipeline, so it is drawn when the voxels are written, beside other samples' work. Fields
of one generator must follow one another: whoever needs one first draws those before it.
"""

from __future__ import annotations

import math
import threading
from collections import deque

import numpy as np
import torch

from ..cpu.noise import counter_normal, exact_normal


class Draw:
    """One field to come. Made by `Source.next`, which fixes its place in the order."""

    __slots__ = ("_field", "mean", "place", "seed", "shape", "shared", "source", "std")

    def __init__(self, source: Source, mean: float, shape: tuple[int, ...]) -> None:
        self.source, self.mean, self.shape = source, mean, shape
        self.std = 0.0
        self.seed: int | None = None
        #: added to several images, so it is not drawn into the memory of one
        self.shared = False
        #: where it is drawn, whoever draws it; None: where that one says
        self.place: torch.Tensor | None = None
        self._field: torch.Tensor | None = None

    def field(self, into: torch.Tensor | None = None) -> torch.Tensor:
        """The field; written to `into` if it was not drawn before."""
        if self.seed is not None:
            if self._field is None:
                self._field = torch.empty(self.shape, dtype=torch.float32)
                counter_normal(self.seed, self.mean, self.std, self._field)
            return self._field
        self.source.draw_up_to(self, into)
        assert self._field is not None
        return self._field

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def drawn(self) -> bool:
        return self._field is not None


class Source:
    """The order of the fields of one generator. Safe for several threads."""

    def __init__(self, generator: np.random.RandomState, std: float, sample_std: bool) -> None:
        self.generator, self.std, self.sample_std = generator, std, sample_std
        self._waiting: deque[Draw] = deque()
        self._lock = threading.Lock()

    def next(self, mean: float, shape: tuple[int, ...], *, late: bool) -> Draw:
        draw = Draw(self, mean, shape)
        self._waiting.append(draw)  # without the lock, which is held as long as a field is being drawn
        if not late:
            self.draw_up_to(draw, None)
        return draw

    def next_seed(self, mean: float, shape: tuple[int, ...]) -> Draw:
        """Fast noise: a seed instead of a field."""
        draw = Draw(self, mean, shape)
        with self._lock:
            self._begin(draw)
            draw.seed = int(self.generator.randint(2**31))
        return draw

    def draw_up_to(self, draw: Draw, into: torch.Tensor | None) -> None:
        with self._lock:
            while not draw.drawn:
                first = self._waiting.popleft()
                self._begin(first)
                out = first.place if first.place is not None else into if first is draw else None
                out = torch.empty(first.shape, dtype=torch.float32) if out is None else out
                exact_normal(self.generator, first.mean, first.std, out)
                first._field = out

    def _begin(self, draw: Draw) -> None:
        self.generator.rand()  # MONAI decides again here, with a probability of 1
        draw.std = float(self.generator.uniform(0, self.std)) if self.sample_std else self.std
