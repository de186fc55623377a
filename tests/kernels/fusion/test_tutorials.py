"""The pipelines of MONAI's tutorials and bundles, on small synthetic volumes."""

from __future__ import annotations

from typing import Any

import monai.transforms as mt
import pytest
import torch
from pipeline_parity import assert_parity, volume

KEYS = ["image", "label"]


def volumes(channels: int = 1, low: float = 0.0, high: float = 1.0) -> list[Any]:
    """Two subjects: a bright ball in a dark field, its label 0..3."""
    found = []
    for seed in range(2):
        image = volume((26, 24, 22), seed, channels=channels)
        centre = torch.tensor([13.0, 12.0, 11.0])[:, None, None, None]
        places = torch.stack(torch.meshgrid(*[torch.arange(float(n)) for n in (26, 24, 22)], indexing="ij"))
        ball = ((places - centre).norm(dim=0) < 8 + seed)[None]
        label = volume((26, 24, 22), seed + 9, torch.uint8, top=2.99)
        label += 1
        label *= ball
        image *= 0.3 + 0.7 * ball
        image *= high - low
        image += low
        found.append({"image": image, "label": label})
    return found


def spleen() -> list[Any]:
    return [
        mt.ScaleIntensityRanged("image", a_min=-57, a_max=164, b_min=0.0, b_max=1.0, clip=True),
        mt.CropForegroundd(KEYS, source_key="image"),
        mt.Orientationd(KEYS, axcodes="RAS", labels=(("L", "R"), ("P", "A"), ("I", "S"))),
        mt.Spacingd(KEYS, pixdim=(1.5, 1.5, 2.0), mode=("bilinear", "nearest")),
        mt.EnsureTyped(KEYS),
        mt.RandCropByPosNegLabeld(
            KEYS, label_key="label", spatial_size=(12, 12, 10), pos=1, neg=1, num_samples=4, image_key="image", image_threshold=0
        ),
    ]


def affine() -> Any:
    """The affine that the spleen tutorial proposes."""
    angle = 3.14159 / 15
    return mt.RandAffined(
        KEYS,
        mode=("bilinear", "nearest"),
        prob=1.0,
        spatial_size=(12, 12, 10),
        rotate_range=(0, 0, angle),
        scale_range=(0.1, 0.1, 0.1),
        padding_mode="border",
    )


def brats() -> list[Any]:
    return [
        mt.ConvertToMultiChannelBasedOnBratsClassesd("label"),
        mt.NormalizeIntensityd("image", nonzero=True, channel_wise=True),
        mt.RandSpatialCropd(KEYS, roi_size=[22, 22, 14], random_size=False),
        *[mt.RandFlipd(KEYS, prob=0.5, spatial_axis=axis) for axis in range(3)],
        mt.RandScaleIntensityd("image", factors=0.1, prob=1.0),
        mt.RandShiftIntensityd("image", offsets=0.1, prob=1.0),
    ]


def unetr() -> list[Any]:
    return [
        *spleen(),
        *[mt.RandFlipd(KEYS, spatial_axis=[axis], prob=0.5) for axis in range(3)],
        mt.RandRotate90d(KEYS, prob=0.5, max_k=3),
        mt.RandShiftIntensityd("image", offsets=0.10, prob=0.5),
        mt.ToTensord(KEYS),
    ]


def template() -> list[Any]:
    return [
        mt.RandAxisFlipd(KEYS, 0.5),
        mt.RandRotate90d(KEYS, 0.5),
        mt.RandGaussianNoised("image", 0.5),
        mt.ScaleIntensityd("image"),
        mt.RandCropByLabelClassesd(KEYS, label_key="label", spatial_size=(9, 9, 9), num_classes=4, num_samples=3),
        mt.RandAdjustContrastd("image", prob=0.5),
        mt.RandGaussianSmoothd("image", prob=0.5),
        mt.RandHistogramShiftd("image", prob=0.5),
        mt.SpatialPadd(KEYS, (12, 9, 10)),
        mt.EnsureTyped(KEYS),
    ]


@pytest.mark.parametrize(
    ("steps", "channels", "low", "high"),
    [
        (spleen(), 1, -100, 200),
        ([*spleen(), affine()], 1, -100, 200),
        (brats(), 4, 0, 500),
        (unetr(), 1, -100, 200),
        (template(), 1, 0, 1),
    ],
    ids=["spleen", "spleen-affine", "brats", "unetr", "template"],
)
def test_tutorials(steps: list[Any], channels: int, low: float, high: float) -> None:
    assert_parity(mt.Compose(steps), volumes(channels, low, high), seed=3, tolerance=2e-5, inverse=False, untouched=False)
