"""Crops, padding, flips, quarter turns and transpositions in one copy, bit for bit, with an optional `scale * v + shift`.

The compiled code; `moves.py` calls it.

Rows are short and often far apart, so the processor's own prefetching never locks on: what is due some rows later is asked
for. Where the source runs along another axis than the output's rows, square tiles are transposed in registers.
"""

from __future__ import annotations

import numpy as np
import torch

from ..compilation import exact_kernel, inlined
from .arrays import MOVABLE, Array, Floats, is_plain
from .backend import ops

PAST_THE_CACHES = 1 << 20  # bytes; about what a core's own caches keep until it is read
_AHEAD = 16  # rows
_TILES_AHEAD = 4
LARGEST_SIDE = 16  # voxels of a tile
_NEAR = 1024  # bytes from row to row, which the processor follows by itself
LINE = 64  # bytes of a line of the cache

Triple = tuple[int, int, int]
Box = tuple[int, int, int, int, int, int]
Rows = tuple[int, int, int, int]


def can_permute(source: torch.Tensor) -> bool:
    """Whether `moves.permute` takes this source (C, H, W) or (C, D, H, W)."""
    return is_plain(source) and source.ndim in (3, 4) and source.dtype in MOVABLE


@exact_kernel
def copy_planes(
    source: Array, first: int, strides: Triple, shape: Triple, box: Box, out: Array, start: int, stop: int, fill: int, past: bool
) -> None:
    """Planes start..stop of out (D, H, W), see `window.Gather`; words of one size. `past` the caches: see `copy_rows`."""
    line, plane = shape[2], shape[1] * shape[2]
    if in_order_of_the_source(strides, past):
        turned, sizes, inside = (strides[1], strides[0], strides[2]), (shape[1], shape[0], shape[2]), box[2:4] + box[0:2] + box[4:]
        copy_rows(source, first, turned, sizes, inside, out, 0, 0, shape[1], start, stop, plane, line, fill, past)
    else:
        copy_rows(source, first, strides, shape, box, out, 0, start, stop, 0, shape[1], line, plane, fill, past)


@inlined
def in_order_of_the_source(strides: Triple, past: bool) -> bool:
    """Whether z and y are better exchanged, so that y is the outer one.

    Where the source's rows run along z, that makes the case of in-plane tiles of it. Where they stay rows, the source is read from
    one end to the other, which pays when the output is written past the caches, wherever its rows are.
    """
    if strides[2] == 1 or strides[2] == -1:
        return past and abs(strides[0]) < abs(strides[1])
    return strides[0] == 1 or strides[0] == -1


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
    z0, z1, y0, y1, x0, x1 = box
    by_tiles = stride_x != 1 and stride_x != -1 and (abs(stride_y) == 1 or abs(stride_z) == 1)
    far = stride_y < 0 or stride_y * source.itemsize > _NEAR
    words = LINE // source.itemsize
    past = past and (origin + x0) % words == 0 and (x1 - x0) % words == 0 and line % words == 0 and plane % words == 0
    fill_outside(out, origin, z_start, z_stop, y_start, y_stop, line, plane, shape[2], box, fill)
    za, zb, ya, yb = max(z0, z_start), min(z1, z_stop), max(y0, y_start), min(y1, y_stop)
    if za >= zb or ya >= yb or x0 >= x1:
        return
    if not by_tiles:
        at, begin, rows = origin + x0, first + x0 * stride_x, (za, zb, ya, yb)
        if stride_x == 1:
            forward_rows(source, begin, strides, x1 - x0, out, at, rows, line, plane, far, past)
        elif stride_x == -1:
            backward_rows(source, begin - (x1 - x0) + 1, strides, x1 - x0, out, at, rows, line, plane, far, past)
        else:
            for z in range(za, zb):
                for y in range(ya, yb):
                    to, row = at + z * plane + y * line, begin + z * stride_z + y * stride_y
                    for x in range(x1 - x0):
                        out[to + x] = source[row + x * stride_x]
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


# The loops over rows stand alone, and each is so small that it stays in registers: within `copy_rows` a row of 96 bytes took 16 ns,
# here it takes 10.


@exact_kernel
def forward_rows(
    source: Array,
    first: int,
    strides: Triple,
    width: int,
    out: Array,
    origin: int,
    rows: Rows,
    line: int,
    plane: int,
    far: bool,
    past: bool,
) -> None:
    """As `copy_rows`, of rows within `rows` (z0, z1, y0, y1) that lie in the source as in the output."""
    z0, z1, y0, y1 = rows
    if far:
        for z in range(z0, z1):
            for y in range(y0, y1):
                fetch_ahead(source, first, strides, width, z, y, rows)
                ops.row_copy(out, origin + z * plane + y * line, source, first + z * strides[0] + y * strides[1], width, past)
        return
    for z in range(z0, z1):
        for y in range(y0, y1):
            ops.row_copy(out, origin + z * plane + y * line, source, first + z * strides[0] + y * strides[1], width, past)


