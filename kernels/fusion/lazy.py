"""MONAI's lazy operations, carried out by our kernels together with the intensity steps that follow them.

MONAI itself gathers the operations, so sizes, affines and trace are its own; here they are composed as its `apply_pending` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from monai.data.utils import to_affine_nd
from monai.transforms.lazy.functional import apply_pending
from monai.transforms.lazy.utils import kwargs_from_pending, requires_interp
from monai.utils import LazyAttr

from ..cpu.window import Axis, Window
from ..tracking import Matrix
from .call import Call
from .geometry import Geometry
from .track import Track


def carry_out(data: Any, overrides: Mapping[Any, Any] | None, call: Call) -> Any:
    """`data` with nothing pending: images with lazy operations become virtual ones."""
    if isinstance(data, (list, tuple)):
        return [carry_out(item, overrides, call) for item in data]
    if isinstance(data, Mapping):
        waiting = [key for key, value in data.items() if isinstance(value, MetaTensor) and value.has_pending_operations]
        if not waiting:
            return data
        data = dict(data)
        call.step = None  # what is left to MONAI here belongs to no single step
        for key in waiting:
            data[key] = _image(data[key], dict((overrides or {}).get(key) or {}), call)
        return data
    if isinstance(data, MetaTensor) and data.has_pending_operations:
        return apply_pending(data, overrides=dict(overrides) if overrides else None)[0]
    return data


def _image(image: MetaTensor, overrides: dict[str, Any], call: Call) -> Any:
    pending = list(image.pending_operations)
    bare = image.as_subclass(torch.Tensor).as_subclass(MetaTensor)
    bare.__dict__.update(image.__dict__)
    bare.__dict__["_pending_operations"] = []
    track = Track(bare)
    geometry = None if track.solid else _geometry(track, pending, overrides)
    if geometry is None:
        call.miss(track.solid or "lazy operations with unusual options")
        bare.__dict__["_pending_operations"] = pending
        return apply_pending(bare, overrides=overrides)[0]
    if geometry.warp is not None:
        mode, padding_mode = _modes(pending, overrides)
        track.linear, track.border = mode == "bilinear", padding_mode == "border"
        why = track.why_not_interpolated(track.linear)
        if why is not None:
            call.miss(why)
            return apply_pending(_again(bare, pending), overrides=overrides)[0]
    track.geometry, track.dtype = geometry, torch.float32
    track.applied += pending
    return track


def _again(bare: MetaTensor, pending: list[Any]) -> MetaTensor:
    bare.__dict__["_pending_operations"] = pending
    return bare


def _modes(pending: list[Any], overrides: dict[str, Any]) -> tuple[str | None, str | None]:
    """Of the last operation, or what the overrides say, or MONAI's defaults; None for what is not covered."""
    last = kwargs_from_pending(pending[-1])
    mode = overrides.get("mode", last.get(LazyAttr.INTERP_MODE))
    padding_mode = overrides.get("padding_mode", last.get(LazyAttr.PADDING_MODE))
    mode = "bilinear" if mode is None else str(getattr(mode, "value", mode))
    padding_mode = "border" if padding_mode is None else str(getattr(padding_mode, "value", padding_mode))
    return (mode if mode in ("bilinear", "nearest") else None), (padding_mode if padding_mode in ("border", "zeros") else None)


def _geometry(track: Track, pending: list[Any], overrides: dict[str, Any]) -> Geometry | None:
    if set(overrides) - {"mode", "padding_mode", "dtype"} or overrides.get("dtype", torch.float64) not in (
        torch.float64,
        torch.float32,
    ):
        return None
    rank = track.ndim - 1
    matrix = np.eye(rank + 1)
    options: dict[Any, Any] = {}
    for operation in pending:
        if not isinstance(operation, dict) or LazyAttr.AFFINE not in operation:
            return None
        step = np.asarray(torch.as_tensor(operation[LazyAttr.AFFINE]).numpy(), dtype=np.float64)
        matrix = matrix @ np.asarray(to_affine_nd(rank, step))
        options.update(kwargs_from_pending(operation))
    size = tuple(int(n) for n in options.get(LazyAttr.SHAPE, ()))
    if options.get(LazyAttr.ALIGN_CORNERS) or len(size) != rank or min(size) < 1:
        return None
    mode, padding_mode = _modes(pending, overrides)
    if mode is None or padding_mode is None:
        return None
    whole = track.geometry
    if requires_interp(matrix) is None:
        return whole.interpolate(matrix, size)
    window = _permutation(matrix, whole.shape, size)
    if window.padded and padding_mode != "zeros":
        return None
    return Geometry(window, None, matrix)


def _permutation(matrix: Matrix, shape: tuple[int, ...], size: tuple[int, ...]) -> Window:
    """The window that a matrix close to a signed permutation sees; MONAI rounds it as well."""
    rounded = np.round(matrix).astype(int)
    axes = []
    for i, n in enumerate(size):
        source = int(np.flatnonzero(rounded[:-1, i])[0])
        axes.append(Axis(source, int(rounded[source, -1]), int(rounded[source, i]), n, 0, shape[source]))
    return Window(shape, tuple(axes))
