"""Lazy pipelines: the operations gathered by MONAI, carried out in one pass of ours."""

from __future__ import annotations

from typing import Any

import monai.transforms as mt
import pytest
import torch
from pipeline_parity import assert_parity, sample, volume

KEYS = ["image", "label"]
NEAREST = {"label": {"mode": "nearest", "padding_mode": "zeros"}}


def moves() -> list[Any]:
    return [
        mt.RandFlipd(KEYS, prob=0.5, spatial_axis=1),
        mt.RandRotate90d(KEYS, prob=0.5, spatial_axes=(0, 2)),
        mt.CenterSpatialCropd(KEYS, (12, 11, 13)),
    ]


def affine() -> Any:
    return mt.RandAffined(KEYS, prob=0.7, rotate_range=(0.3, 0.2, 0.1), scale_range=0.1, padding_mode="zeros")


@pytest.mark.parametrize("overrides", [None, NEAREST, {**NEAREST, "image": {"padding_mode": "zeros"}}])
def test_lazy_moves_and_interpolation(overrides: Any) -> None:
    data = [sample((17, 15, 19), seed) for seed in range(5)]
    assert_parity(mt.Compose(moves(), lazy=True, overrides=overrides), data, inverse=False, untouched=False)
    steps = [*moves(), affine(), mt.RandRotated(KEYS, range_x=0.2, prob=0.6), mt.RandZoomd(KEYS, prob=0.5)]
    noise = [mt.RandGaussianNoised("image", prob=0.7), mt.RandShiftIntensityd("image", 0.1, prob=0.7)]
    assert_parity(
        mt.Compose([*steps, *noise], lazy=True, overrides=overrides), data, tolerance=1e-4, inverse=False, untouched=False
    )


def test_lazy_by_each_transform() -> None:
    flip = mt.RandFlipd(KEYS, prob=0.5, spatial_axis=0, lazy=True)
    turn = mt.RandRotate90d(KEYS, prob=0.5)
    data = [sample((9, 11, 10), seed) for seed in range(4)]
    assert_parity(mt.Compose([flip, turn, affine()], lazy=None), data, tolerance=1e-4, inverse=False, untouched=False)


def test_lazy_crops_that_look_at_the_label() -> None:
    crop = mt.RandCropByPosNegLabeld(KEYS, label_key="label", spatial_size=(8, 8, 8), num_samples=2)
    data = [sample((15, 14, 13), seed) for seed in range(3)]
    assert_parity(
        mt.Compose([*moves()[:2], crop, affine()], lazy=True, overrides=NEAREST),
        data,
        tolerance=1e-4,
        inverse=False,
        untouched=False,
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64])
def test_lazy_interpolation_of_what_the_kernels_do_not_interpolate(dtype: torch.dtype) -> None:
    data = [{"image": volume((9, 11, 10), seed, dtype, top=90.0), "label": volume((9, 11, 10), seed)} for seed in range(4)]
    steps = [*moves()[:2], affine(), mt.RandShiftIntensityd("image", 0.1, prob=0.7)]
    fused = assert_parity(mt.Compose(steps, lazy=True), data, tolerance=1e-4, inverse=False, untouched=False)
    assert f"interpolates {dtype}" in fused.explain()


def test_lazy_inverse() -> None:
    data = [sample((9, 11, 10), seed) for seed in range(2)]
    compose = mt.Compose([mt.RandFlipd(KEYS, prob=1.0), mt.RandRotate90d(KEYS, prob=1.0)], lazy=True)
    with pytest.warns(UserWarning, match="lazy execution is not supported when inverting"):
        assert_parity(compose, data, untouched=False)