@exact_kernel
def backward_rows(
    source: Array,
    first: int,
    strides: Triple,
    width: int,
    out: Array,
    origin: int,
    rows: Rows,
    line: int,
    plane: int,
    far: bool,
    past: bool,
) -> None:
    """As `forward_rows`, of rows that lie in the source the other way round; each begins at its last voxel."""
    z0, z1, y0, y1 = rows
    if far:
        for z in range(z0, z1):
            for y in range(y0, y1):
                fetch_ahead(source, first, strides, width, z, y, rows)
                ops.row_reverse(out, origin + z * plane + y * line, source, first + z * strides[0] + y * strides[1], width, past)
        return
    for z in range(z0, z1):
        for y in range(y0, y1):
            ops.row_reverse(out, origin + z * plane + y * line, source, first + z * strides[0] + y * strides[1], width, past)


@inlined
def fill_outside(
    out: Array,
    origin: int,
    z_start: int,
    z_stop: int,
    y_start: int,
    y_stop: int,
    line: int,
    plane: int,
    width: int,
    box: Box,
    fill: int | np.float32,
) -> None:
    """What lies outside the box, of rows y_start..y_stop of planes z_start..z_stop."""
    z0, z1, y0, y1, x0, x1 = box
    if z0 <= z_start and z_stop <= z1 and y0 <= y_start and y_stop <= y1 and x0 == 0 and x1 == width:
        return
    for z in range(z_start, z_stop):
        for y in range(y_start, y_stop):
            to = origin + z * plane + y * line
            inside = z0 <= z < z1 and y0 <= y < y1 and x0 < x1
            for x in range(x0 if inside else width):
                out[to + x] = fill
            for x in range(x1 if inside else width, width):
                out[to + x] = fill


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
def fetch_ahead(source: Array, first: int, strides: Triple, width: int, z: int, y: int, rows: Rows) -> None:
    """Ask for the row some rows after (z, y), on into the next plane of `rows`."""
    ahead_z, ahead_y = z, y + _AHEAD
    if ahead_y >= rows[3]:
        ahead_z, ahead_y = z + 1, rows[2] + ahead_y - rows[3]
    if ahead_z < rows[1] and ahead_y < rows[3]:
        begin = first + ahead_z * strides[0] + ahead_y * strides[1]
        for i in range(0, width, 64 // source.itemsize):
            ops.prefetch(source, begin + i)
        ops.prefetch(source, begin + width - 1)  # rows begin anywhere in a line of the cache


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
    stride_x, height, width = strides[2], shape[1], shape[2]
    x0, x1 = box[4], box[5]
    past = past and x0 % 16 == 0 and (x1 - x0) % 16 == 0 and width % 16 == 0
    if stride_x == 1 or stride_x == -1:
        if in_order_of_the_source(strides, past):
            turned, inside = (strides[1], strides[0], stride_x), box[2:4] + box[0:2] + box[4:]
            linear_rows(
                source, first, turned, width, inside, out, 0, height, start, stop, width, height * width, fill, scale, shift, past
            )
        else:
            linear_rows(
                source, first, strides, width, box, out, start, stop, 0, height, height * width, width, fill, scale, shift, past
            )
        return
    block = LARGEST_SIDE if abs(strides[0]) == 1 else 1
    z = start
    while z < stop:
        last = z + block if stop - z >= 2 * block else stop  # no block is thinner than a tile
        copy_rows(source, first, strides, shape, box, out, 0, z, last, 0, height, width, height * width, fill, False)
        for row in range(z * height, last * height):
            plane = row // height
            y = row - plane * height
            if box[0] <= plane < box[1] and box[2] <= y < box[3] and x0 < x1:
                at = row * width + x0
                ops.row_linear(out, at, out, at, x1 - x0, scale, shift, False, False)
        z = last


@exact_kernel
def linear_rows(
    source: Floats,
    first: int,
    strides: Triple,
    width: int,
    box: Box,
    out: Floats,
    z_start: int,
    z_stop: int,
    y_start: int,
    y_stop: int,
    plane: int,
    line: int,
    fill: np.float32,
    scale: np.float32,
    shift: np.float32,
    past: bool,
) -> None:
    """As `copy_rows` of rows that run along the source's."""
    z0, z1, y0, y1, x0, x1 = box
    fill_outside(out, 0, z_start, z_stop, y_start, y_stop, line, plane, width, box, fill)
    rows = max(z0, z_start), min(z1, z_stop), max(y0, y_start), min(y1, y_stop)
    if rows[0] >= rows[1] or rows[2] >= rows[3] or x0 >= x1:
        return
    backwards, far = strides[2] < 0, strides[1] < 0 or strides[1] * source.itemsize > _NEAR
    begin = first + x0 * strides[2] - (x1 - x0 - 1 if backwards else 0)
    changed_rows(source, begin, strides, x1 - x0, out, x0, rows, line, plane, scale, shift, backwards, far, past)


@exact_kernel
def changed_rows(
    source: Floats,
    first: int,
    strides: Triple,
    width: int,
    out: Floats,
    origin: int,
    rows: Rows,
    line: int,
    plane: int,
    scale: np.float32,
    shift: np.float32,
    backwards: bool,
    far: bool,
    past: bool,
) -> None:
    """As `forward_rows` or `backward_rows`, scaled and shifted."""
    z0, z1, y0, y1 = rows
    for z in range(z0, z1):
        for y in range(y0, y1):
            if far:
                fetch_ahead(source, first, strides, width, z, y, rows)
            to, begin = origin + z * plane + y * line, first + z * strides[0] + y * strides[1]
            ops.row_linear(out, to, source, begin, width, scale, shift, backwards, past)
