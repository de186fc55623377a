"""The kernel of `numba_cuda.py`. Whole numbers are 64 bits wide here, so that nothing overflows and nothing wraps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from numba import cuda

LINEAR, CLIP, GAMMA, FIELD, NOISE = range(5)

F = TypeVar("F", bound=Callable[..., Any])

to_device = cuda.to_device


def device_function(function: F) -> F:
    return cast(F, cuda.jit(device=True)(function))


def kernel(function: Callable[..., None]) -> Any:
    return cuda.jit(function)


def as_device_array(x: torch.Tensor) -> object:
    """A tensor of the GPU without a copy. (The simulator has none and no such function.)"""
    return cuda.as_cuda_array(x)


@device_function
def hash_of(x: int) -> int:
    x ^= x >> 16
    x = (x * 0x7FEB352D) & 0xFFFFFFFF
    x ^= x >> 15
    # In two halves: the whole product has 64 bits, one more than a signed number.
    x = (x * 0x6CA68B + ((x * 0x84) & 0xFF) * 0x1000000) & 0xFFFFFFFF
    return x ^ (x >> 16)


@device_function
def counter_normal(seed: int, index: int) -> float:
    """See `cpu.noise.counter_normal`; Box and Muller on blocks of 1024 voxels, first cosines, then sines."""
    key = hash_of((seed + 0x9E3779B9) & 0xFFFFFFFF)
    counter = (((index >> 10) * 512 + (index & 511)) * 2) & 0xFFFFFFFF
    first, turn = hash_of(counter ^ key), hash_of(((counter + 1) & 0xFFFFFFFF) ^ key)
    radius = math.sqrt(-2.0 * math.log(((first >> 8) + 0.5) / 16777216.0))
    angle = turn * (2 * math.pi / 4294967296.0)
    return radius * (math.sin(angle) if (index >> 9) & 1 else math.cos(angle))


@device_function
def voxel_at(source: Any, ints: Any, fill: float, z: int, y: int, x: int) -> float:
    """Of the window: outside it zero or, with a border, its nearest voxel; `fill` where the window leaves its source."""
    if ints[4]:
        z = min(max(z, 0), ints[9] - 1)
        y = min(max(y, 0), ints[10] - 1)
        x = min(max(x, 0), ints[11] - 1)
    elif z < 0 or z >= ints[9] or y < 0 or y >= ints[10] or x < 0 or x >= ints[11]:
        return 0.0
    if z < ints[15] or z >= ints[16] or y < ints[17] or y >= ints[18] or x < ints[19] or x >= ints[20]:
        return fill
    return float(source[ints[0] + z * ints[12] + y * ints[13] + x * ints[14]])


@device_function
def place_on(ints: Any, axis: int, z: int, y: int, x: int) -> int:
    """In 2^-32 of a voxel."""
    row = 21 + 4 * axis
    at = ints[row] * z + ints[row + 1] * y + ints[row + 2] * x + ints[row + 3]
    if ints[4]:
        at = min(max(at, 0), (ints[9 + axis] - 1) << 32)
    return int(at)


@device_function
def nearest_index(at: int) -> int:
    """Ties go to the even voxel."""
    moved = at + (1 << 31)
    index = moved >> 32
    return index - (index & 1) if (moved & 0xFFFFFFFF) == 0 else index


@device_function
def trilinear(source: Any, ints: Any, fill: float, z: int, y: int, x: int) -> float:
    """At a place in 2^-32 of a voxel."""
    fz, fy, fx = (z & 0xFFFFFFFF) / 4294967296.0, (y & 0xFFFFFFFF) / 4294967296.0, (x & 0xFFFFFFFF) / 4294967296.0
    z, y, x = z >> 32, y >> 32, x >> 32
    total = 0.0
    for k in range(2):
        for j in range(2):
            for i in range(2):
                weight = (fz if k else 1.0 - fz) * (fy if j else 1.0 - fy) * (fx if i else 1.0 - fx)
                total += weight * voxel_at(source, ints, fill, z + k, y + j, x + i)
    return total


@device_function
def contrast(v: float, gamma: float, low: float, span: float) -> float:
    if not span <= 3.4028235e38:
        return math.nan
    t = (v - low) / (span + 1e-7)
    power = t**gamma if t > 1.2e-38 else (0.0 if gamma > 0 else 1.0)
    return power * span + low


@kernel
def make_voxels(source: Any, out: Any, fields: Any, ints: Any, reals: Any, steps: Any) -> None:
    """One channel. `source` and `out` flat, `fields` (number, voxels), `steps` (number, 5): a code and its numbers.

    `ints`: first offset, index of the first voxel for noise, voxels, mode, border, linear; shapes of output and window;
    strides; box (6); matrix (12). `reals`: fill and the least and largest value of the output.
    """
    index = cuda.grid(1)
    if index >= ints[2]:
        return
    width, height = ints[8], ints[7]
    x, line = index % width, index // width
    y, z = line % height, line // height
    if ints[3] == 0:  # only moved
        value = voxel_at(source, ints, reals[0], z, y, x)
    else:
        pz, py, px = place_on(ints, 0, z, y, x), place_on(ints, 1, z, y, x), place_on(ints, 2, z, y, x)
        if ints[5]:
            value = trilinear(source, ints, reals[0], pz, py, px)
        else:
            value = voxel_at(source, ints, reals[0], nearest_index(pz), nearest_index(py), nearest_index(px))
    for n in range(steps.shape[0]):
        code, a, b = int(steps[n, 0]), steps[n, 1], steps[n, 2]
        if code == LINEAR:
            value = value * a + b
        elif code == CLIP:
            value = a if value < a else (b if value > b else value)
        elif code == GAMMA:
            value = contrast(value, a, b, steps[n, 3])
        elif code == FIELD:
            value += fields[int(a), index]
        else:
            value += a + b * counter_normal(int(steps[n, 3]), ints[1] + index)
    if reals[1] > -math.inf:  # an integer: to the nearest even, NaN to 0
        value = float(round(min(max(value, reals[1]), reals[2]))) if value == value else 0.0
    out[index] = value
