"""A piecewise linear map of intensities, and order statistics from a histogram of the bits of the voxels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import get_ident

import numpy as np
import numpy.typing as npt
import torch

from ..compilation import exact_kernel
from ..threads import run_in_slabs
from .arrays import Floats
from .intensity import SMALLEST_SLAB, can_step

_F = np.float32
_BLOCK = 2048  # voxels whose slopes and intercepts the first cache holds
_BINS = 1 << 16
_EVERY = -1
_MINUS_INFINITY, _INFINITY = 0x007F, 0xFF80  # their bins

Counts = npt.NDArray[np.int64]


def map_piecewise(x: torch.Tensor, knots: Floats, slopes: Floats, intercepts: Floats, ends: tuple[float, float]) -> torch.Tensor:
    """slopes[i] * v + intercepts[i] for v in (knots[i], knots[i + 1]], both operations rounded to float32.

    Below the first of the n ascending knots ends[0], above the last ends[1]; there are n - 1 slopes. NaN stays NaN.

    Raises ValueError unless the tensors are contiguous float32 and the tables fit each other.
    """
    if not can_step(x) or not knots.size - 1 == slopes.size == intercepts.size or knots.size < 2:
        raise ValueError(f"cannot map {x.dtype} of shape {tuple(x.shape)} by {knots.size} knots and {slopes.size} slopes")
    out = torch.empty_like(x)
    source, target = x.view(-1).numpy(), out.view(-1).numpy()
    tables = [np.ascontiguousarray(table, np.float32) for table in (knots, slopes, intercepts)]
    low, high = _F(ends[0]), _F(ends[1])

    def work(start: int, stop: int) -> None:
        map_range(source, target, start, stop, tables[0], tables[1], tables[2], low, high)

    run_in_slabs(work, source.size, SMALLEST_SLAB)
    return out


def order_statistics(x: torch.Tensor, ranks: Sequence[int]) -> list[float] | None:
    """The values that stand at `ranks` (from 0) once the voxels are sorted; None if one is NaN.

    Raises ValueError unless `x` is contiguous float32 and holds that many voxels.
    """
    if not can_step(x) or not ranks or not all(0 <= rank < x.numel() for rank in ranks):
        raise ValueError(f"no ranks {list(ranks)} in {x.dtype} of shape {tuple(x.shape)}")
    bits = x.view(-1).numpy().view(np.int32)
    high = np.cumsum(_counted(bits, _EVERY))
    known: dict[int, Counts] = {}

    def low(bin_: int) -> Counts:
        if bin_ not in known:
            known[bin_] = np.cumsum(_counted(bits, bin_))
        return known[bin_]

    if _holds_nan(high, low):
        return None
    found = []
    for rank in ranks:
        bin_ = int(np.searchsorted(high, rank, side="right"))
        before = int(high[bin_ - 1]) if bin_ else 0
        found.append(_value(bin_ << 16 | int(np.searchsorted(low(bin_), rank - before, side="right"))))
    return found


def _holds_nan(high: Counts, low: Callable[[int], Counts]) -> bool:
    """NaN lies outside the bins of the infinities or beside them inside: -inf is the last of its bin, inf the first."""
    if high[_MINUS_INFINITY - 1] or high[-1] > high[_INFINITY]:
        return True
    if high[_MINUS_INFINITY] and low(_MINUS_INFINITY)[-2]:
        return True
    return bool(high[_INFINITY] > high[_INFINITY - 1]) and bool(low(_INFINITY)[-1] > low(_INFINITY)[0])


def _counted(bits: npt.NDArray[np.int32], wanted: int) -> Counts:
    parts: dict[int, Counts] = {}

    def work(start: int, stop: int) -> None:
        thread = get_ident()
        if thread not in parts:
            parts[thread] = np.zeros(_BINS, np.int64)
        count_bins(bits, start, stop, wanted, parts[thread])

    run_in_slabs(work, bits.size, SMALLEST_SLAB)
    total: Counts = np.sum(list(parts.values()), axis=0)
    return total


def _value(key: int) -> float:
    bits = key ^ 0x80000000 if key & 0x80000000 else key ^ 0xFFFFFFFF
    return float(np.array(bits, np.uint32).view(np.float32))


@exact_kernel
def map_range(
    source: Floats,
    out: Floats,
    start: int,
    stop: int,
    knots: Floats,
    slopes: Floats,
    intercepts: Floats,
    low: np.float32,
    high: np.float32,
) -> None:
    """See `map_piecewise`."""
    slope, intercept = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.float32)
    bottom, top = knots[0], knots[knots.size - 1]
    for first in range(start, stop, _BLOCK):
        n = min(_BLOCK, stop - first)
        reading, to = source[first : first + n], out[first : first + n]
        for i in range(n):
            slope[i], intercept[i] = slopes[0], intercepts[0]
        for k in range(1, slopes.size):
            knot, m, b = knots[k], slopes[k], intercepts[k]
            for i in range(n):
                v = reading[i]
                slope[i] = m if v > knot else slope[i]
                intercept[i] = b if v > knot else intercept[i]
        for i in range(n):
            v = reading[i]
            mapped = slope[i] * v + intercept[i]
            mapped = low if v < bottom else mapped
            to[i] = high if v > top else mapped


@exact_kernel
def count_bins(bits: npt.NDArray[np.int32], start: int, stop: int, wanted: int, counts: Counts) -> None:
    """Add to `counts` how many voxels share their upper 16 bits, or, of those whose upper bits are `wanted`, their lower 16 bits.

    The bits are turned so that their order is that of the values: all of a negative number, the sign of any other.
    """
    part = bits[start:stop]
    for i in range(part.size):
        b = part[i]
        key = np.int64(np.int32(b ^ ((b >> np.int32(31)) | np.int32(-0x80000000)))) & np.int64(0xFFFFFFFF)
        if wanted < 0:
            counts[np.uint64(key) >> np.uint64(16)] += 1
        elif key >> 16 == wanted:
            counts[np.uint64(key) & np.uint64(0xFFFF)] += 1
