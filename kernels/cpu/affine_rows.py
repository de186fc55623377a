"""Trilinear images and nearest labels under an affine map, from staged bricks, 16 voxels of a row at a time.

Rows are clipped to what reads the source at all; within them coordinates are clamped into the zero border, so that no voxel is
tested. A segment's coordinates count from an integer base in float32: a few millionths of a voxel off, at any size of image.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..compilation import fast_kernel, inlined
from .arrays import Array, Floats
from .backend import ops
from .intensity import step_range
from .noise import fill_counter_normal

ZEROS, KEEP, NOISE = range(3)  # what an image's voxels hold before the samples are added
_SEGMENT = 64  # voxels of a row whose coordinates count from one base
_ROWS = 32  # of a plane that go through the steps while the second cache holds them

Triple = tuple[int, int, int]
Quad = tuple[int, int, int, int]


@inlined
def _clip(at: float, step: float, top: int, start: int, stop: int) -> tuple[int, int]:
    """start..stop without the x for which at + step * x is not between 0 and top."""
    if step > 1e-9:
        start, stop = max(start, math.floor(max(-at / step, -1.0))), min(stop, math.ceil(min((top - at) / step, 1e9)) + 1)
    elif step < -1e-9:
        start, stop = max(start, math.floor(max((top - at) / step, -1.0))), min(stop, math.ceil(min(-at / step, 1e9)) + 1)
    elif at <= 0 or at >= top:
        stop = start
    return start, stop


@inlined
def _base(at: float, step: float, low: int, top: int) -> int:
    """The least whole coordinate of a segment, kept between low and top."""
    least = at if step >= 0 else at + (_SEGMENT - 1) * step
    return int(min(max(math.floor(least), np.float64(low)), np.float64(top)))


@fast_kernel
def _convert(to: Array, source: Array) -> None:
    for i in range(to.size):
        to[i] = source[i]


@fast_kernel
def affine_rows(
    pairs: Floats,
    words: Array,
    line: int,
    plane: int,
    matrix: npt.NDArray[np.float64],
    sizes: Triple,
    border: bool,
    image: Floats,
    image_origin: int,
    label: Array,
    label_origin: int,
    shape: Triple,
    region: Quad,
    start: tuple[int, np.uint32, np.float32, np.float32],
    codes: npt.NDArray[np.int64],
    numbers: Floats,
    seeds: npt.NDArray[np.uint32],
    field: Floats,
    wants_extremes: bool,
) -> tuple[float, float]:
    """Rows region = (z0, z1, y0, y1) of an output of `shape`, channel by channel at the given origins of the flat outputs.

    `matrix` (3, 4) maps output voxels to places in the staged box of `sizes`, whose first voxel is at 1. `image` or `label`
    may be empty: then it is not made. `start`: ZEROS, KEEP or NOISE with its seed, mean and deviation. The steps of one pass
    follow on the image (`intensity.Pass`); returns their extremes.
    """
    with_image, with_label = image.size > 0, label.size > 0
    height, width = shape[1], shape[2]
    z0, z1, y0, y1 = region
    corner, near = np.empty(_SEGMENT, np.int32), np.empty(_SEGMENT, np.int32)
    part, sample = np.empty(3 * _SEGMENT, np.float32), np.empty(16, np.float32)
    picked = np.empty(width + 16, words.dtype)  # a row, to be converted when it is complete
    low = 1 if border else 0
    tops = (sizes[0] + 1 - low, sizes[1] + 1 - low, sizes[2] + 1 - low)
    sz, sy, sx = matrix[0, 2], matrix[1, 2], matrix[2, 2]
    step = (np.float32(sz), np.float32(sy), np.float32(sx))
    ahead = 6 * plane if matrix[0, 0] >= 0 else -6 * plane  # three planes of pairs
    least, most = math.inf, -math.inf
    for first_row in range(y0, y1, _ROWS):
        last_row = min(first_row + _ROWS, y1)
        for z in range(z0, z1):
            begin = image_origin + (z * height + first_row) * width
            end = begin + (last_row - first_row) * width
            if with_image and start[0] == NOISE:
                fill_counter_normal(start[1], start[2], start[3], image, begin, end)
            elif with_image and start[0] == ZEROS:
                image[begin:end] = 0
            for y in range(first_row, last_row):
                pz = matrix[0, 0] * z + matrix[0, 1] * y + matrix[0, 3]
                py = matrix[1, 0] * z + matrix[1, 1] * y + matrix[1, 3]
                px = matrix[2, 0] * z + matrix[2, 1] * y + matrix[2, 3]
                xa, xb = 0, width
                if not border:
                    xa, xb = _clip(pz, sz, tops[0], xa, xb)
                    xa, xb = _clip(py, sy, tops[1], xa, xb)
                    xa, xb = _clip(px, sx, tops[2], xa, xb)
                    if xb <= xa:
                        xa, xb = 0, 0
                to_image = image_origin + (z * height + y) * width
                to_label = label_origin + (z * height + y) * width
                if with_label:
                    for i in range(0, width, 64 // label.itemsize):
                        ops.prefetch(label, to_label + 4 * width + i)
                    label[to_label : to_label + xa] = 0
                    label[to_label + xb : to_label + width] = 0
                for x in range(xa, xb, _SEGMENT):
                    az, ay, ax = pz + sz * x, py + sy * x, px + sx * x
                    base = (_base(az, sz, low, tops[0]), _base(ay, sy, low, tops[1]), _base(ax, sx, low, tops[2]))
                    rest = (np.float32(az - base[0]), np.float32(ay - base[1]), np.float32(ax - base[2]))
                    limit = (np.float32(tops[0] - base[0]), np.float32(tops[1] - base[1]), np.float32(tops[2] - base[2]))
                    count = min(xb - x, _SEGMENT)
                    for i in range(0, count, 16):
                        ops.cells(base, rest, step, limit, i, line, plane, corner, near, part, i)
                    whole = count // 16 * 16
                    for i in range(0, whole, 16):
                        if with_image:
                            ops.add_trilinear(image, to_image + x + i, pairs, 2 * plane, ahead, corner, part, i)
                        if with_label:
                            ops.gather_nearest(picked, x - xa + i, words, near, i)
                    if whole < count:
                        if with_image:
                            for i in range(16):
                                sample[i] = 0
                            ops.add_trilinear(sample, 0, pairs, 2 * plane, ahead, corner, part, whole)
                            for i in range(count - whole):
                                image[to_image + x + whole + i] += sample[i]
                        if with_label:
                            ops.gather_nearest(picked, x - xa + whole, words, near, whole)
                if with_label:
                    _convert(label[to_label + xa : to_label + xb], picked)
            if with_image and (codes.size > 0 or wants_extremes):
                smallest, largest = step_range(image, image, True, begin, end, codes, numbers, seeds, field, wants_extremes)
                least = smallest if smallest < least or smallest != smallest else least
                most = largest if largest > most or largest != largest else most
    return least, most
