"""Separable trilinear and nearest resampling on the CPU.

Blending whole rows vectorises and picking neighbours along x does not: gathers take four times as long as all the rest. So 16
rows are blended, turned by 90 degrees in registers, interpolated along what was x as vectors of 16 rows, and turned back.
Resampling every source row along x first and keeping two planes of the result was slower, even for strong enlargements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..compilation import kernel
from ..threads import run_in_slabs
from .arrays import INTERPOLABLE, Array, Floats, is_plain, span
from .axis_permutation import LINE, PAST_THE_CACHES
from .axis_weights import AxisWeights, whole_axis
from .backend import choose_backend, ops

_SMALLEST_SLAB = 1 << 17  # voxels; a thread wakes in the time that half of them take
_GROUP = 16  # rows that are turned together


def can_resample(x: torch.Tensor) -> bool:
    """Whether `resample_axes` handles this tensor: a dense CPU image (C, H, W) or (C, D, H, W) of an exact dtype."""
    return x.ndim in (3, 4) and is_plain(x) and x.dtype in INTERPOLABLE and x.numel() > 0


@dataclass(frozen=True, slots=True)
class Resampling:
    """One table per spatial axis, checked once for all the images that it resamples. Made by `of`."""

    axes: tuple[AxisWeights, ...]
    size: tuple[int, ...]
    reach: tuple[int, ...]  #: how many voxels of each axis an image needs
    linear: bool

    @classmethod
    def of(cls, axes: Sequence[AxisWeights]) -> Resampling:
        """Raises ValueError where a table is ragged."""
        for table in axes:
            if not table.low.shape == table.high.shape == table.weight.shape == (table.low.size,):
                raise ValueError("the three columns of an axis table differ in length")
        return cls(
            tuple(axes),
            tuple(table.low.size for table in axes),
            tuple(max(int(table.low.max()), int(table.high.max())) + 1 if table.low.size else 0 for table in axes),
            any(bool(np.any(table.high != table.low)) for table in axes),
        )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """float32 (C, *size) from `x` (C, H, W) or (C, D, H, W).

        Raises ValueError where `can_resample` is false, or `x` has other axes or fewer voxels than the tables need.
        """
        if not can_resample(x):
            raise ValueError(f"cannot resample {x.dtype} of shape {tuple(x.shape)} on {x.device}")
        if len(self.axes) != x.ndim - 1:
            raise ValueError(f"{len(self.axes)} axis tables for {x.ndim - 1} spatial axes")
        for reach, size in zip(self.reach, x.shape[1:], strict=True):
            if reach > size:
                raise ValueError(f"an axis table reads outside its {size} voxels")
        if x.stride(-1) != 1:
            x = x.contiguous()
        out = torch.empty((x.shape[0], *self.size), dtype=torch.float32)
        if not out.numel():
            return out
        source, target = x.as_strided((span(x),), (1,)).numpy(), out.view(-1).numpy()
        z, y, columns = (whole_axis(1), *self.axes) if x.ndim == 3 else self.axes
        strides = (x.stride(0), 0 if x.ndim == 3 else x.stride(1), x.stride(-2))
        past = _goes_past_the_caches(out)
        choose_backend()

        def slab(start: int, stop: int) -> None:
            if self.linear:
                linear_rows(source, strides, x.shape[-1], target, start, stop, z, y, columns, past)
            else:
                nearest_rows(source, strides, x.shape[-1], target, start, stop, z, y, columns)

        rows = x.shape[0] * z.low.size * y.low.size
        run_in_slabs(slab, rows, -(-_SMALLEST_SLAB * rows // out.numel()))
        return out


def resample_axes(x: torch.Tensor, axes: Sequence[AxisWeights]) -> torch.Tensor:
    """float32 (C, *(axis.low.size for axis in axes)) from `x` (C, H, W) or (C, D, H, W); raises as `Resampling` does."""
    return Resampling.of(axes)(x)


def _goes_past_the_caches(out: torch.Tensor) -> bool:
    large = out.numel() * out.element_size() >= PAST_THE_CACHES
    return large and (out.data_ptr() | out.shape[-1] * out.element_size()) % LINE == 0


@kernel
def linear_rows(
    source: Array,
    strides: tuple[int, int, int],
    width: int,
    target: Floats,
    start: int,
    stop: int,
    along_z: AxisWeights,
    along_y: AxisWeights,
    along_x: AxisWeights,
    past: bool,
) -> None:
    """Rows start..stop of the target, counted over (channel, plane, row); strides are of (channel, plane, row).

    `past` the caches: the target's rows are whole lines of them.
    """
    depth, height, columns = along_z.low.size, along_y.low.size, along_x.low.size
    line = (width + _GROUP - 1) // _GROUP * _GROUP
    blended = np.zeros(_GROUP * line, np.float32)
    turned = np.empty(_GROUP * line, np.float32)
    stretched = np.empty(_GROUP * columns, np.float32)
    for group in range(start, stop, _GROUP):
        # The last rows are done together with some that are done already, unless there are too few altogether.
        begin = max(min(group, stop - _GROUP), start)
        rows = min(_GROUP, stop - begin)
        for r in range(rows):
            volume = (begin + r) // height
            y = begin + r - volume * height
            channel = volume // depth
            z = volume - channel * depth
            base = channel * strides[0]
            near, far = base + along_z.low[z] * strides[1], base + along_z.high[z] * strides[1]
            above, below = along_y.low[y] * strides[2], along_y.high[y] * strides[2]
            fresh = z == 0 or along_z.low[z] > along_z.high[z - 1]
            if y + _GROUP < height:
                # What the row that is due next but _GROUP reads and the one before it did not; planes seen before are cached.
                ahead = np.int64(along_y.high[y + _GROUP])
                for line_ahead in range(np.int64(along_y.high[y + _GROUP - 1]) + 1, ahead + 1):
                    for i in range(0, width, 64 // source.itemsize):
                        ops.prefetch(source, far + line_ahead * strides[2] + i)
                        if fresh:
                            ops.prefetch(source, near + line_ahead * strides[2] + i)
            corners = (near + above, near + below, far + above, far + below)
            _blend(source, corners, along_z.weight[z], along_y.weight[y], width, blended, r * line)
        for x in range(0, line, _GROUP):
            ops.tile_transpose(turned, x * _GROUP, _GROUP, blended, x, line, False)
        ops.lerp_columns(stretched, 0, turned, along_x.low, along_x.high, along_x.weight, columns)
        if rows == _GROUP and columns >= _GROUP:
            for x in range(0, columns, _GROUP):
                x = min(x, columns - _GROUP)
                ops.tile_transpose(target, begin * columns + x, columns, stretched, x * _GROUP, _GROUP, past)
        else:
            for r in range(rows):
                for x in range(columns):
                    target[(begin + r) * columns + x] = stretched[x * _GROUP + r]


@kernel
def _blend(
    source: Array, corners: tuple[int, int, int, int], v: np.float32, w: np.float32, width: int, to: Floats, start: int
) -> None:
    """One row between four, with weight v of the far plane and w of the row below.

    Offsets are unsigned: numba's handling of negative indices would keep the loops from being vectorised, ten times slower.
    """
    n, t = np.uint64(width), np.uint64(start)
    a, b, c, d = np.uint64(corners[0]), np.uint64(corners[1]), np.uint64(corners[2]), np.uint64(corners[3])
    p, q = np.float32(1) - v, np.float32(1) - w
    # Where low == high there is no neighbour to blend with, and 0 * NaN must not be made of one.
    if a == c and a == b:
        for i in range(n):
            to[t + i] = np.float32(source[a + i])
    elif a == c:
        for i in range(n):
            to[t + i] = q * np.float32(source[a + i]) + w * np.float32(source[b + i])
    elif a == b:
        for i in range(n):
            to[t + i] = p * np.float32(source[a + i]) + v * np.float32(source[c + i])
    else:
        wa, wb, wc, wd = p * q, p * w, v * q, v * w
        for i in range(n):
            near = wa * np.float32(source[a + i]) + wb * np.float32(source[b + i])
            to[t + i] = near + (wc * np.float32(source[c + i]) + wd * np.float32(source[d + i]))


@kernel
def nearest_rows(
    source: Array,
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
    n = np.uint64(columns)
    for row in range(start, stop):
        volume = row // height
        y = row - volume * height
        channel = volume // depth
        z = volume - channel * depth
        to = np.uint64(row * columns)
        twin = -1
        if y > 0 and row > start and along_y.low[y] == along_y.low[y - 1]:
            twin = row - 1
        elif z > 0 and row - height >= start and along_z.low[z] == along_z.low[z - 1]:
            twin = row - height
        if twin >= 0:
            ops.row_copy(target, row * columns, target, twin * columns, columns, False)
            continue
        plane = channel * strides[0] + along_z.low[z] * strides[1]
        if y + _GROUP < height:
            ahead = plane + along_y.low[y + _GROUP] * strides[2]
            for i in range(0, width, 64 // source.itemsize):
                ops.prefetch(source, ahead + i)
        begin = np.uint64(plane + along_y.low[y] * strides[2])
        for i in range(n):
            target[to + i] = np.float32(source[begin + np.uint64(along_x.low[i])])
