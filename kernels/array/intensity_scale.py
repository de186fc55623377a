"""Scales and shifts of intensities of single images.

What is one operation in torch stays torch's, on the bare voxels: the time goes into MONAI's metadata there. What is several is
one pass of a kernel that rounds after each of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, cast

import monai.transforms as mt
import torch
from monai.utils import get_equivalent_dtype

from ..cpu.intensity import min_max
from ..cpu.normalize import Moments, moments, rescale, standardize
from ..tracking import Inner, tracked, with_metadata
from .intensity_images import float_voxels, gives_float32, is_number, per_channel, voxels_of


class ShiftIntensity(mt.ShiftIntensity):
    """`monai.transforms.ShiftIntensity`, bit for bit."""

    def __call__(self, img: torch.Tensor, offset: float | None = None) -> torch.Tensor:
        img = tracked(img)
        shift = self.offset if offset is None else offset
        voxels = None if self.safe or not is_number(shift) else voxels_of(img)
        if voxels is None:
            return cast(torch.Tensor, super().__call__(img, offset))
        return with_metadata((voxels + shift).to(voxels.dtype), img)


class RandShiftIntensity(mt.RandShiftIntensity):
    """`monai.transforms.RandShiftIntensity` with the same draws, bit for bit."""

    _shifter = Inner(ShiftIntensity)

    def __call__(self, img: torch.Tensor, factor: float | None = None, randomize: bool = True) -> torch.Tensor:
        img = tracked(img)
        if randomize:
            self.randomize(img)
        if self._do_transform and self.channel_wise and factor is None and not self._shifter.safe:
            voxels = voxels_of(img)
            offsets = None if voxels is None else per_channel(self._offset, voxels)
            if voxels is not None and offsets is not None:
                return with_metadata(voxels + offsets, img)
        return cast(torch.Tensor, super().__call__(img, factor, randomize=False))


class ScaleIntensity(mt.ScaleIntensity):
    """`monai.transforms.ScaleIntensity`, bit for bit."""

    def __call__(self, img: torch.Tensor) -> torch.Tensor:
        img = tracked(img)
        if self.minv is None and self.maxv is None:
            scaled = self._multiplied(img)
        elif gives_float32(self.dtype, img):
            scaled = self._to_range(img)
        else:
            scaled = None
        return cast(torch.Tensor, super().__call__(img)) if scaled is None else with_metadata(scaled, img)

    def _multiplied(self, img: torch.Tensor) -> torch.Tensor | None:
        voxels = voxels_of(img) if is_number(self.factor) else None
        if voxels is None or self.factor is None:
            return None
        dtype = voxels.dtype if self.dtype is None else get_equivalent_dtype(self.dtype, torch.Tensor)
        return cast(torch.Tensor, (voxels * (1 + self.factor)).to(dtype))

    def _to_range(self, img: torch.Tensor) -> torch.Tensor | None:
        voxels = float_voxels(img, convert=True)
        if voxels is None or not (self.minv is None or is_number(self.minv)) or not (self.maxv is None or is_number(self.maxv)):
            return None
        if not self.channel_wise:
            return self._one_range(voxels)
        out = torch.empty_like(voxels)
        for channel, to in zip(voxels, out, strict=True):
            self._one_range(channel, to)
        return out

    def _one_range(self, voxels: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        low, high = min_max(voxels)
        out = torch.empty_like(voxels) if out is None else out
        if low == high:
            return torch.mul(voxels, 1 if self.minv is None else self.minv, out=out)
        width = torch.tensor(high) - torch.tensor(low)
        target = None if self.minv is None or self.maxv is None else (self.maxv - self.minv, self.minv)
        return rescale(voxels, low, float(width), target, out=out)


class RandScaleIntensity(mt.RandScaleIntensity):
    """`monai.transforms.RandScaleIntensity` with the same draws, bit for bit."""

    def __call__(self, img: torch.Tensor, randomize: bool = True) -> torch.Tensor:
        img = tracked(img)
        if randomize:
            self.randomize(img)
        if not self._do_transform:
            return cast(torch.Tensor, super().__call__(img, randomize=False))
        if not self.channel_wise:
            return ScaleIntensity(minv=None, maxv=None, factor=self.factor, dtype=self.dtype)(img)
        voxels = voxels_of(img) if gives_float32(self.dtype, img) and isinstance(self.factor, list) else None
        factors = None if voxels is None else per_channel([1 + factor for factor in self.factor], voxels)
        if voxels is None or factors is None:
            return cast(torch.Tensor, super().__call__(img, randomize=False))
        return with_metadata(voxels * factors, img)


class ScaleIntensityRange(mt.ScaleIntensityRange):
    """`monai.transforms.ScaleIntensityRange`, bit for bit."""

    def __call__(self, img: torch.Tensor) -> torch.Tensor:
        img = tracked(img)
        voxels = float_voxels(img) if gives_float32(self.dtype, img) else None
        target = range_target(self.b_min, self.b_max, self.clip)
        known = is_number(self.a_min) and is_number(self.a_max) and self.a_max - self.a_min != 0
        if voxels is None or target is None or not known:
            return cast(torch.Tensor, super().__call__(img))
        return with_metadata(rescale(voxels, self.a_min, self.a_max - self.a_min, target.stretch, target.limits), img)


class Target(NamedTuple):
    """The arguments `target` and `clip` of `rescale`."""

    stretch: tuple[float, float] | None
    limits: tuple[float, float] | None


def range_target(low: float | None, high: float | None, clip: bool) -> Target | None:
    """For MONAI's `b_min`, `b_max` and `clip`; None where only MONAI knows what they mean."""
    if not all(bound is None or is_number(bound) for bound in (low, high)) or (clip and low is None and high is None):
        return None
    stretch = None if low is None or high is None else (high - low, low)
    limits = (-math.inf if low is None else low, math.inf if high is None else high)
    return Target(stretch, limits if clip else None)


