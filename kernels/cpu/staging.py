"""The box of the source that a brick reads, copied to where a trilinear cell is two loads and the border needs no test.

Images are stored as pairs (v[y, x], v[y + 1, x]), labels as they are; both with one voxel of zeros before the box and two
after it. Flips, quarter turns, crops and padding happen in this copy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compilation import exact_kernel
from .arrays import Array, Floats
from .axis_permutation import Box, Triple, copy_rows, fetch_ahead
from .backend import ops

BORDER = 1  # voxels before the box


class Layout(NamedTuple):
    """How far rows and planes lie apart, in voxels, and how many voxels there are in all."""

    line: int
    plane: int
    total: int


def layout_of(sizes: Triple) -> Layout:
    """Odd distances spread rows and planes over the sets of the caches."""
    d, h, w = sizes
    line = (w + 4) | 1
    plane = (h + 3) * line + 24
    return Layout(line, plane, (d + 3) * plane + 64)


@exact_kernel
def stage_pairs(
    source: Array, first: int, strides: Triple, sizes: Triple, box: Box, pairs: Floats, line: int, plane: int, fill: np.float32
) -> None:
    """A box of `sizes` as float32 pairs. source[first + ...] is its first voxel, x runs along the source's rows
    (strides[2] = 1 or -1), `box` is its part that lies in the source (see `window.Gather`); the rest is `fill`.
    """
    depth, height, width = sizes
    z0, z1, y0, y1, x0, x1 = box
    room = width + 48
    rows = np.zeros(3 * room, np.float32)  # the row before, this row, zeros
    turned = np.empty(width, np.float32)
    count = x1 - x0
    leftmost = first + x0 * strides[2] - (0 if strides[2] == 1 else count - 1)
    zero = np.float32(0)
    for z in range(-BORDER, depth + 2):
        begin_plane = (z + BORDER) * plane
        if z < 0 or z >= depth:
            for i in range(2 * begin_plane, 2 * (begin_plane + (height + 2) * line)):
                pairs[i] = zero
            continue
        before = 2 * room
        for y in range(height + 1):
            this = room - before if before <= room else 0
            if y == height:
                this = 2 * room
            elif z < z0 or z >= z1 or y < y0 or y >= y1 or count <= 0:
                for x in range(width):
                    rows[this + x] = fill
            else:
                for x in range(x0):
                    rows[this + x] = fill
                for x in range(x1, width):
                    rows[this + x] = fill
                begin = first + z * strides[0] + y * strides[1] + x0 * strides[2]
                fetch_ahead(source, leftmost, strides, count, z, y, (z0, z1, y0, y1))
                if strides[2] == 1:
                    row, to = source[begin : begin + count], rows[this + x0 : this + x1]
                    for i in range(count):
                        to[i] = np.float32(row[i])
                else:
                    row = source[begin - count + 1 : begin + 1]
                    for i in range(count):
                        turned[i] = np.float32(row[i])
                    ops.row_reverse(rows, this + x0, turned, 0, count, False)
            to_pair = 2 * (begin_plane + y * line + BORDER)  # the pair (y - 1, y)
            ops.row_pairs(pairs, to_pair, rows, before, rows, this, width)
            for i in range(to_pair - 2, to_pair):
                pairs[i] = zero
            for i in range(to_pair + 2 * width, to_pair + 2 * width + 4):
                pairs[i] = zero
            before = this
        for i in range(2 * (begin_plane + (height + 1) * line), 2 * (begin_plane + (height + 2) * line)):
            pairs[i] = zero


@exact_kernel
def stage_words(
    source: Array, first: int, strides: Triple, sizes: Triple, box: Box, words: Array, line: int, plane: int, fill: int
) -> None:
    """As `stage_pairs`, each voxel once and unchanged; any strides."""
    depth, height, width = sizes
    for z in range(-BORDER, depth + 2):
        begin = (z + BORDER) * plane
        if z < 0 or z >= depth:
            for i in range(begin, begin + (height + 3) * line):
                words[i] = 0
            continue
        for y in range(height + 3):
            row = begin + y * line
            if y < BORDER or y >= height + BORDER:
                for i in range(row, row + line):
                    words[i] = 0
            else:
                words[row] = 0
                for i in range(row + BORDER + width, row + line):
                    words[i] = 0
    copy_rows(source, first, strides, sizes, box, words, BORDER * (plane + line + 1), 0, depth, 0, height, line, plane, fill, False)
