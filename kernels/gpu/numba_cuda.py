"""A second backend: the arithmetic of `source/rows.cuh` in numba, one thread a voxel, one launch for each channel and pass.

It is the readable form of the same, and runs without a GPU under numba's simulator (NUMBA_ENABLE_CUDASIM=1), where the tensors
are those of the CPU. Slower than the CUDA C++.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from ..cpu.arrays import value_of
from ..cpu.intensity import Clip, CounterNoise, Field, Gamma, Linear, Step
from ..cpu.noise import fold_seed
from ..cpu.part import Part
from ..cpu.window import Window
from . import numba_kernel as kernel
from .geometry import Map, map_of
from .plan import split_passes
from .sample import Sample, check_sample

#: Voxels of sources and outputs.
DTYPES = (torch.float32, torch.int16, torch.uint8)
_THREADS = 64

Coded = tuple[int, float, float, float, float]


def run_batch(samples: Sequence[Sample]) -> None:
    """As `gpu.run_batch`, on numba's default stream. Raises ValueError as it does, and for other dtypes than `DTYPES`."""
    for sample in samples:
        for part in sample.parts:
            if part.source.dtype not in DTYPES or part.out.dtype not in DTYPES:
                raise ValueError(f"cannot take {part.source.dtype} to {part.out.dtype}, only {DTYPES}")
            check_sample(sample, part.source.device)
    for sample in samples:
        for part in sample.parts:
            if part.out.numel():
                _run(part, map_of(sample, tuple(part.out.shape[1:])))


def _run(part: Part, place: Map) -> None:
    passes = split_passes(part.steps)
    draft = part.out
    if len(passes) > 1 and draft.dtype != torch.float32:  # rounded once, at the end
        draft = torch.empty(draft.shape, dtype=torch.float32, device=draft.device)
    fill = float(value_of(part.fill, part.source.dtype))
    _launch(part.source, draft, place, (part.border, part.linear, fill), _coded(passes[0], None), passes[0])
    moving = Map.moving(Window.whole(tuple(draft.shape[1:])))
    for number, steps in enumerate(passes[1:], 1):
        low, high = (float(v) for v in draft.aminmax())
        out = part.out if number + 1 == len(passes) else draft
        _launch(draft, out, moving, (False, True, 0.0), _coded(steps, (low, high)), steps)


def _launch(
    source: torch.Tensor,
    out: torch.Tensor,
    place: Map,
    reading: tuple[bool, bool, float],
    coded: Sequence[Coded],
    steps: Sequence[Step],
) -> None:
    """`reading`: border, linear and fill."""
    border, linear, fill = reading
    gather = place.window.gather(source.stride()[1:])
    voxels = math.prod(place.shape)
    fields = [step.values.reshape(source.shape[0], voxels) for step in steps if isinstance(step, Field)]
    bounds = (-math.inf, math.inf)
    if not out.dtype.is_floating_point:
        bounds = torch.iinfo(out.dtype).min, torch.iinfo(out.dtype).max
    for c in range(source.shape[0]):
        places = [gather.first, c * voxels, voxels, place.mode, border, linear]
        shapes = [*place.shape, *gather.shape, *gather.strides, *gather.box]
        added = torch.stack([field[c] for field in fields]) if fields else torch.zeros((1, 1), device=out.device)
        kernel.make_voxels[-(-voxels // _THREADS), _THREADS](
            _readable(source[c]),
            _array(out[c].reshape(-1)),
            _array(added),
            kernel.to_device(np.array([*places, *shapes, *place.matrix], np.int64)),
            kernel.to_device(np.array([fill, *bounds], np.float64)),
            kernel.to_device(np.array(coded, np.float64).reshape(-1, 5)),
        )


def _readable(channel: torch.Tensor) -> object:
    """The memory that a channel reaches over, flat."""
    reach = 1 + sum((n - 1) * stride for n, stride in zip(channel.shape, channel.stride(), strict=True))
    return _array(channel.as_strided((reach,), (1,)))


def _array(x: torch.Tensor) -> object:
    """As numba takes it, without a copy."""
    return kernel.as_device_array(x) if x.is_cuda else x.numpy()


def _coded(steps: Sequence[Step], extremes: tuple[float, float] | None) -> list[Coded]:
    coded: list[Coded] = []
    fields = 0
    for step in steps:
        match step:
            case Linear(scale, shift):
                coded.append((kernel.LINEAR, scale, shift, 0, 0))
            case Clip(low, high):
                coded.append((kernel.CLIP, low, high, 0, 0))
            case Gamma(gamma):
                low, high = extremes or (0.0, 0.0)
                coded.append((kernel.GAMMA, gamma, low, float(np.float32(high) - np.float32(low)), 0))
            case Field():
                coded.append((kernel.FIELD, fields, 0, 0, 0))
                fields += 1
            case CounterNoise(seed, mean, std):
                coded.append((kernel.NOISE, mean, std, int(fold_seed(seed)), 0))
    return coded
