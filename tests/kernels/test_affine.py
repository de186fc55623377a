"""Affine transforms, rotations and resampling on oblique grids against MONAI.

MONAI rounds coordinates to float32 by default; against its own result in float64 we keep to 1e-5 of the intensity range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import monai.transforms as mt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor

from automl_run import kernels
from automl_run.kernels import pending, torch_grid
from automl_run.kernels.array import affine as affine_transforms

from .parity import assert_same, assert_same_draws, pair, scan, shapes

RANGE = 200
EXACT, ROUNDED = 1e-5 * RANGE, 2e-4 * RANGE

paddings = st.sampled_from(["zeros", "border", "reflection"])
angles = st.sampled_from([0.0, 0.1, -0.35, 1.2])


@pytest.fixture(scope="module")
def sampled() -> Iterator[list[bool]]:
    """Whether each sampling was ours (True) or handed to MONAI."""
    calls: list[bool] = []
    ours: Callable[..., torch.Tensor | None] = torch_grid.sample

    def watched(*args: Any, **kwargs: Any) -> torch.Tensor | None:
        out = ours(*args, **kwargs)
        calls.append(out is not None)
        return out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(affine_transforms, "sample", watched)
        patch.setattr(pending, "sample", watched)
        yield calls


@settings(max_examples=60, deadline=None)
@given(
    shapes,
    st.sampled_from([torch.float32, torch.uint8, torch.int16]),
    st.lists(angles, min_size=3, max_size=3),
    st.lists(st.sampled_from([0.8, 1.0, 1.3]), min_size=3, max_size=3),
    st.sampled_from([None, (9, 20, 5), (-1, 17, 4)]),
    paddings,
    st.booleans(),
)
def test_affine_is_monais(
    shape: tuple[int, ...],
    dtype: torch.dtype,
    angle: list[float],
    scale: list[float],
    size: tuple[int, ...] | None,
    padding: str,
    align_corners: bool,
) -> None:
    rank = len(shape) - 1
    ours, theirs = pair(
        "Affine",
        rotate_params=angle[: 1 if rank == 2 else 3],
        scale_params=scale[:rank],
        translate_params=[1.3, -2.4, 0.7][:rank],
        spatial_size=None if size is None else size[:rank],
        padding_mode=padding,
        align_corners=align_corners,
        dtype=np.float64,
        image_only=True,
    )
    x = scan(shape, dtype)
    mine, expected = ours(x), theirs(x)
    assert_same(mine, expected, within=EXACT)
    assert_same(ours.inverse(mine), theirs.inverse(expected), within=ROUNDED)


@settings(max_examples=40, deadline=None)
@given(
    shapes,
    st.lists(angles, min_size=3, max_size=3),
    paddings,
    st.booleans(),
    st.booleans(),
    st.sampled_from(["bilinear", "nearest"]),
)
def test_rotate_is_monais(
    shape: tuple[int, ...], angle: list[float], padding: str, keep_size: bool, align_corners: bool, mode: str
) -> None:
    ours, theirs = pair(
        "Rotate",
        angle[0] if len(shape) == 3 else angle,
        keep_size=keep_size,
        mode=mode,
        padding_mode=padding,
        align_corners=align_corners,
        dtype=np.float64,
    )
    x = scan(shape)
    mine, expected = ours(x), theirs(x)
    if mode == "bilinear":
        assert_same(mine, expected, within=EXACT)
    else:  # a label may fall to the other side only where it lies between two voxels
        torch.testing.assert_close(mine.affine, expected.affine)
        assert mine.shape == expected.shape
        if any(angle[: 1 if len(shape) == 3 else 3]):
            assert float((torch.as_tensor(mine) != torch.as_tensor(expected)).double().mean()) <= 0.05


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.int32, torch.float64])
def test_labels_are_exact_away_from_ties(padding: str, dtype: torch.dtype) -> None:
    arguments: dict[str, Any] = {"rotate_params": (0.31, 0.17, -0.23), "translate_params": (0.123, 1.777, -0.611)}
    arguments |= {"padding_mode": padding, "mode": "nearest", "image_only": True, "dtype": np.float64}
    x = scan((2, 17, 24, 15), dtype)
    ours, theirs = pair("Affine", **arguments)
    assert_same(ours(x), theirs(x))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("RandAffine", {"prob": 0.0, "spatial_size": (8, 9, 7)}),
        ("RandAffine", {"prob": 1.0, "rotate_range": (0.5, 0, 0), "spatial_size": (8, 9, 7)}),
        ("Affine", {"rotate_params": (np.pi / 2, 0, 0), "spatial_size": (8, 8, 8), "image_only": True}),
        ("Affine", {"scale_params": (1.5, 0.5, 1.0), "image_only": True}),
        ("Spacing", {"pixdim": (0.5, 0.5, 0.5)}),
        ("Spacing", {"pixdim": (1.5, 1.5, 2.0), "align_corners": True}),
    ],
)
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_labels_on_ties_are_monais(name: str, arguments: dict[str, Any], padding: str) -> None:
    """Planes of voxels that lie exactly between two: MONAI's own rounding errors decide."""
    ours, theirs = pair(name, mode="nearest", padding_mode=padding, **arguments)
    img = MetaTensor(torch.arange(11.0 * 13 * 12).view(1, 11, 13, 12), affine=torch.eye(4, dtype=torch.float64))
    for transform in (ours, theirs):
        if isinstance(transform, mt.Randomizable):
            transform.set_random_state(0)
    assert_same(ours(img.clone()), theirs(img.clone()))


