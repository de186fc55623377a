"""Flips of single images; see `array/__init__.py` for what is replaced and what is MONAI's."""

from __future__ import annotations

import monai.transforms as mt
import torch

from ..spatial import flip
from ..tracking import Inner, Traced, tracked


class Flip(mt.Flip):
    """`monai.transforms.Flip`, voxels moved by `flip_axes`."""

    def __call__(self, img: torch.Tensor, lazy: bool | None = None) -> torch.Tensor:
        lazy_ = self.lazy if lazy is None else lazy
        return flip(tracked(img), self.spatial_axis, lazy_, self.get_transform_info())

    def inverse(self, data: torch.Tensor) -> torch.Tensor:
        self.pop_transform(data)
        flipper = Flip(spatial_axis=self.spatial_axis)
        with flipper.trace_transform(False):
            return flipper(data)


class RandFlip(mt.RandFlip, Traced):
    """`monai.transforms.RandFlip` with the same draws."""

    flipper = Inner(Flip)


class RandAxisFlip(mt.RandAxisFlip, Traced):
    """`monai.transforms.RandAxisFlip` with the same draws."""

    flipper = Inner(Flip)