class StdShiftIntensity(mt.StdShiftIntensity):
    """`monai.transforms.StdShiftIntensity`, within 1e-6 of the deviation; the image that it is called with is left alone."""

    def __call__(self, img: torch.Tensor) -> torch.Tensor:
        img = tracked(img)
        voxels = float_voxels(img, convert=True) if gives_float32(self.dtype, img) and is_number(self.factor) else None
        if voxels is None:
            return cast(torch.Tensor, super().__call__(img))

        def shift(part: torch.Tensor, out: torch.Tensor) -> None:
            found = moments(part, nonzero=self.nonzero)
            offset = float(self.factor * torch.tensor(found.deviation())) if found.size else 0.0
            standardize(part, -offset, 1.0, nonzero=self.nonzero, out=out)

        return with_metadata(each_part(voxels, self.channel_wise, shift), img)


class RandStdShiftIntensity(mt.RandStdShiftIntensity):
    """`monai.transforms.RandStdShiftIntensity` with the same draws; see `StdShiftIntensity`."""

    def __call__(self, img: torch.Tensor, randomize: bool = True) -> torch.Tensor:
        img = tracked(img)
        if randomize:
            self.randomize()
        if not self._do_transform:
            return cast(torch.Tensor, super().__call__(img, randomize=False))
        return StdShiftIntensity(self.factor, self.nonzero, self.channel_wise, self.dtype)(img)


class NormalizeIntensity(mt.NormalizeIntensity):
    """`monai.transforms.NormalizeIntensity`, within 1e-6 of the result's largest value where mean or deviation are measured.

    The image that it is called with is left alone.
    """

    def __call__(self, img: torch.Tensor) -> torch.Tensor:
        img = tracked(img)
        given = (self.subtrahend, self.divisor)
        voxels = float_voxels(img, convert=True) if gives_float32(self.dtype, img) else None
        if voxels is None or not all(value is None or self._is_plain(value, len(voxels)) for value in given):
            return cast(torch.Tensor, super().__call__(img))
        number = iter(range(len(voxels)))

        def normalize(part: torch.Tensor, out: torch.Tensor) -> None:
            channel = next(number)
            subtrahend, divisor = (value[channel] if self.channel_wise and value is not None else value for value in given)
            found: Moments | None = None
            if subtrahend is None or divisor is None:
                found = moments(part, nonzero=self.nonzero)
                subtrahend = found.mean if subtrahend is None else subtrahend
                divisor = found.deviation() if divisor is None else divisor
            if found is not None and not found.size:
                out.copy_(part)
            else:
                standardize(part, subtrahend, 1.0 if divisor == 0.0 else divisor, nonzero=self.nonzero, out=out)

        return with_metadata(each_part(voxels, self.channel_wise, normalize), img)

    def _is_plain(self, value: object, channels: int) -> bool:
        if not self.channel_wise:
            return is_number(value)
        return isinstance(value, (list, tuple)) and len(value) == channels and all(map(is_number, value))


def each_part(voxels: torch.Tensor, channel_wise: bool, work: Callable[[torch.Tensor, torch.Tensor], None]) -> torch.Tensor:
    """A new tensor that `work(part, out)` has filled, for all of it or channel by channel."""
    out = torch.empty_like(voxels)
    for part, to in zip(voxels, out, strict=True) if channel_wise else [(voxels, out)]:
        work(part, to)
    return out
