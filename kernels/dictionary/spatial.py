"""Spatial transforms of the images in a dictionary: MONAI's own, which hold our array transforms."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import monai.transforms as mt
import torch
from monai.data.meta_obj import get_track_meta
from monai.data.meta_tensor import MetaTensor
from monai.utils import TraceKeys, convert_to_tensor

from ..array.affine import Affine, RandAffine
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
from ..array.flip import Flip, RandAxisFlip
from ..array.pad import BorderPad, DivisiblePad, SpatialPad
from ..array.resample import Resize, Spacing, SpatialResample
from ..array.rotate import RandRotate, Rotate
from ..array.rotate90 import Rotate90
from ..array.zoom import RandZoom, Zoom
from ..tracking import Inner, Traced


class Flipd(mt.Flipd):
    """`monai.transforms.Flipd`."""

    flipper = Inner(Flip)


class RandFlipd(mt.RandFlipd, Traced):
    """`monai.transforms.RandFlipd` with the same draws."""

    flipper = Inner(Flip)


class RandAxisFlipd(mt.RandAxisFlipd, Traced):
    """`monai.transforms.RandAxisFlipd` with the same draws: every key is flipped along the same axis."""

    flipper = Inner(RandAxisFlip)


class Rotate90d(mt.Rotate90d):
    """`monai.transforms.Rotate90d`."""

    rotator = Inner(Rotate90)


class RandRotate90d(mt.RandRotate90d, Traced):
    """`monai.transforms.RandRotate90d` with the same draws: the number of turns first, then whether to turn at all."""

    def __call__(self, data: Mapping[Hashable, torch.Tensor], lazy: bool | None = None) -> dict[Hashable, torch.Tensor]:
        self.randomize()
        images = dict(data)
        lazy_ = self.lazy if lazy is None else lazy
        rotator = Rotate90(self._rand_k, self.spatial_axes, lazy=lazy_)
        for key in self.key_iterator(images):
            image = images[key]
            images[key] = rotator(image) if self._do_transform else convert_to_tensor(image, track_meta=get_track_meta())
            self.push_transform(images[key], replace=True, lazy=lazy_)
        return images

    def inverse(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        images = dict(data)
        for key in self.key_iterator(images):
            if isinstance(images[key], MetaTensor):
                applied = self.pop_transform(images[key])
                if applied[TraceKeys.DO_TRANSFORM]:
                    images[key] = Rotate90().inverse_transform(images[key], applied[TraceKeys.EXTRA_INFO])
        return images


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


class SpatialPadd(mt.SpatialPadd):
    """`monai.transforms.SpatialPadd`."""

    padder = Inner(SpatialPad)


class BorderPadd(mt.BorderPadd):
    """`monai.transforms.BorderPadd`."""

    padder = Inner(BorderPad)


class DivisiblePadd(mt.DivisiblePadd):
    """`monai.transforms.DivisiblePadd`."""

    padder = Inner(DivisiblePad)


class Zoomd(mt.Zoomd):
    """`monai.transforms.Zoomd`."""

    zoomer = Inner(Zoom)


class RandZoomd(mt.RandZoomd, Traced):
    """`monai.transforms.RandZoomd` with the same draws: all keys share the factors."""

    rand_zoom = Inner(RandZoom)


class Resized(mt.Resized):
    """`monai.transforms.Resized`."""

    resizer = Inner(Resize)


class SpatialResampled(mt.SpatialResampled):
    """`monai.transforms.SpatialResampled`."""

    sp_transform = Inner(SpatialResample)


class Spacingd(mt.Spacingd):
    """`monai.transforms.Spacingd`."""

    spacing_transform = Inner(Spacing)


class Affined(mt.Affined):
    """`monai.transforms.Affined`."""

    affine = Inner(Affine)


class RandAffined(mt.RandAffined, Traced):
    """`monai.transforms.RandAffined` with the same draws: all keys share the last of them."""

    rand_affine = Inner(RandAffine)


class Rotated(mt.Rotated):
    """`monai.transforms.Rotated`."""

    rotator = Inner(Rotate)


class RandRotated(mt.RandRotated, Traced):
    """`monai.transforms.RandRotated` with the same draws: all keys share the angles."""

    rand_rotate = Inner(RandRotate)
