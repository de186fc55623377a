"""Crops of single images.

A crop is a view, as in MONAI: there is no voxel to move. What takes time, and is shortened, is the metadata and the search for
the voxels of a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import monai.transforms as mt
import numpy as np
import torch
from monai.data.meta_obj import get_track_meta
from monai.data.meta_tensor import MetaTensor
from monai.transforms.utils import compute_divisible_spatial_size, is_positive
from monai.utils import ImageMetaKey, ensure_tuple_rep, fall_back_tuple

from ..candidates import class_candidates, foreground_candidates
from ..foreground_box import bounding_box
from ..tracking import Inner, Traced, affine_rank, plain_voxels, recorded, tracked, translation
from .pad import BorderPad, Pad, SpatialPad


class Crop(mt.Crop):
    """`monai.transforms.Crop`."""

    def __call__(self, img: torch.Tensor, slices: tuple[slice, ...], lazy: bool | None = None) -> torch.Tensor:
        voxels = None if (self.lazy if lazy is None else lazy) else plain_voxels(img)
        box = None if voxels is None else _box(tuple(voxels.shape[1:]), slices)
        if voxels is None or box is None:
            out: torch.Tensor = super().__call__(img=img, slices=slices, lazy=lazy)
            return out
        img = tracked(img)
        rank = affine_rank(img)
        if rank < len(box):
            out = super().__call__(img=img, slices=slices, lazy=lazy)
            return out
        size = tuple(voxels.shape[1:])
        return recorded(
            img,
            voxels[(slice(None), *(slice(start, stop) for start, stop in box))],
            affine=translation(rank, [start for start, _ in box]),
            extra_info={"cropped": [n for (start, stop), whole in zip(box, size, strict=True) for n in (start, whole - stop)]},
            orig_size=size,
            transform_info=self.get_transform_info(),
        )

    def inverse(self, img: torch.Tensor) -> torch.Tensor:
        padder = BorderPad(self.pop_transform(img)["extra_info"]["cropped"])
        with padder.trace_transform(False):
            return padder(img)


def _box(size: tuple[int, ...], slices: Sequence[slice]) -> list[tuple[int, int]] | None:
    """Start and stop per axis, or None where the slices are not plain or leave nothing."""
    box = []
    for i, whole in enumerate(size):
        part = slices[i] if i < len(slices) else slice(None)
        if not isinstance(part, slice) or part.step not in (None, 1):
            return None
        start = 0 if part.start is None else int(part.start)
        stop = whole if part.stop is None else int(part.stop)
        start, stop = start + whole if start < 0 else start, stop + whole if stop < 0 else min(stop, whole)
        if not 0 <= start < stop:
            return None
        box.append((start, stop))
    return box


class SpatialCrop(mt.SpatialCrop, Crop):
    """`monai.transforms.SpatialCrop`."""


class CenterSpatialCrop(mt.CenterSpatialCrop, Crop):
    """`monai.transforms.CenterSpatialCrop`."""


class CenterScaleCrop(mt.CenterScaleCrop, Crop):
    """`monai.transforms.CenterScaleCrop`."""


class RandSpatialCrop(mt.RandSpatialCrop, Crop):
    """`monai.transforms.RandSpatialCrop` with the same draws."""


class RandScaleCrop(mt.RandScaleCrop, RandSpatialCrop):
    """`monai.transforms.RandScaleCrop` with the same draws."""


class RandSpatialCropSamples(mt.RandSpatialCropSamples, Traced):
    """`monai.transforms.RandSpatialCropSamples` with the same draws."""

    cropper = Inner(RandSpatialCrop)


class CropForeground(mt.CropForeground, Crop, Traced):
    """`monai.transforms.CropForeground`; the box of the voxels above zero is found by us, any other by MONAI."""

    padder = Inner(Pad)

    def compute_bounding_box(self, img: torch.Tensor) -> tuple[object, object]:
        voxels = plain_voxels(img) if self.select_fn is is_positive and self.channel_indices is None else None
        box = None if voxels is None else bounding_box(voxels)
        margin = ensure_tuple_rep(self.margin, img.ndim - 1)
        if box is None or min(margin) < 0:
            start, stop = super().compute_bounding_box(img)
            return start, stop
        starts, stops = (np.array(side, dtype=np.int64) for side in box)
        if stops.any():
            starts, stops = starts - margin, stops + margin
            if self.allow_smaller:
                starts, stops = np.maximum(starts, 0), np.minimum(stops, img.shape[1:])
        starts, stops = starts.astype(np.int16), stops.astype(np.int16)
        size = np.asarray(compute_divisible_spatial_size((stops - starts).tolist(), k=self.k_divisible))
        starts = starts - np.floor_divide(size - (stops - starts), 2)
        return starts, starts + size


class RandCropByPosNegLabel(mt.RandCropByPosNegLabel, Traced):
    """`monai.transforms.RandCropByPosNegLabel` with the same draws; the candidates are counted and not listed."""

    def randomize(
        self,
        label: torch.Tensor | None = None,
        fg_indices: object = None,
        bg_indices: object = None,
        image: torch.Tensor | None = None,
    ) -> None:
        given = (self.fg_indices if fg_indices is None else fg_indices, self.bg_indices if bg_indices is None else bg_indices)
        if label is not None and (given[0] is None or given[1] is None):
            found = foreground_candidates(label, image, self.image_threshold)
            if found is not None:
                fg_indices, bg_indices = found
        super().randomize(label, fg_indices, bg_indices, image)

    def __call__(
        self,
        img: torch.Tensor,
        label: torch.Tensor | None = None,
        image: torch.Tensor | None = None,
        fg_indices: object = None,
        bg_indices: object = None,
        randomize: bool = True,
        lazy: bool | None = None,
    ) -> list[torch.Tensor]:
        if randomize:
            label = self.label if label is None else label
            self.randomize(label, fg_indices, bg_indices, self.image if image is None else image)
        return _crops_around(self, img, lazy)


class RandCropByLabelClasses(mt.RandCropByLabelClasses, Traced):
    """`monai.transforms.RandCropByLabelClasses` with the same draws; the candidates are counted and not listed."""

    def randomize(
        self,
        label: torch.Tensor | None = None,
        indices: list[object] | None = None,
        image: torch.Tensor | None = None,
    ) -> None:
        if label is not None and indices is None and self.indices is None and not self.max_samples_per_class:
            indices = class_candidates(label, self.num_classes, image, self.image_threshold)
        super().randomize(label, indices, image)

    def __call__(
        self,
        img: torch.Tensor,
        label: torch.Tensor | None = None,
        image: torch.Tensor | None = None,
        indices: list[object] | None = None,
        randomize: bool = True,
        lazy: bool | None = None,
    ) -> list[torch.Tensor]:
        if randomize:
            self.randomize(self.label if label is None else label, indices, self.image if image is None else image)
        return _crops_around(self, img, lazy)


def _crops_around(
    transform: RandCropByPosNegLabel | RandCropByLabelClasses, img: torch.Tensor, lazy: bool | None
) -> list[torch.Tensor]:
    """One crop for each centre drawn, as MONAI makes and records them."""
    if transform.centers is None:
        return []
    lazy_ = transform.lazy if lazy is None else lazy
    size = img.peek_pending_shape() if isinstance(img, MetaTensor) else img.shape[1:]
    roi_size = fall_back_tuple(transform.spatial_size, default=size)
    crops = []
    for i, center in enumerate(transform.centers):
        cropper: Any = SpatialCrop(roi_center=tuple(center), roi_size=roi_size, lazy=lazy_)
        cropped = cropper(img)
        if get_track_meta():
            cropped.meta[ImageMetaKey.PATCH_INDEX] = i
            cropped.meta["crop_center"] = center
            transform.push_transform(cropped, replace=True, lazy=lazy_)
        crops.append(cropped)
    return crops


class ResizeWithPadOrCrop(mt.ResizeWithPadOrCrop, Traced):
    """`monai.transforms.ResizeWithPadOrCrop`."""

    padder = Inner(SpatialPad)
    cropper = Inner(CenterSpatialCrop)
