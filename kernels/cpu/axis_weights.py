"""Where each output voxel of an axis reads, and with what weight, exactly as torch would have it.

Resampling on an axis-aligned grid is separable: every axis has its own table. The tables come from torch itself, run on one
axis, so that its rounding (and with it every tie of a nearest neighbour) is reproduced and not imitated.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from .arrays import Floats

Indices = npt.NDArray[np.uint32]


class AxisWeights(NamedTuple):
    """out[i] = (1 - weight[i]) * in[low[i]] + weight[i] * in[high[i]].

    A tuple, because compiled code takes those. A voxel without a second neighbour has low == high and weight 1/2: exact,
    where weight 0 would make NaN of infinity.
    """

    low: Indices
    high: Indices
    weight: Floats


def whole_axis(size: int) -> AxisWeights:
    """Each voxel reads itself."""
    return nearest_axis(np.arange(size))


@lru_cache(maxsize=256)
def interpolate_axis(n_in: int, n_out: int, mode: str, align_corners: bool | None, dtype: torch.dtype) -> AxisWeights:
    """The table of `F.interpolate` for one axis; `mode` is "linear", "nearest" or "nearest-exact"."""
    if mode != "linear":
        voxels = torch.arange(n_in, dtype=dtype).view(1, 1, n_in)
        return nearest_axis(F.interpolate(voxels, size=n_out, mode=mode).view(-1).numpy())
    # Interpolating the unit vectors yields the weights, each a column with one or two entries.
    columns = F.interpolate(torch.eye(n_in, dtype=dtype).unsqueeze(0), size=n_out, mode="linear", align_corners=align_corners)
    matrix = columns[0].numpy()
    low = np.argmax(matrix > 0, axis=0)
    if n_in == n_out and not np.any(matrix[low, np.arange(n_out)] != 1):
        return whole_axis(n_in)
    return _linear(low, matrix[np.minimum(low + 1, n_in - 1), np.arange(n_out)], n_in)


def grid_axis(
    n_in: int, n_out: int, scale: float, shift: float, *, rank: int, nearest: bool, align_corners: bool, dtype: torch.dtype
) -> AxisWeights:
    """The table of `F.affine_grid` and `F.grid_sample(padding_mode="border")` for one axis of a `rank`-D image.

    `scale` and `shift` are the axis's entries of theta, in torch's normalised coordinates.
    """
    # As affine_grid does it, one axis at a time: the terms of the other axes are exact zeros, so the sum is the same.
    base = torch.linspace(-1, 1, n_out, dtype=dtype) if n_out > 1 else torch.zeros(1, dtype=dtype)
    if not align_corners:
        base = base * (n_out - 1) / n_out
    line = base * scale + shift
    if nearest:
        voxels = torch.arange(n_in, dtype=dtype).view(1, 1, *[1] * (rank - 1), n_in)
        # The axis is torch's x, the last one; the others have one voxel, whose coordinate is 0.
        grid = torch.stack([line, *[torch.zeros_like(line)] * (rank - 1)], -1).view(1, *[1] * (rank - 1), n_out, rank)
        found = F.grid_sample(voxels, grid, mode="nearest", padding_mode="border", align_corners=align_corners)
        return nearest_axis(found.view(-1).numpy())
    g = line.numpy()
    at = (g + 1) / 2 * (n_in - 1) if align_corners else ((g + 1) * n_in - 1) / 2
    at = np.clip(at, 0, n_in - 1)
    low = np.floor(at)
    return _linear(low, at - low, n_in)


def nearest_axis(index: npt.NDArray[np.generic]) -> AxisWeights:
    """Voxel i reads voxel index[i]."""
    low = index.astype(np.uint32)
    return AxisWeights(low, low, np.full(low.size, 0.5, np.float32))


def _linear(low: npt.NDArray[np.generic], weight: npt.NDArray[np.generic], n_in: int) -> AxisWeights:
    first = low.astype(np.uint32)
    second = np.minimum(first + np.uint32(1), np.uint32(n_in - 1))
    return AxisWeights(first, second, np.where(second > first, weight, 0.5).astype(np.float32))
