"""Intensity steps as values: what is done to each voxel after it was moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .. import cpu
from .noise import Draw


@dataclass(frozen=True, slots=True)
class Scale:
    """v * scale + shift, rounded to float32 after each."""

    scale: float
    shift: float
    placed = False
    needs_all = False


@dataclass(frozen=True, slots=True)
class Limit:
    low: float
    high: float
    placed = False
    needs_all = False


@dataclass(frozen=True, slots=True)
class Contrast:
    """MONAI's AdjustContrast, which looks at the smallest and largest value of the whole image."""

    gamma: float
    placed = False
    needs_all = True


@dataclass(frozen=True, slots=True)
class Noise:
    """A field in the voxel order of this moment, so nothing may be moved after it."""

    draw: Draw
    placed = True
    needs_all = True


Point = Scale | Limit | Contrast | Noise


def join(points: list[Point], point: Point) -> None:
    """Append `point`; a shift after a scale becomes part of it, which rounds the same."""
    if isinstance(point, Scale):
        if point.scale == 1.0 and point.shift == 0.0:
            return
        if points and isinstance(points[-1], Scale) and points[-1].shift == 0.0 and point.scale == 1.0:
            points[-1] = Scale(points[-1].scale, point.shift)
            return
    points.append(point)


def apply_plainly(values: torch.Tensor, points: list[Point]) -> torch.Tensor:
    """By torch, as MONAI writes it: for images so small that calling a kernel costs more."""
    for point in points:
        match point:
            case Scale():
                values = values * point.scale if point.scale != 1.0 else values
                values = values + point.shift if point.shift != 0.0 else values
            case Limit():
                values = values.clip(point.low, point.high)
            case Contrast():
                low = values.min()
                span = values.max() - low
                values = ((values - low) / float(span + 1e-7)) ** point.gamma * span + low
            case Noise():
                values = values + point.draw.field()
    return values


def kernel_steps(points: Sequence[Point], target: torch.Tensor | None, device: torch.device | None = None) -> tuple[cpu.Step, ...]:
    """For the kernels. The field of a first noise is drawn into `target` itself, which is where they like it best.

    Exact noise is drawn on the CPU, in its order, and brought to `device`, if given.
    """
    steps: list[cpu.Step] = []
    for i, point in enumerate(points):
        match point:
            case Scale():
                steps.append(cpu.Linear(point.scale, point.shift))
            case Limit():
                steps.append(cpu.Clip(point.low, point.high))
            case Contrast():
                steps.append(cpu.Gamma(point.gamma))
            case Noise():
                draw = point.draw
                if draw.seed is not None:
                    steps.append(cpu.CounterNoise(draw.seed, draw.mean, draw.std))
                else:
                    field = draw.field(target if i == 0 and not draw.shared else None)
                    steps.append(cpu.Field(field if device is None else field.to(device)))
    return tuple(steps)
