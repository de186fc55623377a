"""How the kernel finds a sample's voxels: moved along the axes, scaled along them, or under a general affine map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..cpu.window import Window
from .sample import Sample
from .table import BRICKS, GENERAL, LINES, MOVE, ONE, SEPARABLE, TILES

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Output voxels of `shape` to places in `window`; `matrix` (3, 4), row by row, in 2^-32 of a voxel."""

    window: Window
    matrix: tuple[int, ...]
    mode: int
    shape: Triple

    @classmethod
    def moving(cls, window: Window) -> Map:
        return cls(window, (0,) * 12, MOVE, _triple(window.shape))

    def cover(self, strides: Sequence[int]) -> tuple[int, int]:
        """Which voxels a block of threads makes, and the axis that the source's memory follows if it is not the last."""
        if self.mode == GENERAL:
            return BRICKS, 0
        steps = [abs(n) for n in strides]
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
    rows = matrix.tolist()
    axes = [[a for a in range(rank) if row[a]] for row in rows]  # of the output, that move a place along an axis of the window
    separable = sorted(axes) == [[a] for a in range(rank)]
    if separable:  # the window's axes in the order of the output's, so that only x moves along a row
        inverse = [axes.index([a]) for a in range(rank)]
        if inverse != list(range(rank)):
            window, rows = window.transpose(inverse), [rows[i] for i in inverse]
    if rank == 2:  # with an outer axis that stays
        rows = [[1, 0, 0, 0], *([0, *row] for row in rows)]
    fixed = tuple(round(value * ONE) for row in rows for value in row)
    return Map(window, fixed, SEPARABLE if separable else GENERAL, _triple(shape))


def _triple(shape: Sequence[int]) -> Triple:
    return (1, shape[0], shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])
