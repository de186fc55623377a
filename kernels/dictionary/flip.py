"""Flips of the images in a dictionary."""

from __future__ import annotations

import monai.transforms as mt

from ..array.flip import Flip, RandAxisFlip
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
