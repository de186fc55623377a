"""Which part of the source a part of the output reads under an affine map, and how to cut the output accordingly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Triple = tuple[int, int, int]
Rows = list[list[float]]

_MARGIN = 1e-3  # voxels, far above what coordinates are rounded by


@dataclass(frozen=True, slots=True)
class Brick:
    """Rows (z, y) of the output, all x, and the box of the source that they read: first voxel and sizes, never empty."""

    z: tuple[int, int]
    y: tuple[int, int]
    origin: Triple
    sizes: Triple

    @property
    def voxels(self) -> int:
        """Of the box, with its border."""
        d, h, w = self.sizes
        return (d + 3) * (h + 3) * (w + 5)


def cut_bricks(matrix: Matrix, size: Triple, shape: Triple, limit_voxels: int, least: int = 1) -> list[Brick]:
    """The rows of an output of `size` in bricks that read at most `limit_voxels` of a source of `shape`, if rows can be cut
    so far, and at least `least` bricks. `matrix` (3, 4): output voxel to source voxel.
    """
    bricks: list[Brick] = []
    rows: Rows = matrix.tolist()
    pending = [(_brick(rows, size, shape, z, (0, size[1]))) for z in _pieces(size[0], least)]
    while pending:
        brick = pending.pop()
        deep, high = brick.z[1] - brick.z[0], brick.y[1] - brick.y[0]
        if brick.voxels <= limit_voxels or deep * high <= 1:
            bricks.append(brick)
            continue
        if deep >= high:
            middle = (brick.z[0] + brick.z[1]) // 2
            halves = [((brick.z[0], middle), brick.y), ((middle, brick.z[1]), brick.y)]
        else:
            middle = (brick.y[0] + brick.y[1]) // 2
            halves = [(brick.z, (brick.y[0], middle)), (brick.z, (middle, brick.y[1]))]
        pending.extend(_brick(rows, size, shape, z, y) for z, y in reversed(halves))
    return bricks


def _pieces(total: int, count: int) -> Iterator[tuple[int, int]]:
    count = max(1, min(count, total))
    for i in reversed(range(count)):
        yield total * i // count, total * (i + 1) // count


def _brick(matrix: Rows, size: Triple, shape: Triple, z: tuple[int, int], y: tuple[int, int]) -> Brick:
    origin, sizes = [], []
    ranges = (z[0], z[1] - 1), (y[0], y[1] - 1), (0, size[2] - 1)
    for axis, n in enumerate(shape):
        low = high = matrix[axis][3]
        for slope, (a, b) in zip(matrix[axis], ranges, strict=False):
            low += slope * (a if slope > 0 else b)
            high += slope * (b if slope > 0 else a)
        low, high = low - _MARGIN, high + _MARGIN
        first = int(min(max(math.floor(low), 0), n - 1))
        last = int(min(max(math.floor(high) + 1, first), n - 1))
        origin.append(first)
        sizes.append(last + 1 - first)
    return Brick(z, y, (origin[0], origin[1], origin[2]), (sizes[0], sizes[1], sizes[2]))
