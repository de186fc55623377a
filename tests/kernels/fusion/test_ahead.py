"""Noise of a batch that a helper draws while later samples are decided."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import monai.transforms as mt
import pytest
import torch
from monai.data import list_data_collate
from pipeline_parity import assert_same, sample

from automl_run.kernels import Fused, fuse
from automl_run.kernels.fusion import ahead

KEYS = ["image", "label"]
SHAPE = (34, 33, 35)


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def pipeline(seed: int, prob: float = 1.0) -> mt.Compose:
    steps = [
        mt.RandFlipd(KEYS, prob=0.5, spatial_axis=0),
        mt.RandAffined(KEYS, prob=prob, rotate_range=0.3, mode=("bilinear", "nearest"), padding_mode="zeros"),
        mt.RandGaussianNoised("image", prob=prob),
        mt.RandShiftIntensityd("image", 0.1, prob=0.5),
    ]
    return mt.Compose(steps).set_random_state(seed)


def assert_as_single(fused: Fused, items: list[dict[Hashable, Any]], seed: int) -> None:
    fused.set_random_state(seed)
    expected = [list_data_collate([fused(item) for item in items]) for _ in range(2)]
    fused.set_random_state(seed)
    for batch in expected:
        assert_same(batch, fused.batch(items), 1e-6)


@pytest.mark.parametrize("prob", [1.0, 0.5])
def test_the_batch_is_that_of_single_calls(prob: float) -> None:
    assert_as_single(fuse(pipeline(3, prob)), [sample(SHAPE, seed) for seed in range(5)], 4)


def test_after_images_of_other_shapes_and_failing_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_SMALLEST", 1)
    fused, items = fuse(pipeline(1)), [sample((9, 8, 7), 0), sample((9, 8, 7), 1)]
    with pytest.raises(RuntimeError, match="equal size"):
        fused.batch([*items, sample((7, 8, 9), 2)])
    with pytest.raises(RuntimeError, match="RandFlipd"):
        fused.batch([items[0], {"image": items[1]["image"]}])
    assert_as_single(fused, items, 7)
