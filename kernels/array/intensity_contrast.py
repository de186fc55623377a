"""Gamma, histogram and percentile transforms of single images."""

from __future__ import annotations

import math
from typing import cast

import monai.transforms as mt
import torch

from ..cpu.histogram import map_piecewise, order_statistics
from ..cpu.intensity import Gamma, Linear, apply_steps, min_max
from ..cpu.normalize import moments, rescale
from ..tracking import Inner, tracked, with_metadata
from .intensity_images import float_voxels, gives_float32, is_number
from .intensity_scale import range_target

_LARGEST_QUANTILE = 1_000_000  # voxels; MONAI asks numpy for the percentiles of larger images


class AdjustContrast(mt.AdjustContrast):
    """`monai.transforms.AdjustContrast`, within 1e-6 of the range; 1e-5 of it if the statistics are retained."""

    def __call__(self, img: torch.Tensor, gamma: float | None = None) -> torch.Tensor:
        img = tracked(img)
        power = self.gamma if gamma is None else gamma
        voxels = float_voxels(img) if is_number(power) and 0 <= power < math.inf else None
        if voxels is None:
            return cast(torch.Tensor, super().__call__(img, gamma))
        turned = torch.neg(voxels) if self.invert_image else voxels
        sign = -1.0 if self.invert_image else 1.0
        if not self.retain_stats:
            return with_metadata(apply_steps(turned, [Gamma(power), Linear(sign)]), img)
        before, out = moments(voxels), apply_steps(turned, [Gamma(power)])
        after = moments(out)
        # The inverted image differs in the sign of its mean, which the last turn gives back.
        scale = sign * before.deviation(unbiased=True)
        rescale(out, after.mean, after.deviation(unbiased=True) + 1e-8, (scale, before.mean), out=out)
        return with_metadata(out, img)


class RandAdjustContrast(mt.RandAdjustContrast):
    """`monai.transforms.RandAdjustContrast` with the same draws; see `AdjustContrast`."""

    adjust_contrast = Inner(AdjustContrast)


class RandHistogramShift(mt.RandHistogramShift):
    """`monai.transforms.RandHistogramShift` with the same draws, bit for bit."""

    def __call__(self, img: torch.Tensor, randomize: bool = True) -> torch.Tensor:
        img = tracked(img)
        if randomize:
            self.randomize()
        voxels = float_voxels(img) if self._do_transform else None
        shifted = None if voxels is None else self._shifted(voxels)
        return cast(torch.Tensor, super().__call__(img, randomize=False)) if shifted is None else with_metadata(shifted, img)

    def _shifted(self, voxels: torch.Tensor) -> torch.Tensor | None:
        if self.reference_control_points is None or self.floating_control_points is None:
            return None
        low, high = (torch.tensor(value) for value in min_max(voxels))
        if low == high or not bool(torch.isfinite(high - low)):
            return None
        knots, values = (
            torch.as_tensor(points).to(torch.float32) * (high - low) + low
            for points in (self.reference_control_points, self.floating_control_points)
        )
        slopes = (values[1:] - values[:-1]) / (knots[1:] - knots[:-1])
        intercepts = values[:-1] - slopes * knots[:-1]
        if not bool(torch.isfinite(slopes).all()) or not bool((knots[1:] >= knots[:-1]).all()):
            return None
        ends = (float(values[0]), float(values[-1]))
        return map_piecewise(voxels, knots.numpy(), slopes.numpy(), intercepts.numpy(), ends)


class ScaleIntensityRangePercentiles(mt.ScaleIntensityRangePercentiles):
    """`monai.transforms.ScaleIntensityRangePercentiles`; the percentiles are MONAI's to one unit in the last place."""

    def __call__(self, img: torch.Tensor) -> torch.Tensor:
        img = tracked(img)
        voxels = float_voxels(img) if gives_float32(self.dtype, img) else None
        low, high = self.b_min, self.b_max
        if self.relative and low is not None and high is not None:
            low, high = ((high - low) * (q / 100.0) + low for q in (self.lower, self.upper))
        target = range_target(low, high, self.clip)
        if voxels is None or target is None or (self.relative and None in (low, high)):
            return cast(torch.Tensor, super().__call__(img))
        out = torch.empty_like(voxels)
        for part, to in zip(voxels, out, strict=True) if self.channel_wise else [(voxels, out)]:
            found = percentiles(part, (self.lower, self.upper))
            if found is None or found[0] == found[1]:
                return cast(torch.Tensor, super().__call__(img))
            width = float(torch.tensor(found[1]) - torch.tensor(found[0]))
            rescale(part, found[0], width, target.stretch, target.limits, out=to)
        return with_metadata(out, img)


def percentiles(voxels: torch.Tensor, q: tuple[float, float]) -> tuple[float, float] | None:
    """The percentiles of contiguous float32 as MONAI finds them; None if a voxel is NaN."""
    last = voxels.numel() - 1
    places: list[tuple[int, float]] = []
    for percent in q:
        if voxels.numel() > _LARGEST_QUANTILE:
            place = percent / 100 * last
        else:  # torch works out the place in float32
            place = float(torch.tensor(percent / 100.0, dtype=torch.float32) * last)
        below = min(int(place), last)
        places.append((below, place - below))
    found = order_statistics(voxels, [rank for below, _ in places for rank in (below, min(below + 1, last))])
    if found is None or not all(map(math.isfinite, found)):
        return None
    values = torch.tensor(found).view(2, 2)
    fractions = torch.tensor([fraction for _, fraction in places], dtype=torch.float64).to(torch.float32)
    low, high = torch.lerp(values[:, 0], values[:, 1], fractions).tolist()
    return low, high
