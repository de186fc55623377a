"""How the kernel finds a sample's voxels: moved along the axes, scaled along them, or under a general affine map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..cpu.window import Window
from .sample import Sample
from .table import BRICKS, GENERAL, LINES, MOVE, ONE, SEPARABLE, TILES

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Output voxels of `shape` to places in `window`; `matrix` (3, 4) in 2^-32 of a voxel."""

    window: Window
    matrix: npt.NDArray[np.int64]
    mode: int
    shape: Triple

    @classmethod
    def moving(cls, window: Window) -> Map:
        return cls(window, np.zeros((3, 4), np.int64), MOVE, _triple(window.shape))

    def cover(self, strides: Sequence[int]) -> tuple[int, int]:
        """Which voxels a block of threads makes, and the axis that the source's memory follows if it is not the last."""
        if self.mode == GENERAL:
            return BRICKS, 0
        steps = [abs(int(n)) for n in strides]
        if self.mode == SEPARABLE or steps[2] == 1 or self.shape[2] == 1:
            return LINES, 0
        for along in (1, 0):
            if steps[along] == 1 and self.shape[along] > 1:
                return TILES, along
        return LINES, 0


def map_of(sample: Sample, shape: Sequence[int]) -> Map:
    """A whole-numbered permutation stays sampled: its places are exact, so its voxels are."""
    window, matrix = sample.window, sample.matrix
    if matrix is None:
        return Map.moving(window)
    rank = len(window.axes)
    linear = matrix[:, :rank]
    order = np.abs(linear).argmax(axis=1)
    others = linear.copy()
    others[np.arange(rank), order] = 0
    separable = sorted(order) == list(range(rank)) and not others.any()
    full = np.zeros((3, 4))
    full[0, 0] = 1.0  # a 2-D window has an outer axis that stays
    full[3 - rank :, 3 - rank :] = matrix
    if separable:  # the window's axes in the order of the output's, so that only x moves along a row
        inverse = np.argsort(order)
        window = window.transpose(inverse.tolist())
        full[3 - rank :] = full[3 - rank :][inverse]
    return Map(window, np.rint(full * ONE).astype(np.int64), SEPARABLE if separable else GENERAL, _triple(shape))


def _triple(shape: Sequence[int]) -> Triple:
    return (1, shape[0], shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])
