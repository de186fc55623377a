"""Where the voxels of a virtual image come from: a window of the source, then at most one interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..cpu.window import Window

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Warp:
    """An interpolation of the window: output voxel i reads the window at matrix[:, :r] @ i + matrix[:, r]."""

    matrix: Matrix
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """Immutable. Keys of a sample that went through the same steps share one object, which is how they are found again.

    `voxel` (r + 1, r + 1) maps an output voxel to a source voxel as MONAI's metadata will say it.
    """

    window: Window
    warp: Warp | None
    voxel: Matrix
    shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", self.window.shape if self.warp is None else self.warp.shape)

    @staticmethod
    def whole(shape: tuple[int, ...]) -> Geometry:
        """The same object for the same shape."""
        return _whole(shape)

    def crop(self, start: Sequence[int], size: Sequence[int]) -> Geometry:
        if self.warp is None:
            window, move = self.window.crop(start, size), np.eye(len(start) + 1)
            move[:-1, -1] = start
            return Geometry(window, None, self.voxel @ move)
        return self._after_warp(Window.whole(self.shape).crop(start, size))

    def pad(self, before: Sequence[int], after: Sequence[int]) -> Geometry:
        """Only before an interpolation (see `Track.joins`)."""
        move = np.eye(len(before) + 1)
        move[:-1, -1] = [-b for b in before]
        return Geometry(self.window.pad(before, after), self.warp, self.voxel @ move)

    def flip(self, axes: Sequence[int]) -> Geometry:
        if self.warp is None:
            move = np.eye(len(self.shape) + 1)
            for axis in axes:
                move[axis, axis], move[axis, -1] = -1.0, self.shape[axis] - 1
            return Geometry(self.window.flip(axes), None, self.voxel @ move)
        return self._after_warp(Window.whole(self.shape).flip(axes))

    def rot90(self, k: int, axes: tuple[int, int]) -> Geometry:
        turned = Window.whole(self.shape).rot90(k, axes)
        if self.warp is None:
            return Geometry(self.window.rot90(k, axes), None, self.voxel @ turned.affine())
        return self._after_warp(turned)

    def interpolate(self, matrix: Matrix, shape: Sequence[int], recorded: Matrix | None = None) -> Geometry:
        """`matrix` (r + 1, r + 1): output voxel to voxel of the image as it is now; `recorded`: what the metadata says instead."""
        return Geometry(
            self.window,
            Warp(np.ascontiguousarray(matrix[:-1]), tuple(int(n) for n in shape)),
            self.voxel @ (matrix if recorded is None else recorded),
        )

    def _after_warp(self, turned: Window) -> Geometry:
        assert self.warp is not None
        move = turned.affine()
        return Geometry(self.window, Warp(np.ascontiguousarray(self.warp.matrix @ move), turned.shape), self.voxel @ move)


@lru_cache(maxsize=256)
def _whole(shape: tuple[int, ...]) -> Geometry:
    return Geometry(Window.whole(shape), None, np.eye(len(shape) + 1))
