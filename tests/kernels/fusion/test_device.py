"""Pipelines over images on a GPU: planned, batched and written as there, by the kernels built for the host.

On a GPU itself the same pipelines are compared with those of the CPU.
"""

from __future__ import annotations

from functools import partial

import monai.transforms as mt
import numpy as np
import pytest
import torch
from gpu_host import COMPILER, launch_on_host
from monai.data.meta_tensor import MetaTensor

from automl_run.kernels import fuse, gpu
from automl_run.kernels.fusion import batch, device

KEYS = ("image", "label")


@pytest.fixture
def as_on_a_device(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Tensors of the CPU taken for those of a GPU; how many samples each call of `run_batch` got."""
    if COMPILER is None:
        pytest.skip("no C++ compiler to build the arithmetic for the host with")
    calls: list[int] = []
    launch = partial(gpu.run_batch, launcher=launch_on_host)

    def run_batch(samples: list[gpu.Sample]) -> None:
        calls.append(len(samples))
        launch(samples)

    monkeypatch.setattr(device, "on_device", lambda x: True)
    monkeypatch.setattr(batch, "on_device", lambda x: True)
    monkeypatch.setattr(gpu, "run_batch", run_batch)
    return calls


def pipeline() -> mt.Compose:
    return mt.Compose(
        [
            mt.RandSpatialCropd(KEYS, (20, 22, 24), random_size=False),
            mt.RandFlipd(KEYS, prob=0.5, spatial_axis=0),
            mt.RandRotate90d(KEYS, prob=0.5, spatial_axes=(0, 2)),
            mt.RandAffined(
                KEYS,
                prob=0.7,
                mode=("bilinear", "nearest"),
                rotate_range=(0.3, 0.2, 0.1),
                spatial_size=(20, 22, 24),
                padding_mode="zeros",
            ),
            mt.RandGaussianNoised("image", prob=0.7, std=0.05),
            mt.RandAdjustContrastd("image", prob=0.5),
            mt.RandScaleIntensityd("image", factors=0.2, prob=1.0),
        ]
    )


def items(count: int = 3) -> list[dict[str, MetaTensor]]:
    generator = torch.Generator().manual_seed(0)
    images = [torch.rand(1, 30, 28, 26, generator=generator) for _ in range(count)]
    labels = [(image * 4).to(torch.uint8) for image in images]
    affine = np.diag([2.0, 1.0, 1.5, 1.0])
    return [
        {"image": MetaTensor(image, affine=affine), "label": MetaTensor(label, affine=affine)}
        for image, label in zip(images, labels, strict=True)
    ]


def compare(result: dict[str, MetaTensor], expected: dict[str, MetaTensor]) -> None:
    for key in KEYS:
        assert result[key].dtype == expected[key].dtype
        assert result[key].shape == expected[key].shape
        assert torch.equal(result[key].affine, expected[key].affine)
        done, wanted = ([op["class"] for op in image.applied_operations[0]] for image in (result[key], expected[key]))
        assert done == wanted
    assert float((result["image"].cpu() - expected["image"]).abs().max()) < 1e-5
    assert float((result["label"].cpu() != expected["label"]).float().mean()) < 1e-3


@pytest.mark.parametrize("noise", ["exact", "fast"])
def test_a_batch_is_that_of_the_cpu_in_one_call(noise: str, request: pytest.FixtureRequest) -> None:
    expected = fuse(pipeline().set_random_state(3), noise=noise).batch(items())
    calls = request.getfixturevalue("as_on_a_device")
    result = fuse(pipeline().set_random_state(3), noise=noise).batch(items())
    compare(result, expected)
    assert calls == [3]


def test_single_items_and_small_images(request: pytest.FixtureRequest) -> None:
    steps = [mt.RandFlipd(KEYS, prob=1.0), mt.RandGaussianNoised("image", prob=1.0), mt.ScaleIntensityRanged("image", 0, 1, -1, 1)]
    sample = {"image": torch.rand(1, 6, 5, 4), "label": torch.ones(1, 6, 5, 4, dtype=torch.int64)}
    expected = fuse(mt.Compose(steps).set_random_state(1))(dict(sample))
    request.getfixturevalue("as_on_a_device")
    result = fuse(mt.Compose(steps).set_random_state(1))(dict(sample))
    assert float((result["image"] - expected["image"]).abs().max()) < 1e-6
    assert torch.equal(result["label"], expected["label"])


def test_steps_after_nearest_voxels_and_conversions(request: pytest.FixtureRequest) -> None:
    """What takes a pass of its own there."""
    turned = mt.Affined("image", mode="nearest", rotate_params=(0.2, 0.1, 0.3), padding_mode="border")
    steps = [turned, mt.RandGaussianNoised("image", prob=1.0), mt.RandScaleIntensityd("image", factors=0.5, prob=1.0)]
    last = [mt.EnsureTyped("image", dtype=torch.int16), mt.Flipd("image", spatial_axis=1)]
    sample = {"image": torch.rand(1, 16, 15, 14) * 100}
    expected = [fuse(mt.Compose(some).set_random_state(1)).batch([dict(sample)] * 2) for some in (steps, steps + last)]
    request.getfixturevalue("as_on_a_device")
    results = [fuse(mt.Compose(some).set_random_state(1)).batch([dict(sample)] * 2) for some in (steps, steps + last)]
    assert float((results[0]["image"] - expected[0]["image"]).abs().max()) < 1e-4
    assert torch.equal(results[1]["image"], expected[1]["image"])


@pytest.mark.skipif(not gpu.available(), reason="no CUDA device, or CuPy is not installed")
def test_on_a_gpu() -> None:
    expected = fuse(pipeline().set_random_state(3)).batch(items())
    there = [{key: image.cuda() for key, image in item.items()} for item in items()]
    result = fuse(pipeline().set_random_state(3)).batch(there)
    assert result["image"].is_cuda
    compare(result, expected)
