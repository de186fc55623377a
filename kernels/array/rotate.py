"""Rotations of single images by any angle."""

from __future__ import annotations

from typing import cast

import monai.transforms as mt
import torch
from monai.config import DtypeLike
from monai.data.meta_tensor import MetaTensor

from ..pending import carried_out
from ..tracking import Traced


class Rotate(mt.Rotate):
    """`monai.transforms.Rotate`."""

    def __call__(
        self,
        img: torch.Tensor,
        mode: str | None = None,
        padding_mode: str | None = None,
        align_corners: bool | None = None,
        dtype: DtypeLike | torch.dtype = None,
        lazy: bool | None = None,
    ) -> torch.Tensor:
        arguments = (mode, padding_mode, align_corners, dtype)
        return carried_out(self, super().__call__, img, arguments, self.lazy if lazy is None else lazy)


class RandRotate(mt.RandRotate, Traced):
    """`monai.transforms.RandRotate` with the same draws."""

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
            self.randomize()
        if not self._do_transform:
            return cast(torch.Tensor, super().__call__(img, randomize=False, lazy=lazy))
        lazy_ = self.lazy if lazy is None else lazy
        axes = len(img.peek_pending_shape() if isinstance(img, MetaTensor) else img.shape[1:])
        rotate = Rotate(
            angle=self.x if axes == 2 else (self.x, self.y, self.z),
            keep_size=self.keep_size,
            mode=mode or self.mode,
            padding_mode=padding_mode or self.padding_mode,
            align_corners=self.align_corners if align_corners is None else align_corners,
            dtype=dtype or self.dtype or img.dtype,
            lazy=lazy_,
        )
        out = rotate(img)
        self.push_transform(out, replace=True, lazy=lazy_)
        return out
