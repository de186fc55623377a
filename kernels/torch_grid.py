"""Images sampled at the points of an affine grid, as `F.grid_sample` samples them.

Reflection is turned into plain interpolation: the part of the endlessly mirrored image that the grid reaches is written out
first, which costs one copy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from .cpu import Window, can_run, resample_affine
from .cpu.axis_weights import nearest_axis
from .cpu.separable import can_resample, resample_axes
from .tracking import Matrix

PADDINGS = ("zeros", "border", "reflection")
_LARGEST_REFLECTION = 8  # times the image
_NEAR_A_TIE = 1e-4  # voxels: MONAI's coordinates, many of them float32, are hardly better
_SHIFTED_TO_A_TIE = 1e-2  # voxels, where the whole axis is off by that much


def torch_matrix(theta: Matrix, source: Sequence[int], size: Sequence[int], align_corners: bool) -> Matrix:
    """(rank, rank + 1): output voxel to source voxel, for `theta` (rank, rank + 1) in torch's normalised coordinates.

    Rows and columns are in the order of the image's axes. As `F.affine_grid` and `F.grid_sample` have it, also for axes of one
    voxel, where a grid point stands in the middle.
    """
    n_out, n_in = np.array(size, np.float64), np.array(source, np.float64)
    if align_corners:
        step, first = 2 / np.maximum(n_out - 1, 1), np.where(n_out > 1, -1.0, 0.0)
        step = np.where(n_out > 1, step, 0.0)
        scale, shift = (n_in - 1) / 2, (n_in - 1) / 2
    else:
        step, first = 2 / n_out, (1 - n_out) / n_out
        scale, shift = n_in / 2, (n_in - 1) / 2
    linear, offset = theta[:, :-1], theta[:, -1]
    return np.column_stack([scale[:, None] * linear * step, scale * (linear @ first + offset) + shift])


def sample(
    voxels: torch.Tensor, matrix: Matrix, size: Sequence[int], *, linear: bool, padding: str, align_corners: bool
) -> torch.Tensor | None:
    """float32 (C, *size): output voxel i reads `voxels` (C, H, W[, D]) at matrix[:, :-1] @ i + matrix[:, -1].

    `padding` is one of `PADDINGS`; only reflection depends on `align_corners`. None where the kernels do not cover it.
    """
    rank = voxels.ndim - 1
    if padding not in PADDINGS or len(size) != rank or min(size) < 1 or not np.isfinite(matrix).all():
        return None
    if not can_run(voxels, linear=linear, matrix=True) or (not linear and on_ties(matrix, size)):
        return None
    if padding == "reflection":
        reflected = _reflected(voxels, matrix, size, align_corners)
        if reflected is None:
            return None
        voxels, matrix = reflected
    window = Window.whole(voxels.shape[1:])
    return resample_affine(voxels, window, matrix, tuple(size), linear=linear, border=padding != "zeros").to(torch.float32)


def on_ties(matrix: Matrix, size: Sequence[int]) -> bool:
    """Whether a whole plane of the grid lies half way between voxels, where MONAI's rounding errors pick the nearest.

    Only where an axis of the source is read along one axis of the output, or at whole steps: else ties are single voxels.
    """
    for row in matrix:
        steps, offset = row[:-1], float(row[-1])
        if np.abs(steps - np.round(steps)).max() < _NEAR_A_TIE:
            if abs(offset - np.floor(offset) - 0.5) < _SHIFTED_TO_A_TIE:
                return True
            continue
        lengths = np.abs(steps) * size
        along = int(np.argmax(lengths))
        if lengths.sum() - lengths[along] > _NEAR_A_TIE:
            continue
        places = offset + steps[along] * np.arange(size[along])
        if np.abs(places - np.floor(places) - 0.5).min() < _NEAR_A_TIE:
            return True
    return False


def _reflected(
    voxels: torch.Tensor, matrix: Matrix, size: Sequence[int], align_corners: bool
) -> tuple[torch.Tensor, Matrix] | None:
    """The mirrored image as far as the grid reaches, and the matrix into that; None if it reaches too far."""
    extent = np.array(size, np.float64) - 1
    ends = matrix[:, :-1] * extent
    low = np.floor(matrix[:, -1] + np.minimum(ends, 0).sum(1))
    high = np.floor(matrix[:, -1] + np.maximum(ends, 0).sum(1)) + 1
    source = np.array(voxels.shape[1:])
    if (low >= 0).all() and (high < source).all():
        return voxels, matrix
    if np.prod(high - low + 1) > _LARGEST_REFLECTION * max(voxels[0].numel(), 1 << 16):
        return None
    rows = [mirror(int(a), int(b) + 1, int(n), align_corners) for a, b, n in zip(low, high, source, strict=True)]
    if can_resample(voxels):
        copied = resample_axes(voxels, [nearest_axis(row) for row in rows])
    else:
        copied = voxels
        for axis, row in enumerate(rows, 1):
            copied = copied.index_select(axis, torch.from_numpy(row))
    return copied, np.column_stack([matrix[:, :-1], matrix[:, -1] - low])


def mirror(start: int, stop: int, n: int, align_corners: bool) -> npt.NDArray[np.int64]:
    """The voxels, of an axis of `n`, that positions start..stop of the mirrored axis show.

    The mirrors stand at the outer edges of the first and last voxels, or in their middles.
    """
    if align_corners:
        period = max(2 * (n - 1), 1)
        at = np.arange(start, stop) % period
        return np.minimum(at, period - at) if n > 1 else np.zeros(stop - start, np.int64)
    at = np.arange(start, stop) % (2 * n)
    return np.minimum(at, 2 * n - 1 - at)
