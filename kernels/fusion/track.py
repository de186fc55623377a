"""A virtual image: a tensor of the sample and what is still to be done to it, with the metadata it will have then."""

from __future__ import annotations

from collections.abc import Hashable
from copy import copy
from typing import Any, cast

import numpy as np
import torch
from monai.data.meta_obj import get_track_meta
from monai.data.meta_tensor import MetaTensor
from monai.data.utils import affine_to_spacing
from monai.utils import MetaKeys, convert_to_tensor

from .. import gpu
from ..cpu.arrays import INTERPOLABLE, MOVABLE
from .geometry import Geometry
from .points import Point

Record = dict[str, Any]


class Track:
    """One image of one sample. Owned by one call; `copy` for another sample made of the same source.

    It has the `shape` (C, D, H, W) and `ndim` of the image as it will be, so that MONAI's `randomize(image)` takes it for one.
    """

    __slots__ = ("applied", "border", "dtype", "fill", "geometry", "linear", "meta", "points", "solid", "source", "spatial_ndim")

    def __init__(self, image: object) -> None:
        self.reset(image)

    def reset(self, image: object) -> None:
        """Start again from a tensor, with its metadata."""
        tracked = get_track_meta()
        tensor: Any = image if type(image) is MetaTensor and tracked else convert_to_tensor(image, track_meta=tracked)
        self.points: list[Point] = []
        self.linear = self.border = False
        self.fill = 0.0
        if isinstance(tensor, MetaTensor):
            state = tensor.__dict__
            self.meta: dict[Hashable, Any] | None = dict(tensor.meta)
            self.applied: list[Record] = list(tensor.applied_operations)
            self.spatial_ndim = tensor.spatial_ndim
            self.source: torch.Tensor = tensor.as_subclass(torch.Tensor)
            busy = bool(state.get("_pending_operations")) or tensor.is_batch
        else:
            self.meta, self.applied, self.spatial_ndim, self.source, busy = None, [], tensor.ndim - 1, tensor, False
        source = self.source
        self.dtype = source.dtype
        rank = source.ndim - 1
        #: why no step can be taken over, or None
        self.solid: str | None = None
        if busy:
            self.solid = "operations are pending on the image, or it is a batch"
        elif rank not in (2, 3) or self.spatial_ndim != rank:
            self.solid = f"{self.spatial_ndim} spatial axes in a tensor of {source.ndim}"
        elif (
            (source.device.type != "cpu" and not gpu.takes(source)) or source.layout != torch.strided or source.dtype not in MOVABLE
        ):
            self.solid = f"{source.dtype} on {source.device.type}"
        elif source.requires_grad:
            self.solid = "the image requires a gradient"
        elif source.numel() == 0:
            self.solid = "the image is empty"
        elif self.meta is not None and MetaKeys.AFFINE in self.meta and len(self.meta[MetaKeys.AFFINE]) < rank + 1:
            self.solid = f"an affine of shape {tuple(self.meta[MetaKeys.AFFINE].shape)} for {rank} axes"
        if self.solid is None:
            self.geometry = Geometry.whole(tuple(source.shape[1:]))

    @property
    def shape(self) -> tuple[int, ...]:
        if self.solid is not None:
            return tuple(self.source.shape)
        return (self.source.shape[0], *self.geometry.shape)

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        return tuple(self.source.shape[1:]) if self.solid is not None else self.geometry.shape

    @property
    def ndim(self) -> int:
        return self.source.ndim

    def push(self, made: Record) -> None:
        """Note an operation. (`applied` itself may be replaced while the operation runs.)"""
        self.applied.append(made)

    def copy(self) -> Track:
        """For another sample: nothing but the source is shared."""
        other = Track.__new__(Track)
        for name in Track.__slots__:
            if hasattr(self, name):
                setattr(other, name, getattr(self, name))
        other.points, other.applied = list(self.points), list(self.applied)
        other.meta = None if self.meta is None else dict(self.meta)
        return other

    def why_not_moved(self, *, pads: bool = False, interpolates: bool = False, cuts: bool = False) -> str | None:
        """Why a geometric step cannot join what is pending, or None. `cuts`: it removes voxels."""
        if self.solid is not None:
            return self.solid
        if (pads or interpolates) and self.geometry.warp is not None:
            return "follows an interpolation"
        if (pads or interpolates) and self.points:
            return "follows an intensity step"
        if any(point.placed or (cuts and point.needs_all) for point in self.points):
            return "follows noise or contrast"
        return None

    def why_not_interpolated(self, linear: bool) -> str | None:
        why = self.why_not_moved(interpolates=True)
        if (
            why is None
            and linear
            and (self.source.dtype not in INTERPOLABLE or self.dtype not in (self.source.dtype, torch.float32))
        ):
            return f"interpolates {self.source.dtype}"
        return why

    def finish(self, values: torch.Tensor) -> torch.Tensor:
        """`values`, the result, with the metadata of the result."""
        if self.meta is None:
            return values
        meta = self.meta
        if self.solid is None:
            affine = meta.get(MetaKeys.AFFINE)
            if affine is not None:
                meta[MetaKeys.AFFINE] = moved_affine(affine, self.geometry.voxel)
                if MetaKeys.PIXDIM in meta:
                    # A copy: MONAI writes into the array of the image it was given.
                    pixdim, spacing = copy(meta[MetaKeys.PIXDIM]), affine_to_spacing(meta[MetaKeys.AFFINE])
                    pixdim[1 : 1 + len(spacing)] = spacing
                    meta[MetaKeys.PIXDIM] = pixdim
        return with_state(values, meta, self.applied, self.spatial_ndim)


def with_state(values: torch.Tensor, meta: dict[Hashable, Any], applied: list[Record], spatial_ndim: int) -> torch.Tensor:
    """A MetaTensor over `values` without the copies and checks of its constructor."""
    result = cast(MetaTensor, values.as_subclass(MetaTensor))
    result.__dict__.update(
        _meta=meta, _applied_operations=applied, _pending_operations=[], _is_batch=False, _spatial_ndim=spatial_ndim
    )
    return cast(torch.Tensor, result)


def moved_affine(affine: torch.Tensor, voxel: np.ndarray) -> torch.Tensor:
    """The affine (4, 4) or (3, 3) of an image whose voxels moved; a 2-D move under a 3-D affine is embedded, as by MONAI."""
    size = len(affine)
    if size != len(voxel):
        full = np.eye(size)
        rank = len(voxel) - 1
        full[:rank, :rank], full[:rank, -1] = voxel[:rank, :rank], voxel[:rank, -1]
        voxel = full
    return torch.from_numpy(np.asarray(affine.numpy() if isinstance(affine, torch.Tensor) else affine, dtype=np.float64) @ voxel)
