"""Crops of the images in a dictionary."""

from __future__ import annotations

import monai.transforms as mt

from ..array.crop import (
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
from ..tracking import Inner


class SpatialCropd(mt.SpatialCropd):
    """`monai.transforms.SpatialCropd`."""

    cropper = Inner(SpatialCrop)


class CenterSpatialCropd(mt.CenterSpatialCropd):
    """`monai.transforms.CenterSpatialCropd`."""

    cropper = Inner(CenterSpatialCrop)


class CenterScaleCropd(mt.CenterScaleCropd):
    """`monai.transforms.CenterScaleCropd`."""

    cropper = Inner(CenterScaleCrop)


class RandSpatialCropd(mt.RandSpatialCropd):
    """`monai.transforms.RandSpatialCropd` with the same draws."""

    cropper = Inner(RandSpatialCrop)


class RandScaleCropd(mt.RandScaleCropd):
    """`monai.transforms.RandScaleCropd` with the same draws."""

    cropper = Inner(RandScaleCrop)


class RandSpatialCropSamplesd(mt.RandSpatialCropSamplesd):
    """`monai.transforms.RandSpatialCropSamplesd` with the same draws."""

    cropper = Inner(RandSpatialCropSamples)


class CropForegroundd(mt.CropForegroundd):
    """`monai.transforms.CropForegroundd`."""

    cropper = Inner(CropForeground)


class RandCropByPosNegLabeld(mt.RandCropByPosNegLabeld):
    """`monai.transforms.RandCropByPosNegLabeld` with the same draws."""

    cropper = Inner(RandCropByPosNegLabel)


class RandCropByLabelClassesd(mt.RandCropByLabelClassesd):
    """`monai.transforms.RandCropByLabelClassesd` with the same draws."""

    cropper = Inner(RandCropByLabelClasses)


class ResizeWithPadOrCropd(mt.ResizeWithPadOrCropd):
    """`monai.transforms.ResizeWithPadOrCropd`."""

    padder = Inner(ResizeWithPadOrCrop)
