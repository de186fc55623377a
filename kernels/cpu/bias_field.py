"""Multiplication by the exponential of a smooth polynomial field, evaluated row by row from one table for each axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from ..compilation import fast_kernel
from ..threads import run_in_slabs
from .arrays import Floats
from .elementary import exp2
from .intensity import can_step

Doubles = npt.NDArray[np.float64]

#: The largest |field| that keeps the result within 2e-6 of its value.
LARGEST_FIELD = 16.0
_LOG2_E = 1.4426950408889634
_SMALLEST_SLAB = 1 << 16  # voxels


def apply_bias_field(x: torch.Tensor, coefficients: Doubles, tables: Sequence[Doubles]) -> torch.Tensor:
    """x * exp(sum of coefficients[i, j, k] * tables[0][i, z] * tables[1][j, y] * tables[2][k, x]), to a relative 2e-6.

    `x` (C, H, W) or (C, D, H, W) is contiguous float32; `tables` hold one row for each basis function and one column for each
    voxel along the axis. The sum must stay below `LARGEST_FIELD`. Raises ValueError where shapes do not fit.
    """
    if not can_step(x) or x.ndim not in (3, 4) or len(tables) != x.ndim - 1 or coefficients.ndim != len(tables):
        raise ValueError(f"no field of {coefficients.ndim} axes for {x.dtype} of shape {tuple(x.shape)}")
    if any(t.shape != shape for t, shape in zip(tables, zip(coefficients.shape, x.shape[1:], strict=True), strict=True)):
        raise ValueError("a table does not fit the image or the coefficients")
    out = torch.empty_like(x)
    if not x.numel():
        return out
    if x.ndim == 3:
        coefficients, tables = coefficients[None], [np.ones((1, 1)), *tables]
    along_z, along_y = (np.ascontiguousarray(t, np.float64) for t in tables[:2])
    along_x = np.ascontiguousarray(tables[2], np.float32)
    factors = np.ascontiguousarray(coefficients * _LOG2_E, np.float64)
    source, target, channels, width = x.view(-1).numpy(), out.view(-1).numpy(), x.shape[0], x.shape[-1]

    def work(start: int, stop: int) -> None:
        multiply_rows(source, target, start, stop, channels, factors, along_z, along_y, along_x)

    run_in_slabs(work, x[0].numel() // width, -(-_SMALLEST_SLAB // (width * channels)))
    return out


@fast_kernel
def multiply_rows(
    source: Floats,
    out: Floats,
    start: int,
    stop: int,
    channels: int,
    factors: Doubles,
    along_z: Doubles,
    along_y: Doubles,
    along_x: Floats,
) -> None:
    """Rows start..stop of each channel; `factors` already for powers of two."""
    height, width = along_y.shape[1], along_x.shape[1]
    size = along_z.shape[1] * height * width
    _, terms_y, terms_x = factors.shape
    field = np.empty(width, np.float32)
    plane = np.empty((terms_y, terms_x), np.float64)
    known = -1
    for r in range(start, stop):
        z, y = r // height, r % height
        if z != known:
            known = z
            plane[:] = 0.0
            for i in range(factors.shape[0]):
                for j in range(terms_y):
                    for k in range(terms_x):
                        plane[j, k] += factors[i, j, k] * along_z[i, z]
        for k in range(terms_x):
            total = 0.0
            for j in range(terms_y):
                total += plane[j, k] * along_y[j, y]
            weight, basis = np.float32(total), along_x[k]
            if k == 0:
                for i in range(width):
                    field[i] = weight * basis[i]
            else:
                for i in range(width):
                    field[i] += weight * basis[i]
        for i in range(width):
            field[i] = exp2(field[i])
        for c in range(channels):
            begin = c * size + r * width
            reading, to = source[begin : begin + width], out[begin : begin + width]
            for i in range(width):
                to[i] = reading[i] * field[i]
