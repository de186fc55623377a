"""Padding of the images in a dictionary."""

from __future__ import annotations

import monai.transforms as mt

from ..array.pad import BorderPad, DivisiblePad, SpatialPad
from ..tracking import Inner


class SpatialPadd(mt.SpatialPadd):
    """`monai.transforms.SpatialPadd`."""

    padder = Inner(SpatialPad)


class BorderPadd(mt.BorderPadd):
    """`monai.transforms.BorderPadd`."""

    padder = Inner(BorderPad)


class DivisiblePadd(mt.DivisiblePadd):
    """`monai.transforms.DivisiblePadd`."""

    padder = Inner(DivisiblePad)
