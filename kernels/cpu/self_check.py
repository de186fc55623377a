"""Do the vector operations compute what they should on this machine and with this numba?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..compilation import exact_kernel
from . import intrinsics as ops

Floats = npt.NDArray[np.float32]


@exact_kernel
def _exercise(source: Floats, out: Floats, corner: npt.NDArray[np.int32], near: npt.NDArray[np.int32], part: Floats) -> int:
    """Each operation once, its result in its own row of 40 of `out`, a tile behind them, then those past the caches."""
    ops.prefetch(source, 0)
    ops.row_copy(out, 0, source, 3, 37, False)
    ops.row_reverse(out, 40, source, 3, 37, False)
    ops.row_linear(out, 80, source, 3, 37, np.float32(1.1), np.float32(0.1), True, False)
    ops.row_pairs(out, 120, source, 0, source, 50, 16)
    ops.tile_transpose(out, 400, 16, source, 2, 9, False)
    ops.row_copy(out, 656, source, 3, 32, True)
    ops.row_reverse(out, 688, source, 3, 32, True)
    ops.row_linear(out, 720, source, 3, 32, np.float32(1.1), np.float32(0.1), True, True)
    ops.tile_transpose(out, 752, 16, source, 2, 9, True)
    zero, step, limit = np.float32(0.25), np.float32(0.5), np.float32(2.0)
    ops.cells((1, 1, 1), (zero, zero, zero), (step, step, step), (limit, limit, limit), 0, 5, 25, corner, near, part, 0)
    ops.gather_nearest(out, 240, source, near, 0)
    ops.add_trilinear(out, 280, source, 50, 8, corner, part, 0)
    ops.row_extremes(source, 0, 32, out[320:])
    columns = np.arange(3).astype(np.uint32)
    ops.lerp_columns(out, 360, source, columns, columns[1:], source, 2)
    out[392] = ops.multiply_add(3.0, 5.0, 7.0)
    return int(ops.xor32(ops.hash32(np.uint32(12345)), np.uint32(1)))


def failing_operation() -> str | None:
    """The name of an operation that is wrong here, or why they do not compile; None if all is well."""
    source = (np.arange(512, dtype=np.float32) * 7 % 61).astype(np.float32)
    lines = np.zeros(1008 + 16, np.float32)
    out = lines[-lines.ctypes.data // 4 % 16 :]  # begins a line of the cache
    corner, near, part = np.zeros(16, np.int32), np.zeros(16, np.int32), np.zeros(48, np.float32)
    try:
        word = _exercise(source, out, corner, near, part)
    except Exception as error:  # whatever numba, llvmlite or LLVM may raise, the answer is the same: do without
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
    scaled = source[3:40][::-1] * np.float32(1.1) + np.float32(0.1)
    place = np.minimum(0.25 + 0.5 * np.arange(16), 2.0)
    whole = place.astype(np.int64)
    fraction = (place - whole).astype(np.float32)
    flat = (1 + whole) * 31
    nearest = (1 + np.floor(place + 0.5).astype(np.int64)) * 31
    sample = np.zeros(16)
    for corner_z, corner_x, corner_y in np.ndindex(2, 2, 2):
        weight = np.where([corner_z], fraction, 1 - fraction)
        weight = weight * np.where([corner_x], fraction, 1 - fraction) * np.where([corner_y], fraction, 1 - fraction)
        sample += weight * source[2 * flat + 50 * corner_z + 2 * corner_x + corner_y]
    tile = np.stack([source[2 + 9 * j : 18 + 9 * j] for j in range(16)], 1).ravel()
    checks = {
        "row_copy": np.array_equal(out[:37], source[3:40]) and np.array_equal(out[656:688], source[3:35]),
        "row_reverse": np.array_equal(out[40:77], source[3:40][::-1]) and np.array_equal(out[688:720], source[3:35][::-1]),
        "row_linear": np.array_equal(out[80:117], scaled) and np.array_equal(out[720:752], scaled[5:]),
        "row_pairs": np.array_equal(out[120:152:2], source[:16]) and np.array_equal(out[121:153:2], source[50:66]),
        "tile_transpose": np.array_equal(out[400:656], tile) and np.array_equal(out[752:1008], tile),
        "cells": np.array_equal(corner, 2 * flat) and np.array_equal(near, nearest) and np.allclose(part.reshape(3, 16), fraction),
        "gather_nearest": np.array_equal(out[240:256], source[nearest]),
        "add_trilinear": np.allclose(out[280:296], sample, atol=1e-4),
        "row_extremes": np.array_equal(out[320:336], np.minimum(0, np.minimum(source[:16], source[16:32])))
        and np.array_equal(out[336:352], np.maximum(0, np.maximum(source[:16], source[16:32]))),
        "lerp_columns": np.array_equal(out[360:392], [*source[:16], *(-6 * source[16:32] + 7 * source[32:48])]),
        "multiply_add": out[392] == 22.0,
        "hash32": word == _lowbias32(12345) ^ 1,
    }
    return next((name for name, passed in checks.items() if not passed), None)


def _lowbias32(value: int) -> int:
    value = (value ^ value >> 16) * 0x7FEB352D & 0xFFFFFFFF
    value = (value ^ value >> 15) * 0x846CA68B & 0xFFFFFFFF
    return value ^ value >> 16
