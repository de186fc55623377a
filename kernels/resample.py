"""Separable trilinear and nearest resampling on the CPU.

Reading along x does not vectorise and blending rows does, so the linear kernels differ in when they do the former: once for
every source row (`linear_planes`, which streams through the source once) or once for every output row (`linear_rows`, for
strong reductions and 2-D images). A cell of eight corners, the obvious kernel, reads along x four times as often.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from .axis_weights import AxisWeights, Floats, whole_axis
from .compilation import kernel
from .threads import run_in_slabs

# float32 holds these exactly; wider integers and float64 would lose what MONAI keeps until its last step.
_DTYPES = frozenset({torch.float32, torch.uint8, torch.int8, torch.int16})
_SMALLEST_SLAB = 1 << 17  # voxels; a thread wakes in the time that half of them take

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
    """float32 (C, *(axis.low.size for axis in axes)) from `x` (C, H, W) or (C, D, H, W), one table per spatial axis.

    Raises ValueError where `can_resample` is false, tables and axes differ in number, a table is ragged or reads outside.
    """
    if not can_resample(x):
        raise ValueError(f"cannot resample {x.dtype} of shape {tuple(x.shape)} on {x.device}")
    if len(axes) != x.ndim - 1:
        raise ValueError(f"{len(axes)} axis tables for {x.ndim - 1} spatial axes")
    for table, size in zip(axes, x.shape[1:], strict=True):
        if not table.low.shape == table.high.shape == table.weight.shape == (table.low.size,):
            raise ValueError("the three columns of an axis table differ in length")
        if table.low.size and max(int(table.low.max()), int(table.high.max())) >= size:
            raise ValueError(f"an axis table reads outside its {size} voxels")
    if x.stride(-1) != 1:
        x = x.contiguous()
    out = torch.empty([x.shape[0], *(table.low.size for table in axes)], dtype=torch.float32)
    if not out.numel():
        return out
    span = 1 + sum((n - 1) * stride for n, stride in zip(x.shape, x.stride(), strict=True))
    source, target = x.as_strided((span,), (1,)).numpy(), out.view(-1).numpy()
    z, y, columns = [whole_axis(1)] * (4 - x.ndim) + list(axes)
    strides = (x.stride(0), 0 if x.ndim == 3 else x.stride(1), x.stride(-2))
    linear = any(bool(np.any(table.high != table.low)) for table in axes)
    by_planes = linear and x.ndim == 4 and 2 * x.shape[1] * x.shape[2] <= 3 * z.low.size * y.low.size

    def slab(start: int, stop: int) -> None:
        place = (source, strides, x.shape[-1], target, start, stop)
        if by_planes:
            linear_planes(*place, x.shape[-2], z, y, columns)
        elif linear:
            linear_rows(*place, z, y, columns)
        else:
            nearest_rows(*place, z, y, columns)

    units = x.shape[0] * z.low.size * (1 if by_planes else y.low.size)
    run_in_slabs(slab, units, -(-_SMALLEST_SLAB * units // out.numel()))
    return out


@kernel
def linear_planes(
    source: Source,
    strides: tuple[int, int, int],
    width: int,
    target: Floats,
    start: int,
    stop: int,
    lines: int,
    along_z: AxisWeights,
    along_y: AxisWeights,
    along_x: AxisWeights,
) -> None:
    """Planes start..stop of the target, counted over (channel, plane); the source has `lines` rows of `width` voxels a plane.

    The last two source planes are kept with their rows already resampled along x. Strides are of (channel, plane, row).
    """
    depth, height, columns = along_z.low.size, along_y.low.size, along_x.low.size
    one = np.float32(1)
    size = lines * columns
    kept = np.empty(2 * size, np.float32)
    which = np.full(2, -1, np.int64)  # where in the source the two kept planes begin
    for volume in range(start, stop):
        channel = volume // depth
        z = volume - channel * depth
        near, far = channel * strides[0] + along_z.low[z] * strides[1], channel * strides[0] + along_z.high[z] * strides[1]
        if near != which[0] and near != which[1]:
            slot = 1 if which[0] == far else 0
            _stretch(source, near, strides[2], lines, width, along_x, kept[slot * size : (slot + 1) * size])
            which[slot] = near
        first = 0 if which[0] == near else 1
        second = first if far == near else 1 - first
        if which[second] != far:
            _stretch(source, far, strides[2], lines, width, along_x, kept[second * size : (second + 1) * size])
            which[second] = far
        v = along_z.weight[z]
        for y in range(height):
            w = along_y.weight[y]
            above, below = along_y.low[y] * columns, along_y.high[y] * columns
            a = kept[first * size + above : first * size + above + columns]
            b = kept[first * size + below : first * size + below + columns]
            c = kept[second * size + above : second * size + above + columns]
            d = kept[second * size + below : second * size + below + columns]
            wa, wb, wc, wd = (one - v) * (one - w), (one - v) * w, v * (one - w), v * w
            row = volume * height + y
            to = target[row * columns : (row + 1) * columns]
            for i in range(columns):
                to[i] = wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i]


@kernel
def _stretch(
    source: Source,
    begin: int,
    stride: int,
    lines: int,
    width: int,
    along_x: AxisWeights,
    target: Floats,
) -> None:
    """One source plane resampled along x."""
    columns = along_x.low.size
    one = np.float32(1)
    for y in range(lines):
        line = source[begin + y * stride : begin + y * stride + width]
        to = target[y * columns : (y + 1) * columns]
        for i in range(columns):
            q = along_x.weight[i]
            to[i] = (one - q) * np.float32(line[along_x.low[i]]) + q * np.float32(line[along_x.high[i]])


@kernel
def linear_rows(
    source: Source,
    strides: tuple[int, int, int],
    width: int,
    target: Floats,
    start: int,
    stop: int,
    along_z: AxisWeights,
    along_y: AxisWeights,
    along_x: AxisWeights,
) -> None:
    """Rows start..stop of the target, counted over (channel, plane, row); strides are of (channel, plane, row)."""
    depth, height, columns = along_z.low.size, along_y.low.size, along_x.low.size
    one = np.float32(1)
    blended = np.empty(width, np.float32)
    for row in range(start, stop):
        volume = row // height
        y = row - volume * height
        channel = volume // depth
        z = volume - channel * depth
        base = channel * strides[0]
        near, far = base + along_z.low[z] * strides[1], base + along_z.high[z] * strides[1]
        above, below = along_y.low[y] * strides[2], along_y.high[y] * strides[2]
        v, w = along_z.weight[z], along_y.weight[y]
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
            q = along_x.weight[i]
            to[i] = (one - q) * blended[along_x.low[i]] + q * blended[along_x.high[i]]


@kernel
def nearest_rows(
    source: Source,
    strides: tuple[int, int, int],
    width: int,
    target: Floats,
    start: int,
    stop: int,
    along_z: AxisWeights,
    along_y: AxisWeights,
    along_x: AxisWeights,
) -> None:
    """As `linear_rows`, without blending; a row that reads what an earlier row of this range read is copied from it."""
    depth, height, columns = along_z.low.size, along_y.low.size, along_x.low.size
    for row in range(start, stop):
        volume = row // height
        y = row - volume * height
        channel = volume // depth
        z = volume - channel * depth
        to = target[row * columns : (row + 1) * columns]
        twin = -1
        if y > 0 and row > start and along_y.low[y] == along_y.low[y - 1]:
            twin = row - 1
        elif z > 0 and row - height >= start and along_z.low[z] == along_z.low[z - 1]:
            twin = row - height
        if twin >= 0:
            known = target[twin * columns : (twin + 1) * columns]
            for i in range(columns):
                to[i] = known[i]
            continue
        begin = channel * strides[0] + along_z.low[z] * strides[1] + along_y.low[y] * strides[2]
        line = source[begin : begin + width]
        for i in range(columns):
            to[i] = np.float32(line[along_x.low[i]])
