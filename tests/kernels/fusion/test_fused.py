"""A fused pipeline where a Compose is expected: data sets, workers, threads, pickles, batches."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import monai.transforms as mt
import numpy as np
import pytest
import torch
from monai.data import (
    CacheDataset,
    DataLoader,
    Dataset,
    MetaTensor,
    PersistentDataset,
    SmartCacheDataset,
    decollate_batch,
    list_data_collate,
    set_track_meta,
)
from pipeline_parity import assert_same, sample, volume

from automl_run.kernels import Fused, fuse, threads
from automl_run.kernels.cpu import moves
from automl_run.kernels.helpers import Task

KEYS = ["image", "label"]


def steps() -> list[Any]:
    return [
        mt.ScaleIntensityRanged("image", 0, 1, -1, 1),
        mt.RandSpatialCropd(KEYS, roi_size=(8, 8, 8), random_size=False),
        mt.RandFlipd(KEYS, prob=0.5, spatial_axis=0),
        mt.RandRotate90d(KEYS, prob=0.5),
        mt.RandGaussianNoised("image", prob=0.5),
        mt.RandScaleIntensityd("image", 0.1, prob=0.5),
    ]


def pipeline(seed: int = 0) -> mt.Compose:
    return mt.Compose(steps()).set_random_state(seed)


def items(count: int = 4) -> list[Any]:
    return [sample((12, 11, 13), seed) for seed in range(count)]


def test_it_is_a_compose_over_the_same_transforms() -> None:
    compose = pipeline()
    state = compose.transforms[1].cropper.R.get_state()[1].copy()
    fused = fuse(compose)
    assert isinstance(fused, mt.Compose)
    assert fused.transforms is compose.transforms
    assert (compose.transforms[1].cropper.R.get_state()[1] == state).all()
    assert len(fused) == len(compose) == 6
    assert fused.flatten().transforms == compose.transforms
    assert fuse(fused)(items(1)[0])["image"].shape == (1, 8, 8, 8)


@pytest.mark.parametrize("kind", ["plain", "cache", "smart", "persistent"])
def test_data_sets(kind: str, tmp_path: Path) -> None:
    def data_set(transform: Any, folder: str) -> Any:
        match kind:
            case "plain":
                return Dataset(items(), transform)
            case "cache":
                return CacheDataset(items(), transform, progress=False, num_workers=2)
            case "smart":
                return SmartCacheDataset(items(), transform, cache_rate=0.5, replace_rate=0.5, progress=False)
            case _:
                return PersistentDataset(items(), transform, cache_dir=tmp_path / folder)

    expected = data_set(pipeline(), "a")
    actual = data_set(fuse(pipeline()), "b")
    expected.set_random_state(3) if hasattr(expected, "set_random_state") else None
    for data in (expected, actual):
        data.transform.set_random_state(5)
    for _ in range(2):
        for i in range(len(expected)):
            assert_same(strip(expected[i]), strip(actual[i]), 1e-6)


def strip(item: Any) -> Any:
    """Without the trace: the transforms of the two pipelines are different objects."""
    for value in item.values():
        if isinstance(value, MetaTensor):
            for entry in value.applied_operations:
                for operation in entry if isinstance(entry, list) else [entry]:
                    operation["id"] = 0
    return item


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers(method: str) -> None:
    batches = []
    for transform, start in ((pipeline(), "fork"), (fuse(pipeline()), method)):
        torch.manual_seed(7)
        context = torch.multiprocessing.get_context(start)
        loader = DataLoader(Dataset(items(), transform), batch_size=2, num_workers=1, multiprocessing_context=context)
        batches.append([strip(batch) for batch in loader])
    for left, right in zip(*batches, strict=True):
        assert_same(left, right, 1e-6)


def test_pickle() -> None:
    fused = fuse(pipeline(), noise="fast", threads=1)
    fused(items(1)[0])
    again = pickle.loads(pickle.dumps(fused))
    assert isinstance(again, Fused)
    assert (again.noise, again.threads) == ("fast", 1)
    for a, b in zip(items(), items(), strict=True):
        assert_same(strip(fused(a)), strip(again(b)), 0.0)
    assert copy.deepcopy(fused)(items(1)[0])["image"].shape == (1, 8, 8, 8)


def test_several_threads() -> None:
    fused = fuse(pipeline())
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(fused, items(12)))
    assert all(result["image"].shape == (1, 8, 8, 8) for result in results)
    assert all(bool(torch.isfinite(result["image"]).all()) for result in results)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("threads", [None, 1])
def test_batch_is_the_collated_items(several: bool, threads: int | None) -> None:
    extra = [mt.RandSpatialCropSamplesd(KEYS, 6, 3, random_size=False)] if several else []
    noise = [mt.RandGaussianNoised("image", prob=0.7), mt.RandAdjustContrastd("image", prob=0.5)]
    turns = mt.RandAffined(KEYS, prob=0.5, rotate_range=0.2, mode=("bilinear", "nearest"), padding_mode="zeros")
    compose = mt.Compose([*steps()[:4], *extra, turns, *noise])
    fused = fuse(compose, threads=threads)
    for round_ in range(3):
        compose.set_random_state(round_)
        expected = list_data_collate([compose(item) for item in items(5)])
        fused.set_random_state(round_)
        actual = fused.batch(items(5))
        assert_same(expected, actual, 1e-5)
        assert_same(strip(decollate_batch(expected)[1]), strip(decollate_batch(actual)[1]), 1e-5)


@pytest.mark.parametrize("wanted", [1, 3])
def test_as_many_threads_as_asked_for(monkeypatch: pytest.MonkeyPatch, wanted: int) -> None:
    """Wherever voxels are written: copied, changed, sampled, and in the middle of a pipeline."""
    asked: list[int] = []
    give = threads._pool.give

    def noted(works: list[Callable[[], None]]) -> list[Task]:
        asked.append(len(works))
        return give(works)

    monkeypatch.setattr(threads._pool, "give", noted)
    monkeypatch.setattr(threads, "thread_count", lambda: 8)
    monkeypatch.setattr(moves, "SMALLEST_SLAB", 1 << 17)
    flip, affine = mt.RandFlipd("image", prob=1.0), mt.RandAffined("image", prob=1.0, rotate_range=0.3, padding_mode="zeros")
    contrast, item = mt.RandAdjustContrastd("image", prob=1.0), {"image": torch.rand(1, 80, 80, 80)}
    for transforms in ([flip], [flip, contrast], [affine], [affine, contrast], [affine, affine], [contrast, affine]):
        asked.clear()
        fuse(mt.Compose(transforms), threads=wanted)(item)
        assert set(asked) == ({wanted - 1} if wanted > 1 else set())


def test_batch_of_other_things() -> None:
    fused = fuse(mt.Compose([mt.RandFlipd(KEYS, prob=0.5, spatial_axis=1)]))
    with pytest.raises(ValueError, match="at least one"):
        fused.batch([])
    with pytest.raises(RuntimeError, match="equal size"):
        fused.batch([sample((4, 5, 6)), sample((6, 5, 4))])
    tensors = fuse(mt.Compose([mt.Flip(0)]))
    assert tensors.batch([torch.arange(3.0)[None], torch.arange(3.0)[None]]).tolist() == [[[2.0, 1.0, 0.0]]] * 2


def test_a_source_may_be_read_only_and_its_memory_stays() -> None:
    values = np.random.RandomState(0).rand(1, 9, 9, 9).astype(np.float32)
    kept = values.copy()
    values.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says once in a process that it is not writable
        image = torch.from_numpy(values)
    fused = fuse(mt.Compose([mt.Flipd("image", 0), mt.RandScaleIntensityd("image", 0.1, prob=1.0)]))
    fused({"image": image})
    assert (values == kept).all()


def test_without_metadata() -> None:
    compose = pipeline()
    set_track_meta(False)
    try:
        compose.set_random_state(1)
        expected = compose({k: v.as_tensor() if isinstance(v, MetaTensor) else v for k, v in items(1)[0].items()})
        fused = fuse(compose).set_random_state(1)
        actual = fused({k: v.as_tensor() if isinstance(v, MetaTensor) else v for k, v in items(1)[0].items()})
    finally:
        set_track_meta(True)
    assert_same(expected, actual, 1e-6)
    assert type(actual["image"]) is torch.Tensor


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_voxels_that_are_no_numbers(value: float) -> None:
    item = sample((9, 9, 9))
    item["image"][0, 4, 4, 4] = value
    compose = mt.Compose(steps()[1:4])
    compose.set_random_state(0)
    expected = compose(copy.deepcopy(item))["image"].as_tensor()
    actual = fuse(compose).set_random_state(0)(item)["image"].as_tensor()
    torch.testing.assert_close(expected, actual, rtol=0, atol=0, equal_nan=True)


def test_images_that_kernels_do_not_take() -> None:
    flip = mt.Compose([mt.RandFlipd("image", prob=1.0), mt.RandScaleIntensityd("image", 0.1, prob=1.0)])
    fused = fuse(flip)
    leaf = torch.rand(1, 4, 4, 4, requires_grad=True)
    assert fused({"image": leaf})["image"].requires_grad
    assert "requires a gradient" in fused.explain()
    complex_image = torch.zeros(1, 4, 4, 4, dtype=torch.complex64)
    assert fuse(mt.Compose([mt.Flipd("image")]))({"image": complex_image})["image"].dtype == torch.complex64
    empty = fuse(mt.Compose([mt.Flipd("image", 1)]))({"image": torch.zeros(1, 0, 4, 4)})["image"]
    assert empty.shape == (1, 0, 4, 4)
    five = fuse(mt.Compose([mt.Flipd("image", 1)]))({"image": torch.rand(1, 3, 4, 4, 2)})["image"]
    assert five.shape == (1, 3, 4, 4, 2)


def test_crops_out_of_everything() -> None:
    compose = mt.Compose([mt.SpatialCropd("image", roi_start=[20, 0, 0], roi_end=[25, 4, 4]), mt.Flipd("image", 0)])
    expected, actual = compose({"image": volume((9, 9, 9))}), fuse(compose)({"image": volume((9, 9, 9))})
    assert expected["image"].shape == actual["image"].shape == (1, 0, 4, 4)


def test_arguments() -> None:
    with pytest.raises(TypeError, match="Compose"):
        fuse([mt.Flip(0)])
    with pytest.raises(ValueError, match="noise"):
        fuse(pipeline(), noise="quick")
    with pytest.raises(ValueError, match="threads"):
        fuse(pipeline(), threads=0)


def test_fast_noise_has_the_distribution() -> None:
    compose = mt.Compose([mt.RandGaussianNoised("image", prob=1.0, mean=1.0, std=2.0, sample_std=False)])
    fused = fuse(compose, noise="fast").set_random_state(4)
    fields = [fused({"image": torch.zeros(1, 40, 40, 40)})["image"].as_tensor() for _ in range(2)]
    assert abs(float(fields[0].mean()) - 1.0) < 0.05
    assert abs(float(fields[0].std()) - 2.0) < 0.05
    assert not torch.equal(*fields)
    assert torch.equal(fused.set_random_state(4)({"image": torch.zeros(1, 40, 40, 40)})["image"].as_tensor(), fields[0])
    assert "in distribution" in fused.explain()
