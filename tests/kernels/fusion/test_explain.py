"""The table that says what became of every step."""

from __future__ import annotations

import itertools
import random
from collections.abc import Hashable
from typing import Any

import monai.transforms as mt
import pytest
import torch
from pipeline_parity import sample

from automl_run.kernels import Fused, fuse
from automl_run.kernels.fusion.track import Track

KEYS = ["image", "label"]


def test_passes_and_reasons() -> None:
    compose = mt.Compose(
        [
            mt.LoadImaged(KEYS),
            mt.RandSpatialCropd(KEYS, 8),
            mt.Compose([mt.RandFlipd(KEYS)]),
            mt.RandAffined(KEYS),
            mt.RandGaussianNoised("image"),
            mt.RandRotate90d(KEYS),
            mt.RandScaleIntensityd("image", 0.1, channel_wise=True),
        ]
    )
    rows = [line.split() for line in fuse(compose).explain().splitlines()]
    assert [row[:3] for row in rows[2:]] == [
        ["LoadImaged", "unchanged:", "not"],
        ["RandSpatialCropd", "1", "crop"],
        ["Compose", "its", "steps:"],
        ["RandFlipd", "1", "turn"],
        ["RandAffined", "1", "interpolate"],
        ["RandGaussianNoised", "1", "intensity"],
        ["RandRotate90d", "2", "turn"],
        ["RandScaleIntensityd", "unchanged:", "scales"],
    ]


def test_lazy_and_fast_noise_are_said() -> None:
    compose = mt.Compose([mt.RandFlipd(KEYS), mt.RandGaussianNoised("image")], lazy=True)
    text = fuse(compose, noise="fast").explain()
    assert "gathered by MONAI" in text
    assert "in distribution" in text


def test_a_function_is_named() -> None:
    def brighten(item: object) -> object:
        return item

    assert "brighten" in fuse(mt.Compose([brighten])).explain()


class Watched(Fused):
    """Notes in which pass every step changes its images: a new one where an image has another source than before."""

    def _step(self, node: Any, data: Any, depth: int, call: Any) -> Any:
        data = super()._step(node, data, depth, call)
        number, used = None, set()
        for key in node.transform.keys:
            track = data[key]
            assert type(track) is Track
            if self.sources.get(key) is not track.source:
                number = next(self.numbers) if number is None else number
                self.sources[key], self.passes[key] = track.source, number
            used.add(self.passes[key])
        self.seen.append(", ".join(map(str, sorted(used))))
        return data

    def watch(self, item: dict[Hashable, Any]) -> list[str]:
        self.numbers = itertools.count(1)
        self.sources: dict[Hashable, torch.Tensor] = {}
        self.passes: dict[Hashable, int] = {}
        self.seen: list[str] = []
        self(item)
        return self.seen


def any_step(choose: random.Random) -> Any:
    keys = choose.choice([KEYS, KEYS[::-1], ["image"]])
    label = keys[0] == "label"
    mode: Any = ["nearest", "bilinear"] if label else ["bilinear", "nearest"][: len(keys)]
    make = [
        lambda: mt.RandFlipd(keys, prob=1.0, spatial_axis=0),
        lambda: mt.RandRotate90d(keys, prob=1.0),
        lambda: mt.SpatialCropd(keys, roi_start=(1, 0, 1), roi_end=(99, 99, 99)),
        lambda: mt.BorderPadd(keys, 1),
        lambda: mt.RandAffined(keys, prob=1.0, rotate_range=0.3, mode=mode, padding_mode="zeros"),
        lambda: mt.RandGaussianNoised("image", prob=1.0),
        lambda: mt.RandAdjustContrastd("image", prob=1.0),
        lambda: mt.RandShiftIntensityd("image", 0.1, prob=1.0),
    ]
    return choose.choice(make)()


@pytest.mark.parametrize("seed", range(16))
def test_the_passes_are_those_of_a_run(seed: int) -> None:
    choose = random.Random(seed)
    fused = Watched(mt.Compose([any_step(choose) for _ in range(7)]).set_random_state(seed))
    item = sample((13, 13, 13), seed)
    item["label"] = item["label"].to(torch.uint8)
    seen = fused.watch(item)
    text = fused.explain()
    said = [row.split("  ") for row in text.splitlines()[2:]]
    assert "left to MONAI" not in text
    assert [[cell for cell in row if cell][1].strip() for row in said] == seen
