"""Pointwise chains on float32 voxels: what each step does, and one pass over a range that does several.

Steps that need to know the image's minimum and maximum begin a new pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ..compilation import exact_kernel, fast_kernel, kernel
from ..threads import run_in_slabs
from .arrays import Floats, is_plain
from .backend import choose_backend, ops
from .elementary import exp2, log2
from .noise import add_counter_normal, fold_seed

_F = np.float32
#: Voxels. A helper may start on the caller's core and wait there for a millisecond: below this two threads were slower than one.
SMALLEST_SLAB = 1 << 18
_BLOCK = 4096  # voxels that go through all steps of a pass while the first cache holds them


@dataclass(frozen=True, slots=True)
class Linear:
    """v * scale + shift, each rounded to float32."""

    scale: float = 1.0
    shift: float = 0.0


@dataclass(frozen=True, slots=True)
class Clip:
    """min(max(v, low), high); NaN stays NaN."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Gamma:
    """((v - min) / (max - min + 1e-7)) ** gamma * (max - min) + min over the voxels at this point of the chain.

    Within 1e-6 of the range. If any voxel is NaN or the range is not finite, all become NaN. Raises ValueError for gamma < 0.
    """

    gamma: float

    def __post_init__(self) -> None:
        if not 0 <= self.gamma < math.inf:
            raise ValueError(f"gamma is {self.gamma}; it must be finite and not negative")


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Adds `values`: contiguous float32 with as many voxels."""

    values: torch.Tensor


@dataclass(frozen=True, slots=True)
class CounterNoise:
    """Adds `noise.counter_normal` of the voxel's flat index."""

    seed: int
    mean: float
    std: float


Step = Linear | Clip | Gamma | Field | CounterNoise


class Pass(NamedTuple):
    """Steps as the kernel takes them: codes (n), numbers (n, 5), seeds (n), one field (empty if none)."""

    codes: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float32]
    seeds: npt.NDArray[np.uint32]
    field: Floats
    wants_extremes: bool


_LINEAR, _CLIP, _GAMMA, _FIELD, _NOISE = range(5)
NO_FIELD = np.zeros(0, np.float32)


def can_step(x: torch.Tensor) -> bool:
    """Whether steps take this tensor."""
    return is_plain(x) and x.dtype == torch.float32 and x.is_contiguous()


def split_passes(steps: Sequence[Step]) -> list[list[Step]]:
    """Cut where minimum and maximum must be known (before each `Gamma`) and where a second field begins."""
    passes: list[list[Step]] = [[]]
    for step in steps:
        second_field = isinstance(step, Field) and any(isinstance(known, Field) for known in passes[-1])
        if isinstance(step, Gamma) or second_field:
            passes.append([])
        passes[-1].append(step)
    return passes


def encode_pass(steps: Sequence[Step], extremes: tuple[float, float], wants_extremes: bool) -> Pass:
    """`extremes`: the minimum and maximum before these steps, of which only the first may be a `Gamma`."""
    codes, numbers, seeds, field = [], [], [], NO_FIELD
    rest = list(steps)
    while rest:
        step = rest.pop(0)
        seed = 0
        row: tuple[float, ...] = (0.0,) * 5
        match step:
            case Linear(scale, shift):
                code, row = _LINEAR, (scale, shift, 0, 0, 0)
            case Clip(low, high):
                code, row = _CLIP, (low, high, 0, 0, 0)
            case Gamma(gamma):
                after = rest.pop(0) if rest and isinstance(rest[0], Linear) else Linear()
                assert isinstance(after, Linear)
                code, row = _GAMMA, _gamma_numbers(gamma, *extremes, after)
            case Field(values):
                code, field = _FIELD, values.reshape(-1).numpy()
            case CounterNoise(seed, mean, std):
                code, row = _NOISE, (mean, std, 0, 0, 0)
        codes.append(code)
        numbers.append(row)
        seeds.append(fold_seed(seed))
    return Pass(
        np.array(codes, np.int64), np.array(numbers, np.float32).reshape(-1, 5), np.array(seeds, np.uint32), field, wants_extremes
    )


def _gamma_numbers(gamma: float, low: float, high: float, after: Linear) -> tuple[float, ...]:
    """((v - low) * inverse) ** gamma * scale + shift."""
    span = float(_F(high) - _F(low))
    if not math.isfinite(span):
        return (gamma, 0.0, 0.0, math.nan, math.nan)
    return (gamma, low, 1.0 / float(_F(span + 1e-7)), span * after.scale, low * after.scale + after.shift)


def apply_steps(
    x: torch.Tensor, steps: Sequence[Step], *, out: torch.Tensor | None = None, threads: int | None = None
) -> torch.Tensor:
    """The chain on `x` (contiguous float32), in `out` (which may be `x`) or a new tensor. Raises ValueError for other tensors."""
    if not can_step(x):
        raise ValueError(f"steps take contiguous float32 on the CPU, not {x.dtype} of strides {x.stride()}")
    if out is None:
        out = torch.empty_like(x)
    elif not can_step(out) or out.shape != x.shape:
        raise ValueError(f"the output is {out.dtype} of shape {tuple(out.shape)}, expected float32 of shape {tuple(x.shape)}")
    check_steps(steps, x.numel())
    source, target = x.view(-1).numpy(), out.view(-1).numpy()
    run_passes(source, target, split_passes(steps), None, threads)
    return out


