"""Separable trilinear and nearest resampling on the CPU, one output row at a time.

A linear row blends its (at most four) source rows into a row buffer, which is contiguous and vectorises, and then reads that
buffer along x: two loads a voxel where a cell of eight corners needs eight.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from .axis_weights import AxisWeights, Floats, Indices, whole_axis
from .compilation import kernel
from .threads import run_in_slabs

# float32 holds these exactly; wider integers and float64 would lose what MONAI keeps until its last step.
_DTYPES = frozenset({torch.float32, torch.uint8, torch.int8, torch.int16})
_SMALLEST_SLAB_VOXELS = 1 << 15

Source = npt.NDArray[np.generic]


def can_resample(x: torch.Tensor) -> bool:
    """Whether `resample_axes` handles this tensor: a dense CPU image (C, H, W) or (C, D, H, W) of an exact dtype."""
    return (
        x.ndim in (3, 4)
        and x.layout == torch.strided
        and x.device.type == "cpu"
        and x.dtype in _DTYPES
        and x.numel() > 0
        and not (x.requires_grad and torch.is_grad_enabled())
        and not x.is_neg()
    )


def resample_axes(x: torch.Tensor, axes: Sequence[AxisWeights]) -> torch.Tensor:
    """float32 (C, *(axis.size for axis in axes)) from `x` (C, H, W) or (C, D, H, W), one table per spatial axis.

    Raises ValueError where `can_resample` is false, tables and axes differ in number, or a table reads outside its axis.
    """
    if not can_resample(x):
        raise ValueError(f"cannot resample {x.dtype} of shape {tuple(x.shape)} on {x.device}")
    if len(axes) != x.ndim - 1:
        raise ValueError(f"{len(axes)} axis tables for {x.ndim - 1} spatial axes")
    for table, size in zip(axes, x.shape[1:], strict=True):
        if table.size and max(int(table.low.max()), int(table.high.max())) >= size:
            raise ValueError(f"an axis table reads outside its {size} voxels")
    if x.stride(-1) != 1:
        x = x.contiguous()
    out = torch.empty([x.shape[0], *(table.size for table in axes)], dtype=torch.float32)
    if not out.numel():
        return out
    span = 1 + sum((n - 1) * stride for n, stride in zip(x.shape, x.stride(), strict=True))
    source, target = x.as_strided((span,), (1,)).numpy(), out.view(-1).numpy()
    tables = [whole_axis(1)] * (4 - x.ndim) + list(axes)
    strides = (x.stride(0), 0 if x.ndim == 3 else x.stride(1), x.stride(-2))
    z, y, columns = tables
    linear = any(bool(np.any(table.high != table.low)) for table in axes)

    def rows(start: int, stop: int) -> None:
        if linear:
            linear_rows(
                *(source, strides, x.shape[-1], target, start, stop),
                *(z.low, z.high, z.weight, y.low, y.high, y.weight, columns.low, columns.high, columns.weight),
            )
        else:
            nearest_rows(source, strides, x.shape[-1], target, start, stop, z.low, y.low, columns.low)

    run_in_slabs(rows, out.numel() // columns.size, -(-_SMALLEST_SLAB_VOXELS // columns.size))
    return out


@kernel
def linear_rows(
    source: Source,
    strides: tuple[int, int, int],
    width: int,
    target: Floats,
    start: int,
    stop: int,
    z_low: Indices,
    z_high: Indices,
    z_weight: Floats,
    y_low: Indices,
    y_high: Indices,
    y_weight: Floats,
    x_low: Indices,
    x_high: Indices,
    x_weight: Floats,
) -> None:
    """Rows start..stop of the target, counted over (channel, plane, row); strides are of (channel, plane, row)."""
    depth, height, columns = z_low.size, y_low.size, x_low.size
    one = np.float32(1)
    blended = np.empty(width, np.float32)
    for row in range(start, stop):
        volume = row // height
        y = row - volume * height
        channel = volume // depth
        z = volume - channel * depth
        base = channel * strides[0]
        near, far = base + z_low[z] * strides[1], base + z_high[z] * strides[1]
        above, below = y_low[y] * strides[2], y_high[y] * strides[2]
        v, w = z_weight[z], y_weight[y]
        a = source[near + above : near + above + width]
        # Where low == high there is no neighbour to blend with, and 0 * NaN must not be made of one.
        if near == far and above == below:
            for i in range(width):
                blended[i] = np.float32(a[i])
        elif near == far or above == below:
            other = near + below if near == far else far + above
            q = w if near == far else v
            p = one - q
            b = source[other : other + width]
            for i in range(width):
                blended[i] = p * np.float32(a[i]) + q * np.float32(b[i])
        else:
            b = source[near + below : near + below + width]
            c = source[far + above : far + above + width]
            d = source[far + below : far + below + width]
            wa, wb, wc, wd = (one - v) * (one - w), (one - v) * w, v * (one - w), v * w
            for i in range(width):
                blended[i] = wa * np.float32(a[i]) + wb * np.float32(b[i]) + wc * np.float32(c[i]) + wd * np.float32(d[i])
        to = target[row * columns : (row + 1) * columns]
        for i in range(columns):
            q = x_weight[i]
            to[i] = (one - q) * blended[x_low[i]] + q * blended[x_high[i]]


@kernel
def nearest_rows(
    source: Source,
    strides: tuple[int, int, int],
    width: int,
    target: Floats,
    start: int,
    stop: int,
    z_index: Indices,
    y_index: Indices,
    x_index: Indices,
) -> None:
    """As `linear_rows`, without blending."""
    depth, height, columns = z_index.size, y_index.size, x_index.size
    for row in range(start, stop):
        volume = row // height
        y = row - volume * height
        channel = volume // depth
        z = volume - channel * depth
        begin = channel * strides[0] + z_index[z] * strides[1] + y_index[y] * strides[2]
        line = source[begin : begin + width]
        to = target[row * columns : (row + 1) * columns]
        for i in range(columns):
            to[i] = np.float32(line[x_index[i]])
