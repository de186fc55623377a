"""MONAI's dictionary flips and quarter turns on virtual images."""

from __future__ import annotations

from typing import Any

import monai.transforms as mt

from .call import Call, Item
from .operations import flip, idle, info_of, rot90, wrapped


def flipd(t: Any, item: Item, call: Call) -> Item:
    for key in t.key_iterator(item):
        track = call.track(item, key)
        track.push(flip(call, track, t.flipper.spatial_axis, info_of(t.flipper)))
    return item


def rand_flipd(t: Any, item: Item, call: Call) -> Item:
    t.randomize(None)
    for key in t.key_iterator(item):
        track = call.track(item, key)
        info = info_of(t)
        if t._do_transform:
            track.push(wrapped(info, flip(call, track, t.flipper.spatial_axis, info_of(t.flipper))))
        else:
            track.push(idle(info, track))
    return item


def rand_axis_flipd(t: Any, item: Item, call: Call) -> Item:
    first = t.first_key(item)
    if first == ():
        return item
    t.randomize(None)
    t.flipper.randomize(call.track(item, first))
    for key in t.key_iterator(item):
        track = call.track(item, key)
        info = info_of(t)
        if t._do_transform:
            inner, axis = t.flipper, t.flipper._axis
            inner.flipper.spatial_axis = axis
            made = flip(call, track, axis, info_of(inner.flipper))
            track.push(wrapped(info, wrapped(info_of(inner), made)))
        else:
            track.push(idle(info, track))
    return item


def rotate90d(t: Any, item: Item, call: Call) -> Item:
    for key in t.key_iterator(item):
        track = call.track(item, key)
        track.push(rot90(call, track, t.rotator.k, t.rotator.spatial_axes, info_of(t.rotator)))
    return item


def rand_rotate90d(t: Any, item: Item, call: Call) -> Item:
    t.randomize()
    rotator = mt.Rotate90(t._rand_k, t.spatial_axes)
    for key in t.key_iterator(item):
        track = call.track(item, key)
        info = info_of(t)
        if t._do_transform:
            inner = rot90(call, track, rotator.k, rotator.spatial_axes, info_of(rotator))
            track.push(wrapped(info, inner))
        else:
            track.push(idle(info, track))
    return item
