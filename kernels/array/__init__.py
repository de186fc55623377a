"""MONAI's transforms of single images with the voxel work done by our kernels.

Each class is MONAI's own with one method replaced: arguments, random draws, metadata, lazy mode and inverse are MONAI's. An
input that a kernel does not cover runs through MONAI unchanged.
"""

from .affine import Affine, RandAffine
from .crop import (
    CenterScaleCrop,
    CenterSpatialCrop,
    CropForeground,
    RandCropByLabelClasses,
    RandCropByPosNegLabel,
    RandScaleCrop,
    RandSpatialCrop,
    RandSpatialCropSamples,
    ResizeWithPadOrCrop,
    SpatialCrop,
)
from .flip import Flip, RandAxisFlip, RandFlip
from .intensity_contrast import (
    AdjustContrast,
    RandAdjustContrast,
    RandHistogramShift,
    ScaleIntensityRangePercentiles,
)
from .intensity_noise import (
    RandBiasField,
    RandCoarseDropout,
    RandGaussianNoise,
)
from .intensity_scale import (
    NormalizeIntensity,
    RandScaleIntensity,
    RandShiftIntensity,
    RandStdShiftIntensity,
    ScaleIntensity,
    ScaleIntensityRange,
    ShiftIntensity,
    StdShiftIntensity,
)
from .intensity_smooth import (
    GaussianSharpen,
    GaussianSmooth,
    RandGaussianSharpen,
    RandGaussianSmooth,
)
from .pad import BorderPad, DivisiblePad, SpatialPad
from .resample import Resize, Spacing, SpatialResample
from .rotate import RandRotate, Rotate
from .rotate90 import RandRotate90, Rotate90
from .zoom import RandZoom, Zoom

__all__ = [
    "AdjustContrast",
    "Affine",
    "BorderPad",
    "CenterScaleCrop",
    "CenterSpatialCrop",
    "CropForeground",
    "DivisiblePad",
    "Flip",
    "GaussianSharpen",
    "GaussianSmooth",
    "NormalizeIntensity",
    "RandAdjustContrast",
    "RandAffine",
    "RandAxisFlip",
    "RandBiasField",
    "RandCoarseDropout",
    "RandCropByLabelClasses",
    "RandCropByPosNegLabel",
    "RandFlip",
    "RandGaussianNoise",
    "RandGaussianSharpen",
    "RandGaussianSmooth",
    "RandHistogramShift",
    "RandRotate",
    "RandRotate90",
    "RandScaleCrop",
    "RandScaleIntensity",
    "RandShiftIntensity",
    "RandSpatialCrop",
    "RandSpatialCropSamples",
    "RandStdShiftIntensity",
    "RandZoom",
    "Resize",
    "ResizeWithPadOrCrop",
    "Rotate",
    "Rotate90",
    "ScaleIntensity",
    "ScaleIntensityRange",
    "ScaleIntensityRangePercentiles",
    "ShiftIntensity",
    "Spacing",
    "SpatialCrop",
    "SpatialPad",
    "SpatialResample",
    "StdShiftIntensity",
    "Zoom",
]