def test_the_same_draws() -> None:
    item = {"a": scan((1, 12, 9, 17)), "b": scan((1, 12, 9, 17), torch.uint8)}
    ranges: dict[str, Any] = {"rotate_range": (0.3, 0.2, 0.1), "scale_range": (0.1, 0.1, 0.1), "translate_range": (2, 2, 2)}
    assert_same_draws(*pair("RandAffine", 0.6, padding_mode="zeros", **ranges), item["a"], within=ROUNDED)
    assert_same_draws(*pair("RandAffine", 0.6, spatial_size=(8, 8, 8), cache_grid=True, **ranges), item["a"], within=ROUNDED)
    assert_same_draws(*pair("RandAffined", ["a", "b"], prob=0.6, padding_mode="border", **ranges), item, within=ROUNDED)
    assert_same_draws(
        *pair("RandAffined", ["a"], (7, 8, 9), prob=0.6, mode=3, padding_mode="nearest", **ranges), item, within=ROUNDED
    )
    assert_same_draws(*pair("RandRotate", 0.3, 0.2, 0.1, 0.6), item["a"], within=ROUNDED)
    assert_same_draws(*pair("RandRotated", ["a", "b"], 0.3, 0.2, 0.1, 0.6, keep_size=False), item, within=ROUNDED)


def test_dictionaries_and_their_inverses() -> None:
    item = {"a": scan((1, 12, 9, 17)), "b": scan((1, 12, 9, 17))}
    for ours, theirs in (
        pair("Affined", ["a", "b"], (0.1, 0.2, 0.3), padding_mode=["zeros", "border"]),
        pair("Rotated", ["a", "b"], (0.1, 0.2, 0.3), padding_mode=["zeros", "border"]),
    ):
        mine, expected = ours(item), theirs(item)
        assert_same(mine, expected, within=ROUNDED)
        assert_same(ours.inverse(mine), theirs.inverse(expected), within=ROUNDED)


def test_oblique_grids_are_sampled_by_us(sampled: list[bool]) -> None:
    x = scan((1, 12, 9, 17))
    turned = x.affine @ mt.utils.create_rotate(3, (0.2, 0.1, 0.3), backend="torch").to(torch.float64)
    sampled.clear()
    for arguments in ({}, {"padding_mode": "zeros"}, {"padding_mode": "reflection", "align_corners": True}):
        ours, theirs = pair("SpatialResample", **arguments)
        assert_same(
            ours(x, dst_affine=turned, spatial_size=(10, 11, 12)),
            theirs(x, dst_affine=turned, spatial_size=(10, 11, 12)),
            within=EXACT,
        )
    ours, theirs = pair("Spacing", (1.2, 0.9, 2.0), padding_mode="zeros")
    assert_same(ours(x), theirs(x), within=EXACT)
    assert sampled == [True] * 4


def test_what_the_kernels_do_not_cover_is_monais(sampled: list[bool]) -> None:
    sampled.clear()
    x = scan((1, 12, 9, 17))
    arguments: dict[str, Any] = {"rotate_params": (0.1, 0.2, 0.3), "image_only": True}
    for extra in ({"mode": 3, "padding_mode": "nearest"}, {"translate_params": (1e4, 0, 0), "dtype": np.float64}):
        ours, theirs = pair("Affine", **arguments, **extra)
        assert_same(ours(x), theirs(x), within=ROUNDED)
    far, theirs = pair("Affine", affine=torch.full((4, 4), float("nan")), image_only=True, padding_mode="zeros")
    assert torch.equal(far(x).isnan(), theirs(x).isnan())
    lazy, theirs = pair("Affine", **arguments, lazy=True)
    assert torch.equal(lazy(x).peek_pending_affine(), theirs(x).peek_pending_affine())


def test_gradients_flow_as_in_monai() -> None:
    x = scan((1, 6, 7, 8)).as_tensor().requires_grad_()
    for transform in pair("Affine", rotate_params=(0.1, 0.2, 0.3), image_only=True, padding_mode="border"):
        (gradient,) = torch.autograd.grad(transform(x).sum(), x)
        assert float(gradient.sum()) == pytest.approx(6 * 7 * 8, rel=1e-3)


def test_mirrors() -> None:
    assert torch_grid.mirror(-3, 6, 3, False).tolist() == [2, 1, 0, 0, 1, 2, 2, 1, 0]
    assert torch_grid.mirror(-3, 6, 3, True).tolist() == [1, 2, 1, 0, 1, 2, 1, 0, 1]
    assert torch_grid.mirror(-2, 2, 1, True).tolist() == [0] * 4


def test_a_rotation_is_undone_by_its_opposite() -> None:
    x = scan((1, 20, 20, 20))
    there = kernels.Rotate((0.0, 0.0, np.pi / 2))(x)
    back: Any = kernels.Rotate((0.0, 0.0, -np.pi / 2))(there)
    assert_same(back.as_tensor(), x.as_tensor(), within=ROUNDED)
