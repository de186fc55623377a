"""Affine transforms and rotations of the images in a dictionary."""

from __future__ import annotations

import monai.transforms as mt

from ..array.affine import Affine, RandAffine
from ..array.rotate import RandRotate, Rotate
from ..tracking import Inner, Traced


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
