"""The geometric operations on a virtual image, each with the record that MONAI's functional would have made.

Where an image cannot take an operation over, what is pending on it is carried out and MONAI's own functional does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from monai.transforms.croppad import functional as croppad
from monai.transforms.spatial import functional as spatial
from monai.utils import TraceKeys

from ..torch_grid import on_ties
from ..tracking import Matrix
from .call import Call
from .settle import settle
from .track import Record, Track

Info = dict[str, Any]


def traces(transform: Any) -> bool:
    """As the `tracing` of MONAI's traceable transforms, without its slow way to the usual answer; others do trace."""
    try:
        return bool(transform._tracing.value)
    except AttributeError:
        return bool(getattr(transform, "tracing", True))


def info_of(transform: Any) -> Info:
    """What MONAI's `get_transform_info` says, in a tenth of its time."""
    return {
        TraceKeys.CLASS_NAME: type(transform).__name__,
        TraceKeys.ID: id(transform),
        TraceKeys.TRACING: traces(transform),
        TraceKeys.DO_TRANSFORM: getattr(transform, "_do_transform", True),
    }


def record(info: Info, orig_size: Sequence[int], extra: dict[str, Any]) -> Record:
    return {**info, TraceKeys.ORIG_SIZE: orig_size, TraceKeys.LAZY: False, TraceKeys.EXTRA_INFO: extra}


def wrapped(info: Info, inner: Record) -> Record:
    """The record of a random transform around the one it ran."""
    return {**info, TraceKeys.ORIG_SIZE: inner.get(TraceKeys.ORIG_SIZE), TraceKeys.LAZY: False, TraceKeys.EXTRA_INFO: inner}


def idle(info: Info, track: Track) -> Record:
    """The record of a random transform that did nothing."""
    return record(info, track.spatial_shape, {})


def crop(call: Call, track: Track, slices: Sequence[slice], info: Info) -> Record:
    """`slices` of the spatial axes, as MONAI's `crop_func` takes them; fewer than there are axes: the rest stay whole."""
    shape = track.spatial_shape
    slices = [*slices, *[slice(None)] * (len(shape) - len(slices))][: len(shape)]
    bounds = [s.indices(n)[:2] for s, n in zip(slices, shape, strict=True)]
    why = call.ready(track, lambda: track.why_not_moved(cuts=True))
    if any(stop <= start for start, stop in bounds) and why is None:
        why = "crops everything away"
    if why is not None:
        return _by_monai(call, track, why, lambda img: croppad.crop_func(img, (slice(None), *slices), False, info))
    extra = {"cropped": [v for (start, stop), n in zip(bounds, shape, strict=True) for v in (start, n - stop)]}
    start, size = tuple(b[0] for b in bounds), tuple(b[1] - b[0] for b in bounds)
    if size != shape:
        track.geometry = call.moved(track.geometry, (start, size), lambda g: g.crop(start, size))
    return record(info, shape, extra)


def pad(call: Call, track: Track, to_pad: Sequence[tuple[int, int]], mode: str, options: dict[str, Any], info: Info) -> Record:
    """`to_pad` with the channel axis first, as MONAI's `pad_func` takes it."""
    shape = track.spatial_shape
    before, after = tuple(int(p[0]) for p in to_pad[1:]), tuple(int(p[1]) for p in to_pad[1:])
    needed = any(before) or any(after) or any(to_pad[0])
    why = call.ready(track, lambda: track.why_not_moved(pads=needed))
    fill = float(options.get("value", options.get("constant_values", 0.0))) if _plain_options(options) else None
    if needed and why is None:
        if mode != "constant" or fill is None or any(to_pad[0]) or len(before) != len(shape) or min((*before, *after)) < 0:
            why = f"pads by {mode}" if mode != "constant" else "pads in an unusual way"
        elif track.geometry.window.padded and fill != track.fill:
            why = "pads by another value than before"
    if why is not None and needed:
        return _by_monai(call, track, why, lambda img: croppad.pad_func(img, tuple(to_pad), info, mode, False, **options))
    if needed:
        track.fill = fill or 0.0
        track.geometry = call.moved(track.geometry, (before, after), lambda g: g.pad(before, after))
    return record(info, shape, {"padded": to_pad, "mode": f"{mode}"})


