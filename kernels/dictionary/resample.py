"""Resampling of the images in a dictionary."""

from __future__ import annotations

import monai.transforms as mt

from ..array.resample import Resize, Spacing, SpatialResample
from ..tracking import Inner


class Resized(mt.Resized):
    """`monai.transforms.Resized`."""

    resizer = Inner(Resize)


class SpatialResampled(mt.SpatialResampled):
    """`monai.transforms.SpatialResampled`."""

    sp_transform = Inner(SpatialResample)


class Spacingd(mt.Spacingd):
    """`monai.transforms.Spacingd`."""

    spacing_transform = Inner(Spacing)
