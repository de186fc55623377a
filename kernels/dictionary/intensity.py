"""Intensity transforms of the images in a dictionary: MONAI's own, which hold our array transforms."""

from __future__ import annotations

import monai.transforms as mt

from ..array.intensity_contrast import (
    AdjustContrast,
    RandAdjustContrast,
    RandHistogramShift,
    ScaleIntensityRangePercentiles,
)
from ..array.intensity_noise import RandBiasField, RandCoarseDropout, RandGaussianNoise
from ..array.intensity_scale import (
    NormalizeIntensity,
    RandScaleIntensity,
    RandShiftIntensity,
    RandStdShiftIntensity,
    ScaleIntensity,
    ScaleIntensityRange,
    ShiftIntensity,
    StdShiftIntensity,
)
from ..array.intensity_smooth import GaussianSharpen, GaussianSmooth, RandGaussianSharpen, RandGaussianSmooth
from ..tracking import Inner


class ShiftIntensityd(mt.ShiftIntensityd):
    """`monai.transforms.ShiftIntensityd`."""

    shifter = Inner(ShiftIntensity)


class RandShiftIntensityd(mt.RandShiftIntensityd):
    """`monai.transforms.RandShiftIntensityd` with the same draws: all keys share the offset."""

    shifter = Inner(RandShiftIntensity)


class StdShiftIntensityd(mt.StdShiftIntensityd):
    """`monai.transforms.StdShiftIntensityd`."""

    shifter = Inner(StdShiftIntensity)


class RandStdShiftIntensityd(mt.RandStdShiftIntensityd):
    """`monai.transforms.RandStdShiftIntensityd` with the same draws: all keys share the factor."""

    shifter = Inner(RandStdShiftIntensity)


class ScaleIntensityd(mt.ScaleIntensityd):
    """`monai.transforms.ScaleIntensityd`."""

    scaler = Inner(ScaleIntensity)


class RandScaleIntensityd(mt.RandScaleIntensityd):
    """`monai.transforms.RandScaleIntensityd` with the same draws: all keys share the factor."""

    scaler = Inner(RandScaleIntensity)


class ScaleIntensityRanged(mt.ScaleIntensityRanged):
    """`monai.transforms.ScaleIntensityRanged`."""

    scaler = Inner(ScaleIntensityRange)


class ScaleIntensityRangePercentilesd(mt.ScaleIntensityRangePercentilesd):
    """`monai.transforms.ScaleIntensityRangePercentilesd`."""

    scaler = Inner(ScaleIntensityRangePercentiles)


class NormalizeIntensityd(mt.NormalizeIntensityd):
    """`monai.transforms.NormalizeIntensityd`."""

    normalizer = Inner(NormalizeIntensity)


class AdjustContrastd(mt.AdjustContrastd):
    """`monai.transforms.AdjustContrastd`."""

    adjuster = Inner(AdjustContrast)


class RandAdjustContrastd(mt.RandAdjustContrastd):
    """`monai.transforms.RandAdjustContrastd` with the same draws: all keys share gamma."""

    adjuster = Inner(RandAdjustContrast)


class RandHistogramShiftd(mt.RandHistogramShiftd):
    """`monai.transforms.RandHistogramShiftd` with the same draws: all keys share the control points."""

    shifter = Inner(RandHistogramShift)


class RandGaussianNoised(mt.RandGaussianNoised):
    """`monai.transforms.RandGaussianNoised` with the same draws: all keys share the noise."""

    rand_gaussian_noise = Inner(RandGaussianNoise)


class RandBiasFieldd(mt.RandBiasFieldd):
    """`monai.transforms.RandBiasFieldd` with the same draws: all keys share the coefficients."""

    rand_bias_field = Inner(RandBiasField)


class RandCoarseDropoutd(mt.RandCoarseDropoutd):
    """`monai.transforms.RandCoarseDropoutd` with the same draws: all keys share the holes."""

    dropper = Inner(RandCoarseDropout)


class GaussianSmoothd(mt.GaussianSmoothd):
    """`monai.transforms.GaussianSmoothd`."""

    converter = Inner(GaussianSmooth)


class RandGaussianSmoothd(mt.RandGaussianSmoothd):
    """`monai.transforms.RandGaussianSmoothd` with the same draws: all keys share the sigmas."""

    rand_smooth = Inner(RandGaussianSmooth)


class GaussianSharpend(mt.GaussianSharpend):
    """`monai.transforms.GaussianSharpend`."""

    converter = Inner(GaussianSharpen)


class RandGaussianSharpend(mt.RandGaussianSharpend):
    """`monai.transforms.RandGaussianSharpend` with the same draws: all keys share the sigmas and alpha."""

    rand_sharpen = Inner(RandGaussianSharpen)
