"""Cases of whole pipelines: a batch of 4 patches with labels from larger volumes, everything included up to the collated batch.

crop: a random crop. Light: crop, three flips, quarter turns, scale, shift. Heavy: light with an affine, noise and gamma before the
scale. Random steps that change no shape but flips always run, so that every batch costs the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import monai.transforms as mt
from monai.data.utils import list_data_collate

from automl_run import kernels

from . import by_hand, goals, rivals
from .case import FAST, LAZY, MONAI, OURS, TORCH, Case, Check, Spec
from .checks import TIES, alike, same, unchecked
from .goals import Goal
from .sources import Item, items, lazily, plain, reseed

BATCH = 4
VOLUME = (192, 192, 160)
KEYS = ("image", "label")
Steps = Callable[[int], list[Any]]


def crop_steps(edge: int) -> list[Any]:
    return [mt.RandSpatialCropd(keys=KEYS, roi_size=(edge,) * 3, random_size=False)]


def turn_steps(edge: int) -> list[Any]:
    flips = [mt.RandFlipd(keys=KEYS, prob=0.5, spatial_axis=axis) for axis in range(3)]
    return [*crop_steps(edge), *flips, mt.RandRotate90d(keys=KEYS, prob=0.75, max_k=3, spatial_axes=(0, 1))]


def scale_steps() -> list[Any]:
    return [
        mt.RandScaleIntensityd(keys="image", factors=0.1, prob=1.0),
        mt.RandShiftIntensityd(keys="image", offsets=0.1, prob=1.0),
    ]


def light_steps(edge: int) -> list[Any]:
    return [*turn_steps(edge), *scale_steps()]


def heavy_steps(edge: int) -> list[Any]:
    return [
        *turn_steps(edge),
        mt.RandAffined(
            keys=KEYS,
            prob=1.0,
            rotate_range=(0.26,) * 3,
            scale_range=(0.1,) * 3,
            mode=("bilinear", "nearest"),
            padding_mode="zeros",
        ),
        mt.RandGaussianNoised(keys="image", prob=1.0, mean=0.0, std=0.1),
        mt.RandAdjustContrastd(keys="image", prob=1.0, gamma=(0.7, 1.5)),
        *scale_steps(),
    ]


def specs() -> Iterator[Spec]:
    for edge in (96, 128):
        yield _spec("crop", "crop into batch", edge, crop_steps, same(), {OURS: goals.CROP}, quick=False)
        yield _spec("light", "light pipeline", edge, light_steps, same(), {OURS: goals.LIGHT}, quick=edge == 96)
        heavy = {OURS: goals.HEAVY_EXACT, FAST: goals.HEAVY_FAST}
        yield _spec("heavy", "heavy pipeline", edge, heavy_steps, same(3e-5, TIES), heavy, quick=edge == 96)


def _spec(kind: str, group: str, edge: int, steps: Steps, check: Check, reach: dict[str, Goal], *, quick: bool) -> Spec:
    return Spec(f"{group} {BATCH} x {edge}^3", group, partial(_build, kind, edge, steps, check), reach, quick=quick)


def _build(kind: str, edge: int, steps: Steps, check: Check, threads: int) -> Case:
    sources = items(VOLUME, least=2 * BATCH)
    patch_bytes = edge**3 * sum(volume.element_size() for volume in sources[0].values())
    case = Case(read_bytes=BATCH * patch_bytes)
    batches = Batches(sources)
    for name, lazy in ((MONAI, False), (LAZY, True)):
        compose = lazily(steps(edge)) if lazy else mt.Compose(steps(edge))
        case.add(name, _collated(compose, batches), alike(0.6) if lazy else unchecked, reseed(compose))
    add_fused(case, steps, edge, batches, check)
    case.add(TORCH, by_hand.pipeline(kind, edge, batches), by_hand.verified(kind))
    bare = Batches([{key: plain(volume) for key, volume in item.items()} for item in sources])
    for name, make in rivals.RIVALS[kind].items():
        case.peer(name, partial(make, bare, edge, threads), alike(0.6))
    return case


class Batches:
    """The sources of one turn: the next `count` items of a ring."""

    def __init__(self, sources: Sequence[Item], count: int = BATCH) -> None:
        self.sources, self.count = sources, count

    def __call__(self, turn: int) -> list[Item]:
        first = turn * self.count
        return [dict(self.sources[(first + i) % len(self.sources)]) for i in range(self.count)]


def add_fused(case: Case, steps: Steps, edge: int, batches: Batches, check: Check) -> None:
    """`fuse(compose).batch(items)`, with exact noise and, where there is noise, with fast noise."""
    noisy = any(isinstance(step, mt.RandGaussianNoised) for step in steps(edge))
    for name, noise in ((OURS, "exact"), (FAST, "fast")) if noisy else ((OURS, "exact"),):
        fused = kernels.fuse(mt.Compose(steps(edge)), noise=noise)
        seeded = lambda turn, fused=fused: fused.set_random_state(seed=1000 + turn)  # noqa: E731
        call = lambda turn, fused=fused: fused.batch(batches(turn))  # noqa: E731
        case.add(name, call, alike(0.05, labels=TIES) if noise == "fast" else check, seeded)


def _collated(compose: Callable[[Item], object], batches: Batches) -> Callable[[int], object]:
    return lambda turn: list_data_collate([compose(item) for item in batches(turn)])
