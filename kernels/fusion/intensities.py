"""MONAI's dictionary intensity transforms on virtual images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from ..cpu.arrays import INTERPOLABLE
from .call import Call, Item
from .noise import Draw
from .operations import replaced
from .points import Contrast, Limit, Noise, Point, Scale, join
from .track import Track


def _add(call: Call, track: Track, points: list[Point], instead: Callable[[Any], Any], *, to_float: bool = False) -> None:
    """Add `points`, or run `instead` on the written image. `to_float`: MONAI's transform makes float32 of what it gets."""
    why = track.solid
    if why is None and track.dtype is not torch.float32 and not (to_float and track.dtype in INTERPOLABLE):
        why = f"changes the intensity of {track.dtype}"
    if why is not None:
        call.miss(why)
        call.write(track)
        replaced(track, instead)
        return
    track.dtype = torch.float32
    for point in points:
        join(track.points, point)


def _as_tensors(t: Any, item: Item, call: Call) -> Item:
    """What MONAI does when it decides against a transform: only arrays become tensors."""
    for key in t.key_iterator(item):
        call.track(item, key)
    return item


def rand_scaled(t: Any, item: Item, call: Call) -> Item:
    t.randomize(None)
    first = t.first_key(item) if t._do_transform else ()
    if first == ():
        return _as_tensors(t, item, call)
    t.scaler.randomize(call.track(item, first))
    for key in t.key_iterator(item):
        scale = Scale(1 + t.scaler.factor, 0.0)
        _add(call, call.track(item, key), [scale], lambda img: t.scaler(img, randomize=False), to_float=True)
    return item


def scaled(t: Any, item: Item, call: Call) -> Item:
    """ScaleIntensityd by a factor; to a range it looks at all voxels first and is left to MONAI."""
    for key in t.key_iterator(item):
        points: list[Point] = [] if t.scaler.factor is None else [Scale(1 + t.scaler.factor, 0.0)]
        _add(call, call.track(item, key), points, t.scaler, to_float=True)
    return item


def scale_ranged(t: Any, item: Item, call: Call) -> Item:
    scaler = t.scaler
    points: list[Point] = [Scale(1.0, -scaler.a_min), Scale(1.0 / (scaler.a_max - scaler.a_min), 0.0)]
    if scaler.b_min is not None and scaler.b_max is not None:
        points.append(Scale(scaler.b_max - scaler.b_min, scaler.b_min))
    if scaler.clip:
        low = -float("inf") if scaler.b_min is None else scaler.b_min
        points.append(Limit(low, float("inf") if scaler.b_max is None else scaler.b_max))
    for key in t.key_iterator(item):
        _add(call, call.track(item, key), points, scaler, to_float=True)
    return item


def rand_shifted(t: Any, item: Item, call: Call) -> Item:
    t.randomize(None)
    first = t.first_key(item) if t._do_transform else ()
    if first == ():
        return _as_tensors(t, item, call)
    t.shifter.randomize(call.track(item, first))
    for key, factor_key, meta_key, postfix in t.key_iterator(item, t.factor_key, t.meta_keys, t.meta_key_postfix):
        factor = _factor(item, key, factor_key, meta_key, postfix)
        shift = Scale(1.0, t.shifter._offset if factor is None else t.shifter._offset * factor)
        _add(call, call.track(item, key), [shift], partial(t.shifter, factor=factor, randomize=False))
    return item


def shifted(t: Any, item: Item, call: Call) -> Item:
    for key, factor_key, meta_key, postfix in t.key_iterator(item, t.factor_key, t.meta_keys, t.meta_key_postfix):
        factor = _factor(item, key, factor_key, meta_key, postfix)
        offset = t.shifter.offset if factor is None else t.shifter.offset * factor
        _add(call, call.track(item, key), [Scale(1.0, offset)], partial(t.shifter, offset=offset))
    return item


def _factor(item: Item, key: object, factor_key: object, meta_key: object, postfix: object) -> Any:
    meta_key = meta_key or f"{key}_{postfix}"
    return item[meta_key].get(factor_key) if meta_key in item else None


def rand_contrastd(t: Any, item: Item, call: Call) -> Item:
    t.randomize(None)
    if not t._do_transform:
        return _as_tensors(t, item, call)
    t.adjuster.randomize(None)
    for key in t.key_iterator(item):
        contrast = Contrast(t.adjuster.gamma_value)
        _add(call, call.track(item, key), [contrast], lambda img: t.adjuster(img, randomize=False))
    return item


def contrastd(t: Any, item: Item, call: Call) -> Item:
    for key in t.key_iterator(item):
        _add(call, call.track(item, key), [Contrast(t.adjuster.gamma)], t.adjuster)
    return item


def rand_noised(t: Any, item: Item, call: Call) -> Item:
    """The decision comes from the transform's generator, the field from its inner one."""
    t.randomize(None)
    first = t.first_key(item) if t._do_transform else ()
    if first == ():
        return _as_tensors(t, item, call)
    inner, shape = t.rand_gaussian_noise, call.track(item, first).shape
    source = call.noise_source(inner)
    if call.fast_noise:
        draw = source.next_seed(inner.mean, shape)
    else:
        # A generator that others use as well must be drawn from now.
        draw = source.next(inner.mean, shape, late=inner.R is not t.R)
    inner._do_transform = True
    draw.shared = len(t.keys) > 1
    for key in t.key_iterator(item):
        track = call.track(item, key)
        if track.shape == shape:
            _add(call, track, [Noise(draw)], lambda img: _plus(img, draw), to_float=True)
        else:
            call.miss("noise of another shape")
            call.write(track)
            replaced(track, lambda img: _plus(img, draw))
    return item


def _plus(img: torch.Tensor, draw: Draw) -> torch.Tensor:
    return img.to(torch.float32) + draw.field().to(img.device)
