"""Crops, padding, flips, quarter turns and transpositions in one copy, bit for bit, with an optional `scale * v + shift`.

Rows are short and often far apart, so the processor's own prefetching never locks on: what is due some rows later is asked
for. Where the source runs along another axis than the output's rows, square tiles are transposed in registers.
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

SMALLEST_SLAB = 1 << 19  # voxels; a core that sleeps wakes in the time that half of them take
PAST_THE_CACHES = 1 << 20  # bytes; about what a core's own caches keep until it is read
_AHEAD = 16  # rows
_TILES_AHEAD = 4
_LARGEST_SIDE = 16  # voxels of a tile
_NEAR = 256  # bytes from row to row, which the processor follows by itself
LINE = 64  # bytes of a line of the cache

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
    # No thread begins inside a tile.
    block = _LARGEST_SIDE if abs(gather.strides[0]) == 1 else 1
    starts = out.data_ptr() | out.stride(0) * out.element_size()  # of the channels
    past = out.numel() * out.element_size() >= PAST_THE_CACHES and starts % LINE == 0
    if linear:
        sources, targets = flat_channels(source), flat_channels(out)
    else:
        word = WORDS[source.element_size()]
        sources, targets = flat_channels(source, word), flat_channels(out, word)
        padding = 0 if fill == 0.0 else word_of(fill, source.dtype)
    for c in range(shape[0]):

        def slab(start: int, stop: int, c: int = c) -> None:
            start, stop = start * block, min(stop * block, depth)
            if linear:
                numbers = np.float32(fill), np.float32(scale), np.float32(shift)
                linear_planes(cast(Floats, sources[c]), *gather, cast(Floats, targets[c]), start, stop, *numbers, past)
            else:
                copy_planes(sources[c], *gather, targets[c], start, stop, padding, past)

        planes = -(-SMALLEST_SLAB * depth * shape[0] // out.numel())
        run_in_slabs(slab, -(-depth // block), -(-planes // block), threads)


@exact_kernel
def copy_planes(
    source: Array, first: int, strides: Triple, shape: Triple, box: Box, out: Array, start: int, stop: int, fill: int, past: bool
) -> None:
    """Planes start..stop of out (D, H, W), see `window.Gather`; words of one size. `past` the caches: see `copy_rows`."""
    line, plane = shape[2], shape[1] * shape[2]
    if (strides[0] == 1 or strides[0] == -1) and strides[2] != 1 and strides[2] != -1:
        # The source's rows run along z: with z and y exchanged it is the case of in-plane tiles.
        turned, sizes, inside = (strides[1], strides[0], strides[2]), (shape[1], shape[0], shape[2]), box[2:4] + box[0:2] + box[4:]
        copy_rows(source, first, turned, sizes, inside, out, 0, 0, shape[1], start, stop, plane, line, fill, past)
    else:
        copy_rows(source, first, strides, shape, box, out, 0, start, stop, 0, shape[1], line, plane, fill, past)


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
    past: bool,
) -> None:
    """Rows y_start..y_stop of planes z_start..z_stop; voxel (z, y, x) goes to out[origin + z * plane + y * line + x].

    `past`: `out` begins a line of the cache, and is written past the caches where its rows are whole lines. Otherwise each line
    is read before it is written, which takes as long as the source does.
    """
    stride_z, stride_y, stride_x = strides
    width = shape[2]
    z0, z1, y0, y1, x0, x1 = box
    by_tiles = stride_x != 1 and stride_x != -1 and (abs(stride_y) == 1 or abs(stride_z) == 1)
    far = abs(stride_y) * source.itemsize > _NEAR
    words = LINE // source.itemsize
    past = past and (origin + x0) % words == 0 and (x1 - x0) % words == 0 and line % words == 0 and plane % words == 0
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
                    ops.row_copy(out, to + x0, source, begin, x1 - x0, past)
                else:
                    ops.row_reverse(out, to + x0, source, begin - (x1 - x0) + 1, x1 - x0, past)
            elif not by_tiles:
                for x in range(x0, x1):
                    out[to + x] = source[begin + (x - x0) * stride_x]
    za, zb, ya, yb = max(z0, z_start), min(z1, z_stop), max(y0, y_start), min(y1, y_stop)
    if not by_tiles or za >= zb or ya >= yb or x0 >= x1:
        return
    origin += x0
    first += x0 * stride_x
    # Tiles follow one another along the axis that neither image's rows run along, so that few pages are in use at a time.
    begin = first + za * stride_z + ya * stride_y
    to = origin + za * plane + ya * line
    if stride_y == 1 or stride_y == -1:
        _tiles(source, begin, (stride_z, stride_y, stride_x), out, to, (plane, line), (zb - za, yb - ya, x1 - x0), past)
    else:
        _tiles(source, begin, (stride_y, stride_z, stride_x), out, to, (line, plane), (yb - ya, zb - za, x1 - x0), past)


@exact_kernel
def _tiles(
    source: Array, begin: int, strides: Triple, out: Array, to: int, lines: tuple[int, int], sizes: Triple, past: bool
) -> None:
    """out[to + h * lines[0] + i * lines[1] + j] = source[begin + h * strides[0] + i * strides[1] + j * strides[2]].

    h, i and j go up to `sizes`, strides[1] is 1 or -1. Tiles at the edge are moved back into the image.
    """
    side = 8 if source.itemsize == 8 else 16
    past = past and source.itemsize >= 4
    layer, along, across = strides
    if sizes[1] < side or sizes[2] < side:
        for h in range(sizes[0]):
            for i in range(sizes[1]):
                for j in range(sizes[2]):
                    out[to + h * lines[0] + i * lines[1] + j] = source[begin + h * layer + i * along + j * across]
        return
    for tile in range(0, sizes[1], side):
        i = min(tile, sizes[1] - side)
        for j in range(0, sizes[2], side):
            j = min(j, sizes[2] - side)
            for h in range(sizes[0]):
                at = begin + h * layer + i * along + j * across
                for k in range(side):
                    ops.prefetch(source, at + k * across + _TILES_AHEAD * layer)
                row = to + h * lines[0] + i * lines[1] + j
                if along == 1:
                    ops.tile_transpose(out, row, lines[1], source, at, across, past)
                else:
                    ops.tile_transpose(out, row + (side - 1) * lines[1], -lines[1], source, at - side + 1, across, past)


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
    past: bool,
) -> None:
    """As `copy_planes`, with float32 v * scale + shift, rounded twice, of what is not padding."""
    stride_z, stride_y, stride_x = strides
    height, width = shape[1], shape[2]
    z0, z1, y0, y1, x0, x1 = box
    turned = stride_x != 1 and stride_x != -1
    block = _LARGEST_SIDE if turned and abs(stride_z) == 1 else 1
    copied = start
    past = past and x0 % 16 == 0 and (x1 - x0) % 16 == 0 and width % 16 == 0
    for z in range(start, stop):
        if turned and z == copied:
            copied = z + block if stop - z >= 2 * block else stop  # no block is thinner than a tile
            copy_rows(source, first, strides, shape, box, out, 0, z, copied, 0, height, width, height * width, fill, False)
        for y in range(height):
            to = (z * height + y) * width
            if z < z0 or z >= z1 or y < y0 or y >= y1 or x0 >= x1:
                for x in range(width):
                    out[to + x] = fill
                continue
            if turned:
                ops.row_linear(out, to + x0, out, to + x0, x1 - x0, scale, shift, False, False)
                continue
            for x in range(x0):
                out[to + x] = fill
            for x in range(x1, width):
                out[to + x] = fill
            begin = first + z * stride_z + y * stride_y + x0 * stride_x
            fetch_ahead(source, first + x0 * stride_x, strides, x1 - x0, z, y, z1, y0, y1)
            if stride_x == 1:
                ops.row_linear(out, to + x0, source, begin, x1 - x0, scale, shift, False, past)
            else:
                ops.row_linear(out, to + x0, source, begin - (x1 - x0) + 1, x1 - x0, scale, shift, True, past)
