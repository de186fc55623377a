"""Walking through what a pipeline passes on: samples, lists of them, single images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monai.data.meta_tensor import MetaTensor

from .settle import settle
from .track import Track


def any_pending(data: Any) -> bool:
    """Whether MONAI's lazy operations wait on some image."""
    if type(data) is dict or isinstance(data, Mapping):
        return any(isinstance(v, MetaTensor) and bool(v.pending_operations) for v in data.values())
    if isinstance(data, (list, tuple)):
        return any(any_pending(item) for item in data)
    return isinstance(data, MetaTensor) and bool(data.pending_operations)


def settled(data: Any, threads: int | None = None) -> Any:
    """`data` with every virtual image carried out."""
    if isinstance(data, dict):
        keys = [key for key, value in data.items() if type(value) is Track]
        if not keys:
            return data
        data = dict(data)
        data.update(zip(keys, settle([data[key] for key in keys], None, threads), strict=True))
        return data
    if isinstance(data, list):
        return [settled(item, threads) for item in data]
    if isinstance(data, tuple):
        return tuple(settled(item, threads) for item in data)
    return data
