"""Separable convolution with symmetric kernels: the three axes in one go, plane by plane, while the caches hold the planes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from ..compilation import kernel
from ..threads import run_in_slabs
from .arrays import Floats
from .intensity import can_step

Weights = npt.NDArray[np.float32]

_BLOCK = 2048  # voxels whose sums the first cache holds
_SMALLEST_SLAB = 1 << 15  # voxels


def smooth(x: torch.Tensor, weights: Sequence[Weights]) -> torch.Tensor:
    """`x` (C, H, W) or (C, D, H, W) convolved along each spatial axis, zeros outside the image.

    `weights[axis]` is one half of a symmetric kernel, the centre first: the taps at distance 0, 1, 2, ... float32. A sum is
    taken in float32. Raises ValueError unless `x` is contiguous float32 with one kernel for each spatial axis.
    """
    if not can_step(x) or x.ndim not in (3, 4) or len(weights) != x.ndim - 1 or any(w.size == 0 for w in weights):
        raise ValueError(f"cannot smooth {x.dtype} of shape {tuple(x.shape)} with {len(weights)} kernels")
    out = torch.empty_like(x)
    if not x.numel():
        return out
    halves = [np.ascontiguousarray(w, np.float32) for w in weights]
    if x.ndim == 3:  # the rows of a 2-D image as planes of one row, so that they are spread over the threads
        halves.insert(1, np.ones(1, np.float32))
        shape = (x.shape[1], 1, x.shape[2])
    else:
        shape = (x.shape[1], x.shape[2], x.shape[3])
    source, target = x.view(-1).numpy(), out.view(-1).numpy()
    plane = shape[1] * shape[2]

    def work(start: int, stop: int) -> None:
        smooth_planes(source, target, start, stop, *shape, *halves)

    run_in_slabs(work, x.shape[0] * shape[0], -(-_SMALLEST_SLAB // plane))
    return out


@kernel
def _add_pairs(to: Floats, around: Floats, centre: int, step: int, first: int, last: int, half: Weights) -> None:
    """to[i] += half[k] * (around[centre - k * step + i] + around[centre + k * step + i]) for k = first..last - 1."""
    n = to.size
    k = first
    while k + 1 < last:
        near, far = k * step, (k + 1) * step
        a, b = around[centre - near : centre - near + n], around[centre + near : centre + near + n]
        c, d = around[centre - far : centre - far + n], around[centre + far : centre + far + n]
        p, q = half[k], half[k + 1]
        for i in range(n):
            to[i] += p * (a[i] + b[i]) + q * (c[i] + d[i])
        k += 2
    if k < last:
        near = k * step
        a, b = around[centre - near : centre - near + n], around[centre + near : centre + near + n]
        p = half[k]
        for i in range(n):
            to[i] += p * (a[i] + b[i])


@kernel
def _scaled(to: Floats, row: Floats, weight: np.float32) -> None:
    for i in range(to.size):
        to[i] = weight * row[i]


@kernel
def smooth_planes(
    source: Floats,
    out: Floats,
    start: int,
    stop: int,
    depth: int,
    height: int,
    width: int,
    along_z: Weights,
    along_y: Weights,
    along_x: Weights,
) -> None:
    """Planes start..stop of all channels, which follow each other in memory."""
    plane = height * width
    reach_y, reach_x = along_y.size - 1, along_x.size - 1
    planes = np.zeros(plane + 2 * reach_y * width, np.float32)  # zeros above and below
    row = np.zeros(width + 2 * reach_x, np.float32)  # zeros left and right
    for number in range(start, stop):
        z = number % depth
        begin = number * plane
        reach_z = along_z.size - 1
        both = min(reach_z, min(z, depth - 1 - z))
        for first in range(0, plane, _BLOCK):
            last = min(first + _BLOCK, plane)
            to = planes[reach_y * width + first : reach_y * width + last]
            _scaled(to, source[begin + first : begin + last], along_z[0])
            _add_pairs(to, source, begin + first, plane, 1, both + 1, along_z)
            for k in range(both + 1, reach_z + 1):
                for direction in (-1, 1):
                    other = z + direction * k
                    if 0 <= other < depth:
                        at = begin + direction * k * plane
                        weight, beside = along_z[k], source[at + first : at + last]
                        for i in range(last - first):
                            to[i] += weight * beside[i]
        for y in range(height):
            middle = row[reach_x : reach_x + width]
            here = (reach_y + y) * width
            _scaled(middle, planes[here : here + width], along_y[0])
            _add_pairs(middle, planes, here, width, 1, reach_y + 1, along_y)
            to = out[begin + y * width : begin + (y + 1) * width]
            _scaled(to, middle, along_x[0])
            _add_pairs(to, row, reach_x, 1, 1, reach_x + 1, along_x)
