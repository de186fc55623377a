"""Rescaling of float32 voxels to a range or to zero mean and unit deviation, and the statistics that it takes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch

from ..compilation import exact_kernel, fast_kernel
from ..threads import run_in_slabs
from .arrays import Floats
from .intensity import SMALLEST_SLAB, can_step

_F = np.float32
_CANCELLING = 1e4  # mean squared / variance
_BLOCK = 4096  # voxels that go through all steps while the first cache holds them


class Moments(NamedTuple):
    """The number of voxels, their mean and their variance (divided by the count); NaN where there were none."""

    size: int
    mean: float
    variance: float

    def deviation(self, *, unbiased: bool = False) -> float:
        """The standard deviation; `unbiased` divides by one voxel less."""
        if not unbiased:
            return math.sqrt(self.variance)
        return math.sqrt(self.variance * self.size / (self.size - 1)) if self.size > 1 else math.nan


def moments(x: torch.Tensor, *, nonzero: bool = False) -> Moments:
    """Of contiguous float32, summed in float64; `nonzero` leaves out voxels equal to 0. Raises ValueError for other tensors."""
    _check(x)
    flat = x.view(-1).numpy()
    found = _moments(flat, 0.0, nonzero)
    if found.mean * found.mean > _CANCELLING * found.variance and math.isfinite(found.mean):
        found = _moments(flat, found.mean, nonzero)  # the squares around zero have cancelled out
    return found


def _moments(flat: Floats, pivot: float, nonzero: bool) -> Moments:
    found = run_in_slabs(lambda start, stop: _sums(flat, start, stop, pivot, nonzero), flat.size, SMALLEST_SLAB)
    size, total, squares = (sum(column) for column in zip(*found, strict=True))
    if size == 0:
        return Moments(0, math.nan, math.nan)
    mean = total / size
    variance = squares / size - mean * mean
    return Moments(int(size), pivot + mean, max(variance, 0.0) if variance == variance else math.nan)


def standardize(
    x: torch.Tensor, shift: float, divisor: float, *, nonzero: bool = False, out: torch.Tensor | None = None
) -> torch.Tensor:
    """(v - shift) / divisor, each rounded to float32; `nonzero` keeps voxels equal to 0 as they are.

    `out` may be `x`. Raises ValueError unless both are contiguous float32 of one shape.
    """
    return _mapped(x, out, nonzero, (shift, divisor, 1.0, 0.0, -math.inf, math.inf), affine=False, clips=False)


def rescale(
    x: torch.Tensor,
    shift: float,
    divisor: float,
    target: tuple[float, float] | None = None,
    clip: tuple[float, float] | None = None,
    *,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """(v - shift) / divisor, then * target[0] + target[1], then clipped, each rounded to float32; NaN stays NaN.

    `out` may be `x`. Raises ValueError unless both are contiguous float32 of one shape.
    """
    numbers = (shift, divisor, *(target or (1.0, 0.0)), *(clip or (-math.inf, math.inf)))
    return _mapped(x, out, False, numbers, affine=target is not None, clips=clip is not None)


def _mapped(
    x: torch.Tensor, out: torch.Tensor | None, nonzero: bool, numbers: tuple[float, ...], *, affine: bool, clips: bool
) -> torch.Tensor:
    _check(x)
    if out is None:
        out = torch.empty_like(x)
    _check(out)
    if out.shape != x.shape:
        raise ValueError(f"the output is of shape {tuple(out.shape)}, expected {tuple(x.shape)}")
    source, target, row = x.view(-1).numpy(), out.view(-1).numpy(), np.array(numbers, np.float32)
    run_in_slabs(lambda start, stop: _map(source, target, start, stop, row, nonzero, affine, clips), source.size, SMALLEST_SLAB)
    return out


def _check(x: torch.Tensor) -> None:
    if not can_step(x):
        raise ValueError(f"expected contiguous float32 on the CPU, not {x.dtype} of strides {x.stride()}")


@fast_kernel
def _sums(x: Floats, start: int, stop: int, pivot: float, nonzero: bool) -> tuple[float, float, float]:
    """Number of voxels, sum and sum of squares of their distances from `pivot`."""
    part = x[start:stop]
    count, total, squares = float(part.size), 0.0, 0.0
    if nonzero:
        count = 0.0
        for i in range(part.size):
            v = part[i]
            kept = 0.0 if v == _F(0) else 1.0
            d = 0.0 if v == _F(0) else np.float64(v) - pivot
            count += kept
            total += d
            squares += d * d
    else:
        for i in range(part.size):
            d = np.float64(part[i]) - pivot
            total += d
            squares += d * d
    return count, total, squares


@exact_kernel
def _map(source: Floats, out: Floats, start: int, stop: int, numbers: Floats, nonzero: bool, affine: bool, clips: bool) -> None:
    shift, divisor, scale, offset, low, high = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    held = np.empty(_BLOCK, np.float32)  # an `out` that may be `source` would not be vectorised
    for first in range(start, stop, _BLOCK):
        n = min(_BLOCK, stop - first)
        reading, to = source[first : first + n], out[first : first + n]
        if nonzero:
            for i in range(n):
                v = reading[i]
                held[i] = v if v == _F(0) else (v - shift) / divisor
        else:
            for i in range(n):
                held[i] = (reading[i] - shift) / divisor
        if affine:
            for i in range(n):
                held[i] = held[i] * scale + offset
        if clips:
            for i in range(n):
                v = held[i]
                v = low if v < low else v
                held[i] = high if v > high else v
        for i in range(n):
            to[i] = held[i]
