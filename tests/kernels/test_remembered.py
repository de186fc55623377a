"""Answers that are kept: never another than MONAI's, whatever was changed between two calls."""

from __future__ import annotations

from typing import Any

import monai.transforms as mt
import numpy as np
import pytest
import torch

from automl_run import kernels
from automl_run.kernels.array import affine
from automl_run.kernels.remembered import Remembered, key_of

from .parity import assert_same, pair, scan

KEPT: list[tuple[str, dict[str, Any]]] = [
    ("Spacing", {"pixdim": (1.3, 1.9, 2.7)}),
    ("Spacing", {"pixdim": (1.3, 1.9, 2.7), "mode": "nearest", "padding_mode": "zeros"}),
    ("Resize", {"spatial_size": (9, 8, 7), "mode": "trilinear"}),
    ("Affine", {"rotate_params": (0.2, 0.1, -0.3), "padding_mode": "zeros", "image_only": True}),
]


@pytest.mark.parametrize(("name", "arguments"), KEPT)
def test_a_second_image_of_a_kind_is_treated_as_the_first(name: str, arguments: dict[str, Any]) -> None:
    ours, theirs = pair(name, **arguments)
    for seed in range(2):
        image = scan((1, 15, 17, 9), seed=seed)
        assert_same(ours(image), theirs(image), within=3e-3)


@pytest.mark.parametrize(("name", "arguments"), KEPT)
def test_images_of_other_kinds_are_told_apart(name: str, arguments: dict[str, Any]) -> None:
    ours, theirs = pair(name, **arguments)
    for dtype, stretch in ((torch.float32, 1.0), (torch.int16, 1.0), (torch.float32, 1.5), (torch.float32, 1.0)):
        image = scan((1, 15, 17, 9), dtype)
        image.affine = image.affine * torch.tensor([stretch, 1, 1, 1], dtype=torch.float64)
        assert_same(ours(image), theirs(image), within=3e-3)


@pytest.mark.parametrize(("name", "arguments"), KEPT)
def test_what_a_caller_does_to_a_result_is_not_kept(name: str, arguments: dict[str, Any]) -> None:
    ours, theirs = pair(name, **arguments)
    image = scan((1, 15, 17, 9))
    spoilt = ours(image)
    spoilt.affine[:] = 0
    for value in spoilt.applied_operations[-1]["extra_info"].values():
        if isinstance(value, torch.Tensor):
            value[:] = 0
    spoilt.applied_operations[-1]["extra_info"].clear()
    assert_same(ours(image), theirs(image), within=3e-3)
    assert_same(ours.inverse(ours(image)), theirs.inverse(theirs(image)), within=3e-2)


def test_a_transform_may_be_changed_between_two_calls() -> None:
    ours, theirs = pair("Spacing", (1.3, 1.9, 2.7))
    image = scan((1, 15, 17, 9))
    for change in range(3):
        for spacing in (ours, theirs):
            if change == 1:
                spacing.pixdim[0] = 2.0  # in place
            if change == 2:
                spacing.sp_resample.mode = "nearest"
        assert_same(ours(image), theirs(image), within=3e-3)


def test_a_size_for_one_call_holds_for_that_call() -> None:
    ours, theirs = pair("Spacing", (1.3, 1.9, 2.7))
    image = scan((1, 15, 17, 9))
    for size in (None, (6, 7, 8), None):
        assert_same(ours(image, output_spatial_shape=size), theirs(image, output_spatial_shape=size), within=3e-3)


def test_an_affine_built_to_be_lazy_may_be_called_eagerly() -> None:
    image, turned = scan((1, 15, 17, 9)), {"rotate_params": (0.37, 0.1, -0.3), "padding_mode": "zeros", "image_only": True}
    for lazy in (True, False):
        ours, theirs = pair("Affine", lazy=lazy, **turned)
        assert_same(ours(image, lazy=False), theirs(image, lazy=False), within=3e-3)
    ours, theirs = pair("RandAffine", prob=1.0, rotate_range=0.3, padding_mode="zeros", lazy=True)
    assert_same(ours.set_random_state(0)(image, lazy=False), theirs.set_random_state(0)(image, lazy=False), within=3e-3)


def test_what_monai_samples_shares_no_matrix_with_the_next_image() -> None:
    ours, theirs = pair("Affine", rotate_params=(0.21, 0.1, -0.3), padding_mode="zeros", image_only=True)
    spoilt = ours(scan((1, 15, 17, 9), torch.int64))
    spoilt.applied_operations[-1]["extra_info"]["affine"].zero_()
    image = scan((1, 15, 17, 9))
    assert_same(ours(image), theirs(image), within=3e-3)


def test_grids_themselves_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Remembered[Any](4)
    monkeypatch.setattr(affine, "_grids", kept)
    for dtype, count in ((None, 0), (np.float32, 1)):
        ours, theirs = pair("Affine", rotate_params=(0.2, 0.1, -0.3), padding_mode="zeros", image_only=True, dtype=dtype)
        assert_same(ours(scan((1, 15, 17, 9))), theirs(scan((1, 15, 17, 9))), within=3e-3)
        assert len(kept) == count


def test_the_same_voxels_may_be_of_another_rank() -> None:
    ours, theirs = pair("SpatialResample")
    target = torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0], dtype=torch.float64))
    for rank in (3, 2):
        image = scan((1, 15, 17, 9))
        image.spatial_ndim = rank
        assert_same(ours(image, dst_affine=target), theirs(image, dst_affine=target), within=3e-3)


@pytest.mark.parametrize(("name", "arguments"), [*KEPT, ("Flip", {"spatial_axis": 0})])
def test_an_affine_may_require_a_gradient(name: str, arguments: dict[str, Any]) -> None:
    ours, theirs = pair(name, **arguments)
    image = scan((1, 15, 17, 9))
    expected = theirs(image)
    image.meta["affine"] = image.meta["affine"].requires_grad_()
    assert torch.allclose(ours(image).as_tensor(), expected.as_tensor(), atol=3e-3)


def test_only_so_many_are_kept_and_what_cannot_be_told_apart_is_not() -> None:
    kept, asked = Remembered[int](2), []

    def answer(key: object) -> int:
        asked.append(key)
        return len(asked)

    for key in (1, 1, 2, 3, 1):
        kept.get(key_of(key), lambda key=key: answer(key))  # type: ignore[misc]
    assert asked == [1, 2, 3, 1]
    assert key_of(1) != key_of(True) != key_of(1.0)
    assert key_of(np.zeros(2)) != key_of(np.zeros((2, 1))) != key_of(torch.zeros(2))
    assert key_of(object()) is None
    assert key_of(mt.Resize((2, 2, 2))) is None  # MONAI's classes, and those of a user, may look elsewhere
    assert key_of(kernels.Resize((2, 2, 2))) is not None
