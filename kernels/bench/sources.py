"""Volumes to work on, enough of them that each has left the cache before its turn comes again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

import monai.transforms as mt
import torch
from monai.data import MetaTensor
from monai.data.meta_obj import set_track_meta

from automl_run import kernels

from .case import LAZY, MONAI, OURS, PLAIN, Case, Check, nothing
from .checks import alike, unchecked
from .machine import ring_length

Item = dict[str, torch.Tensor]
#: Makes the transform from MONAI's namespace, or from ours.
Make = Callable[[ModuleType], Callable[..., object]]

LABELS = 4


def ring(shape: Sequence[int], dtype: torch.dtype, *, channels: int = 1, count: int | None = None) -> list[MetaTensor]:
    """Volumes (C, D, H, W) of intensities in 0..1 (0..200 for integers); without `count`, enough to outlast the cache."""
    generator = torch.Generator().manual_seed(0)
    first = torch.rand((channels, *shape), generator=generator)
    first = first.to(dtype) if dtype.is_floating_point else (first * 200).to(dtype)
    return [MetaTensor(first.clone()) for _ in range(count or ring_length(nbytes(first)))]


def label_ring(shape: Sequence[int], count: int) -> list[MetaTensor]:
    """`count` volumes (1, D, H, W) of labels 0..3, uint8, in lumps as organs are."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randint(0, LABELS, [1, 1, *(-(-edge // 8) for edge in shape)], generator=generator).float()
    first = torch.nn.functional.interpolate(coarse, size=tuple(shape), mode="nearest")[0].to(torch.uint8)
    return [MetaTensor(first.clone()) for _ in range(count)]


def items(shape: Sequence[int], *, least: int = 4, count: int | None = None) -> list[Item]:
    """Dictionaries of image (float32) and label (uint8): `count`, or enough to outlast the cache, but at least `least`."""
    images = ring(shape, torch.float32, count=count)
    images += [images[0].clone() for _ in range(least - len(images))]
    return [{"image": image, "label": label} for image, label in zip(images, label_ring(shape, len(images)), strict=True)]


def plain(volume: torch.Tensor) -> torch.Tensor:
    """The same memory without metadata."""
    return volume.as_tensor() if isinstance(volume, MetaTensor) else volume


def without_metadata(transform: Callable[..., object]) -> Callable[[object], object]:
    """`transform` with MONAI's tracking of metadata off while it runs."""

    def call(source: object) -> object:
        set_track_meta(False)
        try:
            return transform(source)
        finally:
            set_track_meta(True)

    return call


def reseed(transform: object) -> Callable[[int], None]:
    """The same draws for everybody who draws as MONAI does; nothing for transforms that draw nothing."""
    if not isinstance(transform, mt.Randomizable):
        return nothing
    return lambda turn: (transform.set_random_state(seed=1000 + turn), None)[1]


def lazily(steps: Sequence[object]) -> mt.Compose:
    """MONAI's lazy pipeline, told the modes again: without `overrides` it interpolates labels, too, and pads with the border."""
    modes = {"image": "bilinear", "label": "nearest"}
    return mt.Compose(steps, lazy=True, overrides={key: {"mode": mode, "padding_mode": "zeros"} for key, mode in modes.items()})


def add_ours(
    case: Case,
    sources: Sequence[object],
    make: Make,
    check: Check,
    *,
    bare: Sequence[object] | None = None,
    lazy: bool = False,
    after: Callable[[object], object] | None = None,
) -> None:
    """MONAI's transform and ours, on `sources`; ours also on `bare`, the same volumes without metadata; `after` finishes each."""

    def calling(transform: Callable[..., object], sources: Sequence[object]) -> Callable[[int], object]:
        if after is None:
            return lambda turn: transform(sources[turn % len(sources)])
        return lambda turn: after(transform(sources[turn % len(sources)]))

    theirs = make(mt)
    case.add(MONAI, calling(theirs, sources), unchecked, reseed(theirs))
    if lazy:
        pipeline = lazily([make(mt)])
        case.add(LAZY, calling(pipeline, sources), alike(0.6), reseed(pipeline))
    for name, volumes in ((OURS, sources), (PLAIN, bare)):
        if volumes is not None:
            mine = make(kernels)
            case.add(name, calling(without_metadata(mine) if name == PLAIN else mine, volumes), check, reseed(mine))


def nbytes(volume: torch.Tensor) -> int:
    return volume.numel() * volume.element_size()
