"""Crops, padding, flips, quarter turns and transpositions in one copy, bit for bit, with an optional `scale * v + shift`.

Rows are short and often far apart, so the processor's own prefetching never locks on: the row eight rows ahead is asked for. Where
the source runs along another axis than the output's rows, 8 x 8 tiles are transposed in registers.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch

from ..compilation import exact_kernel, inlined
from ..threads import run_in_slabs
from .arrays import MOVABLE, WORDS, Array, Floats, fits, flat_channels, is_plain, overlap, word_of
from .backend import choose_backend, ops
from .window import Window

SMALLEST_SLAB = 1 << 17  # voxels; a thread wakes in the time that half of them take
_AHEAD = 8  # rows
_NEAR = 256  # bytes from row to row, which the processor follows by itself

Triple = tuple[int, int, int]
Box = tuple[int, int, int, int, int, int]


def can_permute(source: torch.Tensor) -> bool:
    """Whether `permute` takes this source (C, H, W) or (C, D, H, W)."""
    return is_plain(source) and source.ndim in (3, 4) and source.dtype in MOVABLE


def permute(
    source: torch.Tensor,
    window: Window,
    out: torch.Tensor | None = None,
    *,
    fill: float = 0.0,
    scale: float = 1.0,
    shift: float = 0.0,
    threads: int | None = None,
) -> torch.Tensor:
    """`window` of each channel of `source` (C, *window.source_shape), in `out` (C, *window.shape) or a new tensor.

    Padding is `fill`, also where scale and shift, which only float32 takes, change the rest. Raises ValueError where
    `can_permute` is false, or a shape or dtype does not fit.
    """
    if not can_permute(source) or tuple(source.shape[1:]) != window.source_shape:
        raise ValueError(f"cannot copy {source.dtype} of shape {tuple(source.shape)} with a window on {window.source_shape}")
    linear = scale != 1.0 or shift != 0.0
    if linear and source.dtype != torch.float32:
        raise ValueError(f"only float32 can be scaled and shifted, not {source.dtype}")
    shape = (source.shape[0], *window.shape)
    if out is None:
        out = torch.empty(shape, dtype=source.dtype)
    elif (reason := fits(out, shape, source.dtype)) is not None:
        raise ValueError(f"the output {reason}")
    elif overlap(source, out):
        raise ValueError("the output lies in the source's memory")
    if out.numel():
        choose_backend()
        run_permute(source, window, out, fill, scale, shift, threads)
    return out


def run_permute(
    source: torch.Tensor, window: Window, out: torch.Tensor, fill: float, scale: float, shift: float, threads: int | None
) -> None:
    """As `permute`, of what has been checked and is not empty."""
    linear = scale != 1.0 or shift != 0.0
    shape = out.shape
    gather = window.gather(source.stride()[1:])
    depth = gather.shape[0]
    if linear:
        sources, targets = flat_channels(source), flat_channels(out)
    else:
        word = WORDS[source.element_size()]
        sources, targets = flat_channels(source, word), flat_channels(out, word)
        padding = 0 if fill == 0.0 else word_of(fill, source.dtype)
    for c in range(shape[0]):

        def slab(start: int, stop: int, c: int = c) -> None:
            if linear:
                numbers = np.float32(fill), np.float32(scale), np.float32(shift)
                linear_planes(cast(Floats, sources[c]), *gather, cast(Floats, targets[c]), start, stop, *numbers)
            else:
                copy_planes(sources[c], *gather, targets[c], start, stop, padding)

        run_in_slabs(slab, depth, -(-SMALLEST_SLAB * depth * shape[0] // out.numel()), threads)


@exact_kernel
def copy_planes(
    source: Array, first: int, strides: Triple, shape: Triple, box: Box, out: Array, start: int, stop: int, fill: int
) -> None:
    """Planes start..stop of out (D, H, W), see `window.Gather`; words of one size."""
    line, plane = shape[2], shape[1] * shape[2]
    if (strides[0] == 1 or strides[0] == -1) and strides[2] != 1 and strides[2] != -1:
        # The source's rows run along z: with z and y exchanged it is the case of in-plane tiles.
        turned, sizes, inside = (strides[1], strides[0], strides[2]), (shape[1], shape[0], shape[2]), box[2:4] + box[0:2] + box[4:]
        copy_rows(source, first, turned, sizes, inside, out, 0, 0, shape[1], start, stop, plane, line, fill)
    else:
        copy_rows(source, first, strides, shape, box, out, 0, start, stop, 0, shape[1], line, plane, fill)


@exact_kernel
def copy_rows(
    source: Array,
    first: int,
    strides: Triple,
    shape: Triple,
    box: Box,
    out: Array,
    origin: int,
    z_start: int,
    z_stop: int,
    y_start: int,
    y_stop: int,
    line: int,
    plane: int,
    fill: int | np.float32,
) -> None:
    """Rows y_start..y_stop of planes z_start..z_stop; voxel (z, y, x) goes to out[origin + z * plane + y * line + x]."""
    stride_z, stride_y, stride_x = strides
    width = shape[2]
    z0, z1, y0, y1, x0, x1 = box
    by_tiles = stride_x != 1 and stride_x != -1 and (abs(stride_y) == 1 or abs(stride_z) == 1)
    far = abs(stride_y) * source.itemsize > _NEAR
    for z in range(z_start, z_stop):
        for y in range(y_start, y_stop):
            to = origin + z * plane + y * line
            if z < z0 or z >= z1 or y < y0 or y >= y1 or x0 >= x1:
                for x in range(width):
                    out[to + x] = fill
                continue
            for x in range(x0):
                out[to + x] = fill
            for x in range(x1, width):
                out[to + x] = fill
            begin = first + z * stride_z + y * stride_y + x0 * stride_x
            if stride_x == 1 or stride_x == -1:
                if far:
                    fetch_ahead(source, first + x0 * stride_x, strides, x1 - x0, z, y, z1, y0, y1)
                if stride_x == 1:
                    ops.row_copy(out, to + x0, source, begin, x1 - x0)
                else:
                    ops.row_reverse(out, to + x0, source, begin - (x1 - x0) + 1, x1 - x0)
            elif not by_tiles:
                for x in range(x0, x1):
                    out[to + x] = source[begin + (x - x0) * stride_x]
    za, zb, ya, yb = max(z0, z_start), min(z1, z_stop), max(y0, y_start), min(y1, y_stop)
    if not by_tiles or za >= zb or ya >= yb or x0 >= x1:
        return
    origin += x0
    first += x0 * stride_x
    if stride_y == 1 or stride_y == -1:
        for z in range(za, zb):
            begin = first + z * stride_z + ya * stride_y
            _tiles(source, begin, stride_y, stride_x, stride_z, out, origin + z * plane + ya * line, line, yb - ya, x1 - x0)
    else:
        for z in range(za, zb, 16):
            for y in range(ya, yb):
                begin = first + z * stride_z + y * stride_y
                _tiles(
                    source, begin, stride_z, stride_x, stride_y, out, origin + z * plane + y * line, plane, min(16, zb - z), x1 - x0
                )


@exact_kernel
def _tiles(
    source: Array, begin: int, along: int, across: int, ahead: int, out: Array, to: int, line: int, rows: int, columns: int
) -> None:
    """out[to + i * line + j] = source[begin + i * along + j * across], i < rows, j < columns, along = 1 or -1.

    What lies `ahead` elements further on is asked for.
    """
    whole_rows, whole_columns = rows // 8 * 8, columns // 8 * 8
    for i in range(0, whole_rows, 8):
        for j in range(0, whole_columns, 8):
            if i * source.itemsize % 64 == 0:
                for k in range(j, j + 8):
                    ops.prefetch(source, begin + i * along + k * across + ahead)
            if along == 1:
                ops.tile_transpose(out, to + i * line + j, line, source, begin + i + j * across, across)
            else:
                ops.tile_transpose(out, to + (i + 7) * line + j, -line, source, begin - i - 7 + j * across, across)
        for k in range(i, i + 8):
            for j in range(whole_columns, columns):
                out[to + k * line + j] = source[begin + k * along + j * across]
    for i in range(whole_rows, rows):
        for j in range(columns):
            out[to + i * line + j] = source[begin + i * along + j * across]


@inlined
def fetch_ahead(source: Array, first: int, strides: Triple, count: int, z: int, y: int, z1: int, y0: int, y1: int) -> None:
    """Ask for the row some rows after (z, y), on into the next plane."""
    ahead_z, ahead_y = z, y + _AHEAD
    if ahead_y >= y1:
        ahead_z, ahead_y = z + 1, y0 + ahead_y - y1
    if ahead_z < z1 and ahead_y < y1:
        begin = first + ahead_z * strides[0] + ahead_y * strides[1]
        begin = begin if strides[2] == 1 else begin - count + 1
        for i in range(0, count, 64 // source.itemsize):
            ops.prefetch(source, begin + i)
        ops.prefetch(source, begin + count - 1)  # rows begin anywhere in a line of the cache


@exact_kernel
def linear_planes(
    source: Floats,
    first: int,
    strides: Triple,
    shape: Triple,
    box: Box,
    out: Floats,
    start: int,
    stop: int,
    fill: np.float32,
    scale: np.float32,
    shift: np.float32,
) -> None:
    """As `copy_planes`, with float32 v * scale + shift, rounded twice, of what is not padding."""
    stride_z, stride_y, stride_x = strides
    height, width = shape[1], shape[2]
    z0, z1, y0, y1, x0, x1 = box
    for z in range(start, stop):
        turned = stride_x != 1 and stride_x != -1
        if turned:
            copy_rows(source, first, strides, shape, box, out, 0, z, z + 1, 0, height, width, height * width, fill)
        for y in range(height):
            to = (z * height + y) * width
            if z < z0 or z >= z1 or y < y0 or y >= y1 or x0 >= x1:
                for x in range(width):
                    out[to + x] = fill
                continue
            if turned:
                ops.row_linear(out, to + x0, out, to + x0, x1 - x0, scale, shift, False)
                continue
            for x in range(x0):
                out[to + x] = fill
            for x in range(x1, width):
                out[to + x] = fill
            begin = first + z * stride_z + y * stride_y + x0 * stride_x
            fetch_ahead(source, first + x0 * stride_x, strides, x1 - x0, z, y, z1, y0, y1)
            if stride_x == 1:
                ops.row_linear(out, to + x0, source, begin, x1 - x0, scale, shift, False)
            else:
                ops.row_linear(out, to + x0, source, begin - (x1 - x0) + 1, x1 - x0, scale, shift, True)
