"""MONAI's EnsureTyped on virtual images, so that it ends no pass where there is nothing to convert."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from monai.data.meta_obj import get_track_meta
from monai.utils import get_equivalent_dtype

from .call import Call, Item
from .operations import replaced
from .track import Track


def ensure_typed(t: Any, item: Item, call: Call) -> Item:
    for key, dtype in t.key_iterator(item, t.dtype):
        value = item[key]
        if not isinstance(value, (Track, torch.Tensor, np.ndarray)) or t.converter.track_meta is not get_track_meta():
            if type(value) is Track:
                call.write(value)
                value = value.finish(value.source)
            item[key] = t.converter(value, dtype)
            continue
        track = call.track(item, key)
        wanted = track.dtype if dtype is None else get_equivalent_dtype(dtype, torch.Tensor)
        if track.solid is not None or wanted is not track.dtype:
            call.write(track)
            replaced(track, partial(t.converter, dtype=dtype))
    return item
