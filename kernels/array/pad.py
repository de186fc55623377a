"""Padding of single images: with a constant by one copy of ours, in every other way by MONAI's function."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import monai.transforms as mt
import torch
from monai.transforms.croppad.functional import pad_nd

from ..cpu.axis_permutation import can_permute, permute
from ..cpu.window import Window
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
            _padded(voxels, pairs, how, arguments),
            affine=translation(rank, [-before for before, _ in pairs[1:]]),
            extra_info={"padded": widths, "mode": f"{how}"},
            orig_size=size,
            transform_info=self.get_transform_info(),
        )


def _padded(voxels: torch.Tensor, pairs: list[tuple[int, int]], mode: str, arguments: dict[str, object]) -> torch.Tensor:
    """`voxels` (C, ...) with `pairs` of rows before and after each axis, the channels included."""
    fill = _constant(voxels.dtype, arguments) if mode == "constant" else None
    before, after = [pair[0] for pair in pairs[1:]], [pair[1] for pair in pairs[1:]]
    if fill is None or any(pairs[0]) or min(*before, *after) < 0 or not can_permute(voxels):
        return cast(torch.Tensor, pad_nd(voxels, pairs, mode, **arguments))
    return permute(voxels, Window.whole(voxels.shape[1:]).pad(before, after), fill=fill)


def _constant(dtype: torch.dtype, arguments: dict[str, object]) -> float | None:
    """The padding's value, None where the arguments say something else or the dtype cannot hold it."""
    if not arguments.keys() <= {"value", "constant_values"} or len(arguments) > 1:
        return None
    value = next(iter(arguments.values()), 0)
    if not isinstance(value, int | float):
        return None
    if dtype.is_floating_point:
        return float(value)
    if dtype == torch.bool or not math.isfinite(value) or value != int(value):
        return 0.0 if value == 0 else None
    limits = torch.iinfo(dtype)
    return float(value) if max(limits.min, -(2**53)) <= value <= min(limits.max, 2**53) else None


class SpatialPad(mt.SpatialPad, Pad):
    """`monai.transforms.SpatialPad`."""


class BorderPad(mt.BorderPad, Pad):
    """`monai.transforms.BorderPad`."""


class DivisiblePad(mt.DivisiblePad, Pad):
    """`monai.transforms.DivisiblePad`."""
