"""MONAI's dictionary crops and pads on virtual images, drawn as their `__call__` draws."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from copy import deepcopy
from typing import Any

import monai.transforms as mt
import numpy as np
from monai.utils import ImageMetaKey, TraceKeys, fall_back_tuple

from .call import Call, Item
from .operations import crop, info_of, pad, record, wrapped
from .settle import settle
from .track import Track


def cropd(t: Any, item: Item, call: Call) -> Item:
    """SpatialCropd, CenterSpatialCropd, CenterScaleCropd."""
    for key in t.key_iterator(item):
        track = call.track(item, key)
        track.push(crop(call, track, _slices(t.cropper, track), info_of(t.cropper)))
    return item


def rand_cropd(t: Any, item: Item, call: Call) -> Item:
    """RandSpatialCropd, RandScaleCropd: drawn once from the first key's shape."""
    first = t.first_key(item)
    t.randomize(call.track(item, first).spatial_shape)
    for key in t.key_iterator(item):
        track = call.track(item, key)
        track.push(crop(call, track, _drawn_slices(t.cropper, track), info_of(t.cropper)))
    return item


def _slices(cropper: Any, track: Track) -> Sequence[slice]:
    if isinstance(cropper, mt.SpatialCrop):
        return tuple(cropper.slices)
    shape = track.spatial_shape
    if isinstance(cropper, mt.CenterScaleCrop):
        scale = mt.RandScaleCrop(cropper.roi_scale)
        scale.get_max_roi_size(shape)
        return tuple(mt.CenterSpatialCrop(scale.roi_size).compute_slices(shape))
    return tuple(cropper.compute_slices(shape))


def _drawn_slices(cropper: Any, track: Track) -> Sequence[slice]:
    if cropper.random_center:
        return tuple(cropper._slices)
    return tuple(mt.CenterSpatialCrop(cropper._size).compute_slices(track.spatial_shape))


def rand_crop_samplesd(t: Any, item: Item, call: Call) -> list[Item]:
    """RandSpatialCropSamplesd: every key's cropper starts from the same drawn seed."""
    samples = _samples(item, t.cropper.num_samples, t.keys)
    t.randomize()
    inner = t.cropper.cropper
    for key in t.key_iterator(item):
        whole = call.track(item, key)
        t.cropper.set_random_state(seed=int(t.sub_seed))
        for i, sample in enumerate(samples):
            track = sample[key] = whole.copy()
            inner.randomize(whole.spatial_shape)
            made = crop(call, track, _drawn_slices(inner, whole), info_of(inner))
            _sampled(track, t.cropper, made, i)
    return samples


def rand_crop_by_labeld(t: Any, item: Item, call: Call) -> list[Item]:
    """RandCropByPosNegLabeld, RandCropByLabelClassesd: the label and the image are written first, the draw looks at them."""
    if isinstance(t, mt.RandCropByPosNegLabeld):
        foreground, background = item.pop(t.fg_indices_key, None), item.pop(t.bg_indices_key, None)
        ready = foreground is not None and background is not None
        t.randomize(_current(t.label_key, item, call, ready), foreground, background, _current(t.image_key, item, call, ready))
    else:
        indices = item.pop(t.indices_key, None)
        ready = indices is not None
        t.randomize(_current(t.label_key, item, call, ready), indices, _current(t.image_key, item, call, ready))
    cropper = t.cropper
    samples = _samples(item, cropper.num_samples, t.keys)
    for key in t.key_iterator(item):
        whole = call.track(item, key)
        size = fall_back_tuple(cropper.spatial_size, default=whole.spatial_shape)
        for i, (sample, center) in enumerate(zip(samples, cropper.centers or (), strict=False)):
            track = sample[key] = whole.copy()
            centre = center if isinstance(t, mt.RandCropByPosNegLabeld) else tuple(center)
            spatial = mt.SpatialCrop(roi_center=centre, roi_size=size)
            _sampled(track, cropper, crop(call, track, spatial.slices, info_of(spatial)), i, center)
    return samples


def _current(key: Hashable, item: Item, call: Call, ready: bool) -> Any:
    """What `randomize` sees under `key`: the written image, or only its shape when the indices are given."""
    if key is None or key not in item:
        return None
    if type(item[key]) is np.ndarray:
        return item[key]  # which MONAI inverts otherwise than a tensor: of uint8, every voxel of that is background
    track = call.track(item, key)
    if ready and track.solid is None:
        # Only the shape is looked at; an array of that shape without memory.
        return np.broadcast_to(np.uint8(0), track.shape)
    call.write(track)
    return track.finish(track.source)


def _samples(item: Item, count: int, keys: Sequence[Hashable]) -> list[Item]:
    samples = [dict(item) for _ in range(count)]
    for key in set(item).difference(keys):
        value = item[key]
        for sample in samples:
            if type(value) is Track:
                sample[key] = deepcopy(settle([value.copy()])[0])
            else:
                sample[key] = deepcopy(value)
    return samples


def _sampled(track: Track, cropper: Any, made: dict[str, Any], index: int, center: Any = None) -> None:
    track.push(wrapped(info_of(cropper), made))
    if track.meta is not None:
        track.meta[ImageMetaKey.PATCH_INDEX] = index
        if center is not None:
            track.meta["crop_center"] = center


def padd(t: Any, item: Item, call: Call) -> Item:
    """SpatialPadd, BorderPadd, DivisiblePadd."""
    for key, mode in t.key_iterator(item, t.mode):
        track = call.track(item, key)
        track.push(_pad(call, track, t.padder, mode))
    return item


def _pad(call: Call, track: Track, padder: Any, mode: Any) -> dict[str, Any]:
    to_pad = padder.to_pad if padder.to_pad is not None else padder.compute_pad_width(track.spatial_shape)
    return pad(call, track, to_pad, padder.mode if mode is None else mode, dict(padder.kwargs), info_of(padder))


def resize_with_pad_or_cropd(t: Any, item: Item, call: Call) -> Item:
    for key, mode in t.key_iterator(item, t.mode):
        track, both = call.track(item, key), t.padder
        cropped = crop(call, track, both.cropper.compute_slices(track.spatial_shape), info_of(both.cropper))
        padded = _pad(call, track, both.padder, mode)
        extra = {"pad_info": padded, "crop_info": cropped}
        track.push(record(info_of(both), cropped.get(TraceKeys.ORIG_SIZE, ()), extra))
    return item
