"""Zooms of single images."""

from __future__ import annotations

from typing import cast

import monai.transforms as mt
import numpy as np
import torch
from monai.config import DtypeLike
from monai.data.meta_obj import get_track_meta
from monai.data.meta_tensor import get_spatial_ndim
from monai.transforms.spatial import functional as monai_functional
from monai.utils import TraceKeys, ensure_tuple_rep, get_equivalent_dtype

from ..pending import coverable, planned
from ..tracking import Traced, tracked
from .crop import ResizeWithPadOrCrop


class Zoom(mt.Zoom):
    """`monai.transforms.Zoom`; the linear and nearest modes are ours."""

    def __call__(
        self,
        img: torch.Tensor,
        mode: str | None = None,
        padding_mode: str | None = None,
        align_corners: bool | None = None,
        dtype: DtypeLike | torch.dtype = None,
        lazy: bool | None = None,
    ) -> torch.Tensor:
        voxels = coverable(img, self.lazy if lazy is None else lazy, self.mode if mode is None else mode)
        if voxels is not None:
            img = tracked(img)
            zoomed = self._interpolated(img, voxels, self.mode if mode is None else mode, align_corners, dtype)
            if zoomed is not None:
                return self._kept_size(img, zoomed, padding_mode or self.padding_mode)
        return cast(torch.Tensor, super().__call__(img, mode, padding_mode, align_corners, dtype, lazy))

    def _interpolated(
        self, img: torch.Tensor, voxels: torch.Tensor, mode: str, align_corners: bool | None, dtype: DtypeLike | torch.dtype
    ) -> torch.Tensor | None:
        pending = monai_functional.zoom(
            img,
            ensure_tuple_rep(self.zoom, get_spatial_ndim(img)),
            False,
            mode,
            self.padding_mode,
            self.align_corners if align_corners is None else align_corners,
            get_equivalent_dtype(dtype or self.dtype or img.dtype, torch.Tensor),
            lazy=True,
            transform_info=self.get_transform_info(),
        )
        plan = planned(pending)
        return None if plan is None else plan.carry_out(img, voxels, self.get_transform_info())

    def _kept_size(self, img: torch.Tensor, zoomed: torch.Tensor, padding_mode: str) -> torch.Tensor:
        """Padded or cropped to the size of the image, and that entered in the record of the zoom."""
        if not self.keep_size or np.allclose(img.shape[1:], zoomed.shape[1:]):
            return zoomed
        out = ResizeWithPadOrCrop(spatial_size=img.shape[1:], mode=padding_mode, **self.kwargs)(zoomed)
        if get_track_meta():
            record = out.applied_operations.pop()
            out.applied_operations[-1][TraceKeys.EXTRA_INFO].update(do_padcrop=True, padcrop=record)
        return cast(torch.Tensor, out)


class RandZoom(mt.RandZoom, Traced):
    """`monai.transforms.RandZoom` with the same draws."""

    def __call__(
        self,
        img: torch.Tensor,
        mode: str | None = None,
        padding_mode: str | None = None,
        align_corners: bool | None = None,
        dtype: DtypeLike | torch.dtype = None,
        randomize: bool = True,
        lazy: bool | None = None,
    ) -> torch.Tensor:
        if randomize:
            self.randomize(img=img)
        if not self._do_transform:
            return cast(torch.Tensor, super().__call__(img, randomize=False, lazy=lazy))
        lazy_ = self.lazy if lazy is None else lazy
        zoom = Zoom(
            self._zoom,
            keep_size=self.keep_size,
            mode=mode or self.mode,
            padding_mode=padding_mode or self.padding_mode,
            align_corners=self.align_corners if align_corners is None else align_corners,
            dtype=dtype or self.dtype,
            lazy=lazy_,
            **self.kwargs,
        )
        out = zoom(img)
        self.push_transform(out, replace=True, lazy=lazy_)
        return out