def check_steps(steps: Sequence[Step], voxels: int) -> None:
    """Raises ValueError for a field that does not fit."""
    for step in steps:
        if isinstance(step, Field) and (not can_step(step.values) or step.values.numel() != voxels):
            raise ValueError(f"a field of {step.values.numel()} voxels of {step.values.dtype} for {voxels} of float32")


def run_passes(
    source: Floats, target: Floats, passes: Sequence[Sequence[Step]], extremes: tuple[float, float] | None, threads: int | None
) -> None:
    """`extremes` of the source, if they are known already; each pass after the first reads what the one before wrote."""
    choose_backend()
    for number, steps in enumerate(passes):
        if not steps and number + 1 < len(passes) and extremes is None:
            extremes = find_extremes(source, threads)  # the first step of all is a gamma
            continue
        if not steps and (number + 1 < len(passes) or source is target):
            continue
        coded = encode_pass(steps, extremes or (0.0, 0.0), number + 1 < len(passes) and isinstance(passes[number + 1][0], Gamma))

        def slab(start: int, stop: int, reading: Floats = source, coded: Pass = coded) -> tuple[float, float]:
            return step_range(reading, target, reading is target, start, stop, *coded)

        extremes, source = merge_extremes(run_in_slabs(slab, target.size, SMALLEST_SLAB, threads)), target


def min_max(x: torch.Tensor, *, threads: int | None = None) -> tuple[float, float]:
    """Of contiguous float32; NaN if any voxel is. Raises ValueError for other or empty tensors."""
    if not can_step(x) or not x.numel():
        raise ValueError(f"no extremes of {x.dtype} of shape {tuple(x.shape)}")
    choose_backend()
    return find_extremes(x.view(-1).numpy(), threads)


def find_extremes(x: Floats, threads: int | None) -> tuple[float, float]:
    return merge_extremes(run_in_slabs(lambda start, stop: extremes_of(x, start, stop), x.size, SMALLEST_SLAB, threads))


def merge_extremes(found: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """NaN wins."""
    if not found:
        return 0.0, 0.0
    return float(np.min([low for low, _ in found])), float(np.max([high for _, high in found]))


@kernel
def extremes_of(x: Floats, start: int, stop: int) -> tuple[float, float]:
    """Minimum and maximum of x[start:stop], (inf, -inf) if empty, NaN if any voxel is."""
    lanes = np.empty(48, np.float32)
    lanes[:16], lanes[16:32], lanes[32:] = np.inf, -np.inf, 0.0
    count = stop - start
    ops.row_extremes(x, start, count, lanes)
    for i in range(stop - count % 16, stop):
        v = x[i]
        lanes[0] = v if v < lanes[0] else lanes[0]
        lanes[16] = v if v > lanes[16] else lanes[16]
        lanes[32] = v if v != v else lanes[32]
    low, high, bad = lanes[0], lanes[16], lanes[32]
    for i in range(16):
        low, high = min(low, lanes[i]), max(high, lanes[16 + i])
        bad = lanes[32 + i] if lanes[32 + i] != 0 else bad
    return (low, high) if bad == 0 else (bad, bad)


@fast_kernel
def _gamma(x: Floats, gamma: np.float32, low: np.float32, inverse: np.float32, scale: np.float32, shift: np.float32) -> None:
    tiny = _F(1.2e-38)
    floor = _F(0) if gamma > _F(0) else _F(1)  # 0 ** gamma
    for i in range(x.size):
        v = (x[i] - low) * inverse
        power = exp2(gamma * log2(max(v, tiny))) if v > tiny else floor
        x[i] = power * scale + shift


@exact_kernel
def step_range(
    source: Floats,
    out: Floats,
    in_place: bool,
    start: int,
    stop: int,
    codes: npt.NDArray[np.int64],
    numbers: Floats,
    seeds: npt.NDArray[np.uint32],
    field: Floats,
    wants_extremes: bool,
) -> tuple[float, float]:
    """Voxels start..stop of `source` through one pass into `out`; their extremes afterwards, if wanted.

    `in_place`: the two are the same memory. Loops over two arrays that may be one are not vectorised, so every step works on
    `out` alone.
    """
    low, high = math.inf, -math.inf
    for first in range(start, stop, _BLOCK):
        count = min(_BLOCK, stop - first)
        if not in_place:
            ops.row_copy(out, first, source, first, count, False)
        x = out[first : first + count]
        for n in range(codes.size):
            a, b = numbers[n, 0], numbers[n, 1]
            if codes[n] == _LINEAR:
                ops.row_linear(x, 0, x, 0, count, a, b, False, False)
            elif codes[n] == _CLIP:
                for i in range(count):
                    v = x[i]
                    v = a if v < a else v
                    x[i] = b if v > b else v
            elif codes[n] == _GAMMA:
                _gamma(x, a, b, numbers[n, 2], numbers[n, 3], numbers[n, 4])
            elif codes[n] == _FIELD:
                values = field[first : first + count]
                for i in range(count):
                    x[i] += values[i]
            elif codes[n] == _NOISE:
                add_counter_normal(seeds[n], a, b, out, first, first + count)
        if wants_extremes:
            least, most = extremes_of(out, first, first + count)
            low = least if least < low or least != least else low
            high = most if most > high or most != most else high
    return low, high
