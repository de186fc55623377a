"""MONAI's transforms of single images with the voxel work done by our kernels.

Each class is MONAI's own with one method replaced: arguments, random draws, metadata, lazy mode and inverse are MONAI's. An
input that a kernel does not cover runs through MONAI unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import monai.transforms as mt
import numpy as np
import torch
from monai.config import DtypeLike
from monai.data.meta_obj import get_track_meta
from monai.data.meta_tensor import MetaTensor
from monai.utils import GridSampleMode, GridSamplePadMode, convert_to_tensor

from .spatial import can_execute, execute, flip


class Flip(mt.Flip):
    """`monai.transforms.Flip`, voxels moved by `flip_axes`."""

    def __call__(self, img: torch.Tensor, lazy: bool | None = None) -> torch.Tensor:
        lazy_ = self.lazy if lazy is None else lazy
        if type(img) is not MetaTensor or not get_track_meta():
            img = convert_to_tensor(img, track_meta=get_track_meta())
        return flip(img, self.spatial_axis, lazy_, self.get_transform_info())

    def inverse(self, data: torch.Tensor) -> torch.Tensor:
        self.pop_transform(data)
        flipper = Flip(spatial_axis=self.spatial_axis)
        with flipper.trace_transform(False):
            return flipper(data)


class RandFlip(mt.RandFlip):
    """`monai.transforms.RandFlip` with the same draws."""

    def __init__(self, prob: float = 0.1, spatial_axis: Sequence[int] | int | None = None, lazy: bool = False) -> None:
        super().__init__(prob=prob, spatial_axis=spatial_axis, lazy=lazy)
        self.flipper = Flip(spatial_axis=spatial_axis, lazy=lazy)


class RandAxisFlip(mt.RandAxisFlip):
    """`monai.transforms.RandAxisFlip` with the same draws."""

    def __init__(self, prob: float = 0.1, lazy: bool = False) -> None:
        super().__init__(prob=prob, lazy=lazy)
        self.flipper = Flip(spatial_axis=None)


class Resize(mt.Resize):
    """`monai.transforms.Resize`; linear, nearest and nearest-exact modes without anti-aliasing are ours."""

    def __call__(
        self,
        img: torch.Tensor,
        mode: str | None = None,
        align_corners: bool | None = None,
        anti_aliasing: bool | None = None,
        anti_aliasing_sigma: Sequence[float] | float | None = None,
        dtype: DtypeLike | torch.dtype = None,
        lazy: bool | None = None,
    ) -> torch.Tensor:
        lazy_ = self.lazy if lazy is None else lazy
        smooth = self.anti_aliasing if anti_aliasing is None else anti_aliasing
        arguments = (mode, align_corners, anti_aliasing, anti_aliasing_sigma, dtype)
        if not smooth and can_execute(img, lazy_):
            out = execute(super().__call__(img, *arguments, lazy=True), self.get_transform_info())
            if out is not None:
                return out
        return cast(torch.Tensor, super().__call__(img, *arguments, lazy=lazy_))


class SpatialResample(mt.SpatialResample):
    """`monai.transforms.SpatialResample`; grids along the image's axes with border padding are ours."""

    def __call__(
        self,
        img: torch.Tensor,
        dst_affine: torch.Tensor | None = None,
        spatial_size: Sequence[int] | torch.Tensor | int | None = None,
        mode: str | int | None = None,
        padding_mode: str | None = None,
        align_corners: bool | None = None,
        dtype: DtypeLike = None,
        lazy: bool | None = None,
    ) -> torch.Tensor:
        lazy_ = self.lazy if lazy is None else lazy
        arguments = (dst_affine, spatial_size, mode, padding_mode, align_corners, dtype)
        if can_execute(img, lazy_):
            out = execute(super().__call__(img, *arguments, lazy=True), self.get_transform_info())
            if out is not None:
                return out
        return cast(torch.Tensor, super().__call__(img, *arguments, lazy=lazy_))


class Spacing(mt.Spacing):
    """`monai.transforms.Spacing` over our `SpatialResample`."""

    def __init__(
        self,
        pixdim: Sequence[float] | float | np.ndarray,
        diagonal: bool = False,
        mode: str | int = GridSampleMode.BILINEAR,
        padding_mode: str = GridSamplePadMode.BORDER,
        align_corners: bool = False,
        dtype: DtypeLike = np.float64,
        scale_extent: bool = False,
        recompute_affine: bool = False,
        min_pixdim: Sequence[float] | float | np.ndarray | None = None,
        max_pixdim: Sequence[float] | float | np.ndarray | None = None,
        lazy: bool = False,
    ) -> None:
        super().__init__(
            *(pixdim, diagonal, mode, padding_mode, align_corners, dtype, scale_extent, recompute_affine, min_pixdim, max_pixdim),
            lazy=lazy,
        )
        self.sp_resample = SpatialResample(
            mode=mode, padding_mode=padding_mode, align_corners=align_corners, dtype=dtype, lazy=lazy
        )
