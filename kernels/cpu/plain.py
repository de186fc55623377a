"""The operations of `intrinsics.py` in plain numba: the same names and results, slower, for where the IR does not compile.

`AUTOML_RUN_KERNELS=plain` chooses them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..compilation import exact_kernel, inlined, kernel

LANES = 16

Array = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float32]
Offsets = npt.NDArray[np.int32]


@kernel
def prefetch(array: Array, offset: int) -> None:
    pass


@kernel
def row_copy(to: Array, start: int, source: Array, first: int, count: int, past: bool) -> None:
    for i in range(count):
        to[start + i] = source[first + i]


@kernel
def row_reverse(to: Array, start: int, source: Array, first: int, count: int, past: bool) -> None:
    for i in range(count):
        to[start + i] = source[first + count - 1 - i]


@exact_kernel
def row_linear(
    to: Floats,
    start: int,
    source: Floats,
    first: int,
    count: int,
    scale: np.float32,
    shift: np.float32,
    backwards: bool,
    past: bool,
) -> None:
    for i in range(count):
        to[start + i] = source[first + count - 1 - i if backwards else first + i] * scale + shift


@kernel
def row_pairs(to: Floats, start: int, upper: Floats, first: int, lower: Floats, second: int, count: int) -> None:
    for i in range((count + LANES - 1) // LANES * LANES):
        to[start + 2 * i] = upper[first + i]
        to[start + 2 * i + 1] = lower[second + i]


@kernel
def tile_transpose(to: Array, start: int, line: int, source: Array, first: int, stride: int, past: bool) -> None:
    n = 8 if source.itemsize == 8 else 16
    for i in range(n):
        for j in range(n):
            to[start + i * line + j] = source[first + j * stride + i]


@kernel
def lerp_columns(
    to: Floats,
    start: int,
    source: Floats,
    low: npt.NDArray[np.uint32],
    high: npt.NDArray[np.uint32],
    weight: Floats,
    count: int,
) -> None:
    for i in range(count):
        q = weight[i]
        p = np.float32(1) - q
        for k in range(LANES):
            to[start + LANES * i + k] = p * source[LANES * low[i] + k] + q * source[LANES * high[i] + k]


@kernel
def cells(
    base: tuple[int, int, int],
    rest: tuple[np.float32, np.float32, np.float32],
    step: tuple[np.float32, np.float32, np.float32],
    limit: tuple[np.float32, np.float32, np.float32],
    x: int,
    line: int,
    plane: int,
    corner: Offsets,
    near: Offsets,
    part: Floats,
    i: int,
) -> None:
    for k in range(LANES):
        offset, further = 0, 0
        for axis, stride in ((0, plane), (1, line), (2, 1)):
            c = min(max(rest[axis] + step[axis] * np.float32(x + k), np.float32(0)), limit[axis])
            whole = int(c)
            fraction = c - np.float32(whole)
            part[3 * i + LANES * axis + k] = fraction
            offset += (base[axis] + whole) * stride
            further += stride if fraction >= np.float32(0.5) else 0
        corner[i + k] = 2 * offset
        near[i + k] = offset + further


@kernel
def gather_nearest(to: Array, start: int, source: Array, near: Offsets, i: int) -> None:
    for k in range(LANES):
        to[start + k] = source[near[i + k]]


@kernel
def add_trilinear(to: Floats, start: int, pairs: Floats, plane: int, ahead: int, corner: Offsets, part: Floats, i: int) -> None:
    for k in range(LANES):
        o = corner[i + k]
        z, y, x = part[3 * i + k], part[3 * i + LANES + k], part[3 * i + 2 * LANES + k]
        v00 = pairs[o] + z * (pairs[o + plane] - pairs[o])
        v10 = pairs[o + 1] + z * (pairs[o + 1 + plane] - pairs[o + 1])
        v01 = pairs[o + 2] + z * (pairs[o + 2 + plane] - pairs[o + 2])
        v11 = pairs[o + 3] + z * (pairs[o + 3 + plane] - pairs[o + 3])
        left, right = v00 + y * (v10 - v00), v01 + y * (v11 - v01)
        to[start + k] += left + x * (right - left)


@kernel
def row_extremes(values: Floats, start: int, count: int, extremes: Floats) -> None:
    for i in range(count // LANES * LANES):
        v = values[start + i]
        lane = i % LANES
        extremes[lane] = v if v < extremes[lane] else extremes[lane]
        extremes[LANES + lane] = v if v > extremes[LANES + lane] else extremes[LANES + lane]
        if v != v:
            extremes[2 * LANES + lane] = v


@kernel
def hash32(value: np.uint32) -> np.uint32:
    value = np.uint32(np.uint32(value ^ (value >> np.uint32(16))) * np.uint32(0x7FEB352D))
    value = np.uint32(np.uint32(value ^ (value >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(value ^ (value >> np.uint32(16)))


@kernel
def xor32(first: np.uint32, second: np.uint32) -> np.uint32:
    return np.uint32(first ^ second)


@inlined
def multiply_add(a: float, b: float, c: float) -> float:
    return a * b + c
