"""Padding of single images: voxels by MONAI's function, which is quicker than a copy of ours; only its bookkeeping is shortened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import monai.transforms as mt
import torch
from monai.transforms.croppad.functional import pad_nd

from ..tracking import affine_rank, plain_voxels, recorded, tracked, translation

Widths = Sequence[Sequence[int]]


class Pad(mt.Pad):
    """`monai.transforms.Pad`."""

    def __call__(
        self,
        img: torch.Tensor,
        to_pad: Widths | None = None,
        mode: str | None = None,
        lazy: bool | None = None,
        **kwargs: object,
    ) -> torch.Tensor:
        voxels = None if (self.lazy if lazy is None else lazy) else plain_voxels(img)
        if voxels is None:
            return cast(torch.Tensor, super().__call__(img, to_pad, mode, lazy, **kwargs))
        size = tuple(voxels.shape[1:])
        given = self.to_pad if to_pad is None else to_pad
        widths: Widths = self.compute_pad_width(size) if given is None else given
        img = tracked(img)
        rank = affine_rank(img)
        pairs = [(int(before), int(after)) for before, after in widths]
        if len(pairs) != voxels.ndim or rank < len(size) or not any(map(any, pairs)):
            return cast(torch.Tensor, super().__call__(img, widths, mode, lazy, **kwargs))
        how = self.mode if mode is None else mode
        arguments = {**self.kwargs, **kwargs}
        return recorded(
            img,
            cast(torch.Tensor, pad_nd(voxels, pairs, how, **arguments)),
            affine=translation(rank, [-before for before, _ in pairs[1:]]),
            extra_info={"padded": widths, "mode": f"{how}"},
            orig_size=size,
            transform_info=self.get_transform_info(),
        )


class SpatialPad(mt.SpatialPad, Pad):
    """`monai.transforms.SpatialPad`."""


class BorderPad(mt.BorderPad, Pad):
    """`monai.transforms.BorderPad`."""


class DivisiblePad(mt.DivisiblePad, Pad):
    """`monai.transforms.DivisiblePad`."""
