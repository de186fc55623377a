"""Crops against MONAI: boxes, draws, candidates, metadata and inverses."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor
from monai.transforms.utils import generate_spatial_bounding_box, map_binary_to_indices, map_classes_to_indices

from automl_run import kernels
from automl_run.kernels.candidates import class_candidates, foreground_candidates
from automl_run.kernels.foreground_box import bounding_box

from .parity import DTYPES, assert_same, assert_same_draws, pair, scan, shapes

sizes = st.lists(st.sampled_from([-1, 1, 2, 5, 20]), min_size=3, max_size=3)


@settings(max_examples=40, deadline=None)
@given(shapes, st.sampled_from(DTYPES), sizes)
def test_the_middle(shape: tuple[int, ...], dtype: torch.dtype, size: list[int]) -> None:
    x = scan(shape, dtype)
    ours, theirs = pair("CenterSpatialCrop", size[: len(shape) - 1])
    mine, expected = ours(x), theirs(x)
    assert_same(mine, expected)
    assert_same(ours.inverse(mine), theirs.inverse(expected))
    assert mine.data_ptr() == expected.data_ptr()  # both are views of the image


@pytest.mark.parametrize(
    "arguments",
    [
        {"roi_center": (3, 4, 5), "roi_size": (4, 50, 3)},
        {"roi_start": (1, 0, 2), "roi_end": (4, 5, 100)},
        {"roi_start": np.array([1, 0]), "roi_end": torch.tensor([4, 5])},
        {"roi_slices": [slice(-5, -2), slice(None, 4), slice(2, None)]},
        {"roi_slices": [slice(5, 2)]},
        {"roi_start": (20, 0, 0), "roi_end": (30, 5, 5)},
    ],
)
def test_a_given_region(arguments: dict[str, Any]) -> None:
    x = scan((2, 6, 7, 8))
    ours, theirs = pair("SpatialCrop", **arguments)
    mine, expected = ours(x), theirs(x)
    assert_same(mine, expected)
    assert_same(ours.inverse(mine), theirs.inverse(expected))


def test_the_same_draws() -> None:
    x = scan((1, 12, 9, 10))
    item = {"a": x, "b": scan((2, 12, 9, 10), torch.uint8), "other": 3}
    assert_same_draws(*pair("RandSpatialCrop", (4, 5, 6), random_size=True), x)
    assert_same_draws(*pair("RandSpatialCrop", (4, 5, 6), random_center=False), x)
    assert_same_draws(*pair("RandScaleCrop", 0.5), x)
    assert_same_draws(*pair("RandScaleCropd", ["a", "b"], 0.5), item)
    assert_same_draws(*pair("RandSpatialCropSamples", (4, 5, 6), 3), x)
    assert_same_draws(*pair("RandSpatialCropd", ["a", "b"], (4, 5, 6)), item)
    assert_same_draws(*pair("RandSpatialCropSamplesd", ["a", "b"], (4, 5, 6), 3), item)


@pytest.mark.parametrize("name", ["CenterSpatialCropd", "CenterScaleCropd", "SpatialCropd"])
def test_dictionaries(name: str) -> None:
    item = {"a": scan((1, 6, 7, 8)), "b": scan((1, 6, 7, 8), torch.uint8)}
    arguments = {"CenterSpatialCropd": (4,), "CenterScaleCropd": (0.5,), "SpatialCropd": ((3, 3, 3), (2, 2, 2))}[name]
    ours, theirs = pair(name, ["a", "b"], *arguments)
    mine, expected = ours(item), theirs(item)
    assert_same(mine, expected)
    assert_same(ours.inverse(mine), theirs.inverse(expected))


def test_a_region_named_by_a_key() -> None:
    item = {"a": scan((1, 6, 7, 8)), "centre": torch.tensor([3.2, 3.0, 2.9])}
    ours, theirs = pair("SpatialCropd", ["a"], roi_center="centre", roi_size=(3, 3, 3))
    assert_same(ours(item), theirs(item))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.float32, torch.int64, torch.bool])
@pytest.mark.parametrize("with_image", [False, True])
def test_centres_in_and_out_of_the_foreground(dtype: torch.dtype, with_image: bool) -> None:
    x = scan((1, 12, 9, 10))
    label = MetaTensor((scan((1, 12, 9, 10), seed=3) > 60).to(dtype), affine=x.affine)
    item = {"a": x, "label": label}
    ours, theirs = pair("RandCropByPosNegLabel", (4, 5, 6), num_samples=3, label=label, image=x if with_image else None)
    assert_same_draws(ours, theirs, x)
    keyed = {"image_key": "a", "image_threshold": 10.0} if with_image else {}
    assert_same_draws(*pair("RandCropByPosNegLabeld", ["a", "label"], "label", (4, 5, 6), num_samples=3, **keyed), item)
    if dtype != torch.bool:
        arguments: dict[str, Any] = {"num_classes": 3, "ratios": [1, 2, 1], "num_samples": 3, "warn": False}
        ours, theirs = pair("RandCropByLabelClasses", (4, 5, 6), label=label, image=x if with_image else None, **arguments)
        assert_same_draws(ours, theirs, x)
        assert_same_draws(*pair("RandCropByLabelClassesd", ["a", "label"], "label", (4, 5, 6), **keyed, **arguments), item)


@settings(max_examples=40, deadline=None)
@given(shapes, st.sampled_from([torch.uint8, torch.int16, torch.float32, torch.int32]), st.booleans(), st.integers(0, 3))
def test_candidates_are_the_indices_that_monai_lists(
    shape: tuple[int, ...], dtype: torch.dtype, with_image: bool, seed: int
) -> None:
    label = (scan(shape, seed=seed).abs() // 30).to(dtype)
    image = scan(shape, seed=seed + 10) if with_image else None
    found = foreground_candidates(label, image, 20.0)
    assert found is not None
    for mine, expected in zip(found, map_binary_to_indices(label, image, 20.0), strict=True):
        assert [mine[k] for k in range(len(mine))] == expected.tolist()
    classes = class_candidates(label, 5, image, 20.0)
    assert classes is not None
    for mine_, expected in zip(classes, map_classes_to_indices(label, 5, image, 20.0), strict=True):
        assert [mine_[k] for k in range(len(mine_))] == expected.tolist()  # type: ignore[index,arg-type]


def test_candidates_of_many_blocks_and_threads() -> None:
    label = (scan((1, 70, 80, 90), seed=1) > 80).to(torch.uint8)
    image = scan((1, 70, 80, 90), seed=2)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        found = foreground_candidates(label, image, 0.0)
    finally:
        torch.set_num_threads(before)
    assert found is not None
    for mine, expected in zip(found, map_binary_to_indices(label, image, 0.0), strict=True):
        assert len(mine) == len(expected)
        for k in (0, 1, len(mine) // 2, len(mine) - 1):
            assert mine[k] == int(expected[k])
        with pytest.raises(IndexError):
            _ = mine[len(mine)]


def test_a_label_without_foreground_warns_as_in_monai() -> None:
    x = scan((1, 6, 7, 8))
    empty = torch.zeros(1, 6, 7, 8, dtype=torch.int16)
    for transform in pair("RandCropByPosNegLabel", 4, label=empty):
        with pytest.warns(UserWarning, match="Num foregrounds 0"):
            transform.set_random_state(0)(x)


@settings(max_examples=40, deadline=None)
@given(shapes, st.integers(-100, 110), st.integers(0, 5), st.booleans(), st.sampled_from([1, 4]))
def test_the_box_of_the_foreground(shape: tuple[int, ...], above: int, margin: int, allow_smaller: bool, k: int) -> None:
    x = MetaTensor(scan(shape).as_tensor() - above, affine=scan(shape).affine)
    starts, stops = generate_spatial_bounding_box(x)
    assert bounding_box(x.as_tensor()) == (starts, stops)
    ours, theirs = pair("CropForeground", margin=margin, allow_smaller=allow_smaller, k_divisible=k)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine, expected = ours.compute_bounding_box(x), theirs.compute_bounding_box(x)
    for side, expected_side in zip(mine, expected, strict=True):
        assert side.tolist() == expected_side.tolist()
        assert side.dtype == expected_side.dtype
    if min(np.array(stops) - np.array(starts)) > 0:
        assert_same(ours(x), theirs(x))
        assert_same(ours.inverse(ours(x)), theirs.inverse(theirs(x)))


def test_foreground_of_another_key_or_kind() -> None:
    item = {"a": scan((1, 6, 7, 8)), "b": scan((2, 6, 7, 8), torch.uint8, seed=1)}
    assert_same(*(transform(item) for transform in pair("CropForegroundd", ["a", "b"], "b", margin=1)))
    arguments: dict[str, Any] = {"select_fn": lambda v: v > 90, "channel_indices": 1}
    assert_same(*(transform(item["b"].float()) for transform in pair("CropForeground", **arguments)))


def test_lazy_mode_is_monais() -> None:
    x = scan((1, 6, 7, 8))
    ours, theirs = pair("CenterSpatialCrop", 4, lazy=True)
    assert torch.equal(ours(x).peek_pending_affine(), theirs(x).peek_pending_affine())
    samples: Any = kernels.RandCropByPosNegLabel(4, label=x, lazy=True)(x)
    assert len(samples[0].pending_operations) == 1
