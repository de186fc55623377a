"""Flips of single images: up to some megabytes `torch.flip` is as fast as a copy, and only the metadata is left to be shortened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import monai.transforms as mt
import numpy as np
import torch
from monai.transforms.utils import map_spatial_axes

from ..cpu.arrays import is_plain
from ..cpu.axis_permutation import can_permute
from ..cpu.moves import permute
from ..cpu.window import Window
from ..tracking import Inner, Traced, affine_rank, keeps_metadata, plain_image, recorded, tracked

#: bytes; of what is larger, rows of whole lines of the cache are better written past it, which torch does not do
_LARGE = 16 << 20
_LINE = 64  # bytes


class Flip(mt.Flip):
    """`monai.transforms.Flip`."""

    def __call__(self, img: torch.Tensor, lazy: bool | None = None) -> torch.Tensor:
        img = tracked(img)
        voxels = None if (self.lazy if lazy is None else lazy) else plain_image(img)
        axes = None if voxels is None else _axes(voxels, self.spatial_axis, affine_rank(img))
        if voxels is None or axes is None:
            return cast(torch.Tensor, super().__call__(img, lazy=lazy))
        flipped = _flipped(voxels, axes)
        if not keeps_metadata(img):
            return flipped
        size = tuple(voxels.shape[1:])
        affine = np.eye(affine_rank(img) + 1)
        for axis in axes:
            affine[axis - 1, axis - 1], affine[axis - 1, -1] = -1.0, size[axis - 1] - 1
        return recorded(
            img,
            flipped,
            affine=affine,
            extra_info={"axes": self.spatial_axis},
            orig_size=size,
            transform_info=self.get_transform_info(),
        )

    def inverse(self, data: torch.Tensor) -> torch.Tensor:
        self.pop_transform(data)
        flipper = Flip(spatial_axis=self.spatial_axis)
        with flipper.trace_transform(False):
            return flipper(data)


def _flipped(voxels: torch.Tensor, axes: list[int]) -> torch.Tensor:
    size = voxels.element_size()
    if voxels.numel() * size >= _LARGE and voxels.shape[-1] * size % _LINE == 0 and can_permute(voxels):
        return permute(voxels, Window.whole(voxels.shape[1:]).flip([axis - 1 for axis in axes]))
    return torch.flip(voxels, axes)


def _axes(voxels: torch.Tensor, spatial_axis: Sequence[int] | int | None, rank: int) -> list[int] | None:
    """The axes of `voxels` (C, ...) to flip; None for an axis twice, out of range, or the channels: MONAI's word, or its error."""
    if not is_plain(voxels):
        return None
    axes = [int(axis) for axis in map_spatial_axes(voxels.ndim, spatial_axis)]
    usual = len(set(axes)) == len(axes) and all(1 <= axis <= min(rank, voxels.ndim - 1) for axis in axes)
    return axes if usual else None


class RandFlip(mt.RandFlip, Traced):
    """`monai.transforms.RandFlip` with the same draws."""

    flipper = Inner(Flip)


class RandAxisFlip(mt.RandAxisFlip, Traced):
    """`monai.transforms.RandAxisFlip` with the same draws."""

    flipper = Inner(Flip)
