"""MONAI's dictionary transforms over the kernels of `array.py`; see there for what is replaced and what is MONAI's."""

from __future__ import annotations

from collections.abc import Sequence

import monai.transforms as mt
import numpy as np
import torch
from monai.config import DtypeLike, KeysCollection, SequenceStr
from monai.utils import GridSampleMode, GridSamplePadMode, InterpolateMode

from .array import Flip, RandAxisFlip, Resize, Spacing, SpatialResample


class Flipd(mt.Flipd):
    """`monai.transforms.Flipd`."""

    def __init__(
        self,
        keys: KeysCollection,
        spatial_axis: Sequence[int] | int | None = None,
        allow_missing_keys: bool = False,
        lazy: bool = False,
    ) -> None:
        super().__init__(keys, spatial_axis=spatial_axis, allow_missing_keys=allow_missing_keys, lazy=lazy)
        self.flipper = Flip(spatial_axis=spatial_axis)


class RandFlipd(mt.RandFlipd):
    """`monai.transforms.RandFlipd` with the same draws."""

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 0.1,
        spatial_axis: Sequence[int] | int | None = None,
        allow_missing_keys: bool = False,
        lazy: bool = False,
    ) -> None:
        super().__init__(keys, prob=prob, spatial_axis=spatial_axis, allow_missing_keys=allow_missing_keys, lazy=lazy)
        self.flipper = Flip(spatial_axis=spatial_axis, lazy=lazy)


class RandAxisFlipd(mt.RandAxisFlipd):
    """`monai.transforms.RandAxisFlipd` with the same draws: every key is flipped along the same axis."""

    def __init__(self, keys: KeysCollection, prob: float = 0.1, allow_missing_keys: bool = False, lazy: bool = False) -> None:
        super().__init__(keys, prob=prob, allow_missing_keys=allow_missing_keys, lazy=lazy)
        self.flipper = RandAxisFlip(prob=1.0, lazy=lazy)


class Resized(mt.Resized):
    """`monai.transforms.Resized`."""

    def __init__(
        self,
        keys: KeysCollection,
        spatial_size: Sequence[int] | int,
        size_mode: str = "all",
        mode: SequenceStr = InterpolateMode.AREA,
        align_corners: Sequence[bool | None] | bool | None = None,
        anti_aliasing: Sequence[bool] | bool = False,
        anti_aliasing_sigma: Sequence[Sequence[float] | float | None] | Sequence[float] | float | None = None,
        dtype: Sequence[DtypeLike | torch.dtype] | DtypeLike | torch.dtype = np.float32,
        allow_missing_keys: bool = False,
        lazy: bool = False,
    ) -> None:
        super().__init__(
            *(keys, spatial_size, size_mode, mode, align_corners, anti_aliasing, anti_aliasing_sigma, dtype, allow_missing_keys),
            lazy=lazy,
        )
        self.resizer = Resize(spatial_size=spatial_size, size_mode=size_mode, lazy=lazy)


class SpatialResampled(mt.SpatialResampled):
    """`monai.transforms.SpatialResampled`."""

    def __init__(
        self,
        keys: KeysCollection,
        mode: SequenceStr = GridSampleMode.BILINEAR,
        padding_mode: SequenceStr = GridSamplePadMode.BORDER,
        align_corners: Sequence[bool] | bool = False,
        dtype: Sequence[DtypeLike] | DtypeLike = np.float64,
        dst_keys: KeysCollection | None = "dst_affine",
        allow_missing_keys: bool = False,
        lazy: bool = False,
    ) -> None:
        super().__init__(keys, mode, padding_mode, align_corners, dtype, dst_keys, allow_missing_keys, lazy)
        self.sp_transform = SpatialResample(lazy=lazy)


class Spacingd(mt.Spacingd):
    """`monai.transforms.Spacingd`."""

    def __init__(
        self,
        keys: KeysCollection,
        pixdim: Sequence[float] | float,
        diagonal: bool = False,
        mode: SequenceStr = GridSampleMode.BILINEAR,
        padding_mode: SequenceStr = GridSamplePadMode.BORDER,
        align_corners: Sequence[bool] | bool = False,
        dtype: Sequence[DtypeLike] | DtypeLike = np.float64,
        scale_extent: bool = False,
        recompute_affine: bool = False,
        min_pixdim: Sequence[float] | float | None = None,
        max_pixdim: Sequence[float] | float | None = None,
        ensure_same_shape: bool = True,
        allow_missing_keys: bool = False,
        lazy: bool = False,
    ) -> None:
        super().__init__(
            *(keys, pixdim, diagonal, mode, padding_mode, align_corners, dtype, scale_extent, recompute_affine),
            *(min_pixdim, max_pixdim, ensure_same_shape, allow_missing_keys),
            lazy=lazy,
        )
        self.spacing_transform = Spacing(
            pixdim,
            diagonal=diagonal,
            recompute_affine=recompute_affine,
            min_pixdim=min_pixdim,
            max_pixdim=max_pixdim,
            lazy=lazy,
        )
