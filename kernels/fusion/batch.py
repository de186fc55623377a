"""A batch of samples: images written into their place in the batch, the rest collated by MONAI."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping
from typing import Any, cast

import torch
from monai.data.meta_tensor import MetaTensor
from monai.data.utils import list_data_collate
from monai.utils import TraceKeys
from torch.utils.data import default_collate

from ..cpu import Moves
from ..threads import run_in_slabs, thread_count
from .buffers import Buffers
from .device import on_device, write_on_device
from .settle import is_moved, settle
from .track import Track
from .values import settled


def collate(done: list[Any], threads: int | None, memory: Buffers, begun: Mapping[Hashable, torch.Tensor] | None = None) -> Any:
    """As `list_data_collate`, of samples or lists of samples with virtual images. `begun`: batches whose noise is being drawn."""
    samples = [sample for group in done for sample in group] if isinstance(done[0], list) else done
    if not all(isinstance(sample, Mapping) for sample in samples):
        return list_data_collate(settled(done, threads))
    keys = list(samples[0])
    direct = [key for key in keys if _can_stack([sample.get(key) for sample in samples])]
    buffers = {key: _buffer([sample[key] for sample in samples], memory, (begun or {}).get(key)) for key in direct}
    images = _write(samples, direct, buffers, threads)
    rest = [{key: value for key, value in sample.items() if key not in buffers} for sample in samples]
    others = list_data_collate(settled(rest, threads)) if any(key not in buffers for key in keys) else {}
    return {key: _collated(buffers[key], images[key]) if key in buffers else others[key] for key in keys}


def _can_stack(values: list[Any]) -> bool:
    if not all(type(value) is Track and value.solid is None for value in values):
        return False
    first = values[0]
    kind = first.shape, first.dtype, first.source.device, first.meta is None
    return all((v.shape, v.dtype, v.source.device, v.meta is None) == kind for v in values)


def _buffer(tracks: list[Track], memory: Buffers, begun: torch.Tensor | None) -> torch.Tensor:
    first = tracks[0]
    shape = (len(tracks), *first.shape)
    if on_device(first.source):  # torch keeps the memory of a device itself
        return torch.empty(shape, dtype=first.dtype, device=first.source.device)
    if begun is not None and tuple(begun.shape) == shape and begun.dtype is first.dtype:
        return begun
    return memory.take(shape, first.dtype)


def _write(
    samples: list[Any], keys: list[Hashable], buffers: dict[Hashable, torch.Tensor], threads: int | None
) -> dict[Hashable, list[torch.Tensor]]:
    """Every sample's images into the buffers, samples side by side."""
    images: dict[Hashable, list[Any]] = {key: [None] * len(samples) for key in keys}
    if not keys:
        return images
    away = [key for key in keys if on_device(samples[0][key].source)]
    if away:
        _write_on_device(samples, away, buffers, images)
        keys = [key for key in keys if key not in away]
    if not keys:
        return images
    helpers = min(threads or thread_count(), thread_count())
    turns = itertools.count()
    moves = Moves() if all(is_moved(sample[key]) for sample in samples for key in keys) else None

    def one(j: int, inside: int | None) -> None:
        written = settle([samples[j][key] for key in keys], [buffers[key][j] for key in keys], inside, moves)
        for key, image in zip(keys, written, strict=True):
            images[key][j] = image

    def work(_start: int, _stop: int) -> None:
        # In the order of the samples whoever is free: exact noise is drawn in this order.
        while (j := next(turns)) < len(samples):
            one(j, 1)

    if moves is not None or len(samples) == 1 or helpers == 1:
        for j in range(len(samples)):
            one(j, 1 if helpers == 1 else threads)
        if moves is not None:
            moves.run(threads)
    else:
        run_in_slabs(work, min(helpers, len(samples)), 1)
    return images


def _write_on_device(
    samples: list[Any], keys: list[Hashable], buffers: dict[Hashable, torch.Tensor], images: dict[Hashable, list[Any]]
) -> None:
    """All samples in one launch for each device."""
    groups: dict[torch.device, dict[tuple[int, int], list[tuple[Track, torch.Tensor]]]] = {}
    for j, sample in enumerate(samples):
        for key in keys:
            track = sample[key]
            members = groups.setdefault(track.source.device, {}).setdefault((j, id(track.geometry)), [])
            members.append((track, buffers[key][j]))
    for each in groups.values():
        write_on_device([([track for track, _ in group], [out for _, out in group]) for group in each.values()])
    for key in keys:
        images[key] = [sample[key].finish(buffers[key][j]) for j, sample in enumerate(samples)]


def _collated(buffer: torch.Tensor, images: list[torch.Tensor]) -> torch.Tensor:
    """What MONAI's `collate_meta_tensor_fn` makes, without stacking the voxels again."""
    if not isinstance(images[0], MetaTensor):
        return buffer
    metas: list[Any] = [image.meta or TraceKeys.NONE for image in images]  # type: ignore[attr-defined]
    common = set.intersection(*[set(meta) for meta in metas if isinstance(meta, dict)])
    if common:
        metas = [{k: meta[k] for k in common} if isinstance(meta, dict) else TraceKeys.NONE for meta in metas]
    batch = buffer.as_subclass(MetaTensor)
    ranks = [image.spatial_ndim for image in images]  # type: ignore[attr-defined]
    batch.__dict__.update(
        _meta=default_collate(metas),
        _applied_operations=[image.applied_operations or TraceKeys.NONE for image in images],  # type: ignore[attr-defined]
        _pending_operations=[],
        _is_batch=True,
        _spatial_ndim=min(min(ranks), max(buffer.ndim - 1, 1)),
    )
    return cast(torch.Tensor, batch)
