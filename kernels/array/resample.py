"""Resampling of single images along their own axes; see `array/__init__.py` for what is replaced and what is MONAI's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import monai.transforms as mt
import numpy as np
import torch
from monai.config import DtypeLike
from monai.data.meta_tensor import MetaTensor

from ..pending import carried_out
from ..tracking import Inner


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
        if smooth:
            return cast(torch.Tensor, super().__call__(img, *arguments, lazy=lazy_))
        return carried_out(self, super().__call__, img, arguments, lazy_, self.mode if mode is None else mode, comes_back=True)


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
        arguments = (dst_affine, spatial_size, mode, padding_mode, align_corners, dtype)
        return carried_out(self, super().__call__, img, arguments, self.lazy if lazy is None else lazy, comes_back=True)


class Spacing(mt.Spacing):
    """`monai.transforms.Spacing` over our `SpatialResample`."""

    sp_resample = Inner(SpatialResample)

    def __call__(
        self,
        data_array: torch.Tensor,
        mode: str | int | None = None,
        padding_mode: str | None = None,
        align_corners: bool | None = None,
        dtype: DtypeLike = None,
        scale_extent: bool | None = None,
        output_spatial_shape: Sequence[int] | np.ndarray[Any, Any] | int | None = None,
        lazy: bool | None = None,
    ) -> torch.Tensor:
        arguments = (mode, padding_mode, align_corners, dtype, scale_extent, output_spatial_shape)
        if self.recompute_affine or not isinstance(data_array, MetaTensor):
            return cast(torch.Tensor, super().__call__(data_array, *arguments, lazy=lazy))
        return carried_out(
            self,
            super().__call__,
            data_array,
            arguments,
            self.lazy if lazy is None else lazy,
            self.sp_resample.mode if mode is None else mode,
            recorder=self.sp_resample,
            comes_back=True,
        )
