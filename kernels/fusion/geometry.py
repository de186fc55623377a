"""Where the voxels of a virtual image come from: a window of the source, then at most one interpolation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from ..cpu.window import Window
from ..tracking import Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Warp:
    """An interpolation of the window: output voxel i reads the window at matrix[:, :r] @ i + matrix[:, r]."""

    matrix: Matrix
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """Immutable. Keys of a sample that went through the same steps share one object, which is how they are found again.

    `said` (r + 1, r + 1) maps an output voxel to a source voxel as MONAI's metadata will say it; None: as the window does.
    """

    window: Window
    warp: Warp | None = None
    said: Matrix | None = None
    shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", self.window.shape if self.warp is None else self.warp.shape)

    @staticmethod
    @lru_cache(maxsize=256)
    def whole(shape: tuple[int, ...]) -> Geometry:
        """The same object for the same shape."""
        return Geometry(Window.whole(shape))

    @property
    def voxel(self) -> Matrix:
        """(r + 1, r + 1): output voxel to source voxel in the metadata."""
        return self.window.affine() if self.said is None else self.said

    def crop(self, start: Sequence[int], size: Sequence[int]) -> Geometry:
        return self._moved(lambda window: window.crop(start, size))

    def pad(self, before: Sequence[int], after: Sequence[int]) -> Geometry:
        """Only before an interpolation (see `Track.why_not_moved`)."""
        return self._moved(lambda window: window.pad(before, after))

    def flip(self, axes: Sequence[int]) -> Geometry:
        return self._moved(lambda window: window.flip(axes))

    def rot90(self, k: int, axes: tuple[int, int]) -> Geometry:
        return self._moved(lambda window: window.rot90(k, axes))

    def interpolate(self, matrix: Matrix, shape: Sequence[int], recorded: Matrix | None = None) -> Geometry:
        """`matrix` (r + 1, r + 1): output voxel to voxel of the image as it is now; `recorded`: what the metadata says instead."""
        return Geometry(
            self.window,
            Warp(np.ascontiguousarray(matrix[:-1]), tuple(int(n) for n in shape)),
            self.voxel @ (matrix if recorded is None else recorded),
        )

    def _moved(self, change: Callable[[Window], Window]) -> Geometry:
        """`change` done to the window, or to the result of the interpolation."""
        if self.warp is None and self.said is None:
            return Geometry(change(self.window))
        turned = change(Window.whole(self.shape))
        move = turned.affine()
        if self.warp is None:
            return Geometry(change(self.window), None, self.voxel @ move)
        return Geometry(self.window, Warp(np.ascontiguousarray(self.warp.matrix @ move), turned.shape), self.voxel @ move)
