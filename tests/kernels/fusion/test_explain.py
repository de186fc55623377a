"""The table that says what became of every step."""

from __future__ import annotations

import monai.transforms as mt

from automl_run.kernels import fuse

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
        ["RandRotate90d", "1,", "2"],
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