def _plain_options(options: dict[str, Any]) -> bool:
    return set(options) <= {"value", "constant_values"} and all(isinstance(v, (int, float)) for v in options.values())


def flip(call: Call, track: Track, axes: Sequence[int] | int | None, info: Info) -> Record:
    shape = track.spatial_shape
    rank = len(shape)
    why = call.ready(track, track.why_not_moved)
    listed = tuple(range(rank)) if axes is None else (axes,) if isinstance(axes, int) else tuple(axes)
    # MONAI counts negative axes with the channels among them: -rank - 1 would be the channels.
    spatial_axes = tuple(a % (rank + 1) - 1 if a < 0 else a for a in listed)
    if why is None and (len(set(spatial_axes)) != len(spatial_axes) or not all(0 <= a < rank for a in spatial_axes)):
        why = f"flips axes {axes}"
    if why is not None:
        return _by_monai(call, track, why, lambda img: spatial.flip(img, axes, False, info))
    track.geometry = call.moved(track.geometry, (spatial_axes,), lambda g: g.flip(spatial_axes))
    return record(info, shape, {"axes": axes})


def rot90(call: Call, track: Track, k: int, axes: tuple[int, int], info: Info) -> Record:
    """`axes` as the user gave them, without the channels."""
    shape = track.spatial_shape
    rank = len(shape)
    full = [a % (rank + 1) if a < 0 else a + 1 for a in axes]
    why = call.ready(track, track.why_not_moved)
    a, b = full[0] - 1, full[1] - 1
    if why is None and (a == b or not (0 <= a < rank and 0 <= b < rank)):
        why = f"turns axes {axes}"
    if why is not None:
        return _by_monai(call, track, why, lambda img: spatial.rotate90(img, full, k, False, info))
    track.geometry = call.moved(track.geometry, (k, a, b), lambda g: g.rot90(k, (a, b)))
    return record(info, shape, {"axes": [a, b], "k": k})


def interpolate(
    call: Call,
    track: Track,
    sampled: Matrix,
    recorded: Matrix,
    shape: Sequence[int],
    *,
    mode: object,
    padding_mode: object,
    memo: tuple[Hashable, ...],
    made: Callable[[Sequence[int]], Record],
    by_monai: Callable[[torch.Tensor], torch.Tensor],
) -> Record:
    """`sampled` and `recorded` (r + 1, r + 1): output voxel to input voxel, for the values and for the metadata."""
    mode, padding_mode = str(getattr(mode, "value", mode)), str(getattr(padding_mode, "value", padding_mode))
    linear = mode in ("bilinear", "linear", "trilinear")
    why = call.ready(track, lambda: track.why_not_interpolated(linear))
    if why is None and not (linear or mode == "nearest"):
        why = f"interpolates by {mode}"
    if why is None and padding_mode not in ("zeros", "border"):
        why = f"pads by {padding_mode}"
    if why is None and (min(shape) < 1 or not np.isfinite(sampled).all()):
        why = "an unusual matrix or shape"
    if why is None and not linear and on_ties(sampled[:-1], shape):
        why = "samples exactly between voxels"
    if why is None and track.geometry.window.padded and track.fill != 0.0:
        why = "interpolates an image padded by a value"
    if why is not None:
        return _by_monai(call, track, why, by_monai)
    before = track.spatial_shape
    size = tuple(int(n) for n in shape)
    track.geometry = call.moved(track.geometry, (size, *memo), lambda g: g.interpolate(sampled, size, recorded))
    track.linear, track.border, track.dtype = linear, padding_mode == "border", torch.float32
    return made(before)


def _by_monai(call: Call, track: Track, why: str, operation: Callable[[torch.Tensor], torch.Tensor]) -> Record:
    """Run `operation` on the written image; what it recorded is taken off again, for the caller to wrap."""
    call.miss(why)
    call.write(track)
    return replaced(track, operation)


def replaced(track: Track, operation: Callable[[torch.Tensor], torch.Tensor]) -> Record:
    image = settle([track])[0]
    count = len(image.applied_operations) if isinstance(image, MetaTensor) else 0
    track.reset(operation(image))
    return track.applied.pop() if len(track.applied) > count else {}
