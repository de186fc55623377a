"""Quarter turns against MONAI, bit for bit."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import set_track_meta

from automl_run import kernels
from automl_run.kernels.tracking import Inner

from .parity import DTYPES, assert_same, assert_same_draws, pair, scan, shapes

planes = st.sampled_from([(0, 1), (1, 0), (0, -1), (-1, -2)])


@settings(max_examples=60, deadline=None)
@given(shapes, st.sampled_from(DTYPES), st.integers(-3, 4), planes, st.sampled_from(["contiguous", "transposed", "cropped"]))
def test_every_voxel_is_where_monai_puts_it(
    shape: tuple[int, ...], dtype: torch.dtype, k: int, plane: tuple[int, int], layout: str
) -> None:
    x = scan(shape, dtype, layout=layout)
    ours, theirs = pair("Rotate90", k, plane)
    mine, expected = ours(x), theirs(x)
    assert_same(mine, expected)
    assert_same(ours.inverse(mine), theirs.inverse(expected))


@settings(max_examples=20, deadline=None)
@given(shapes, planes)
def test_four_turns_are_none(shape: tuple[int, ...], plane: tuple[int, int]) -> None:
    x = turned = scan(shape)
    for _ in range(4):
        turned = kernels.Rotate90(1, plane)(turned)
    assert torch.equal(turned, x)
    torch.testing.assert_close(turned.affine, x.affine, rtol=0, atol=1e-10)


def test_the_same_draws() -> None:
    x = scan((2, 5, 6, 7))
    assert_same_draws(*pair("RandRotate90", prob=0.6, spatial_axes=(0, 2)), x)
    assert_same_draws(*pair("RandRotate90d", ["a", "b"], prob=0.6, max_k=2), {"a": x, "b": scan((1, 5, 6, 7), torch.uint8)})


def test_dictionaries() -> None:
    item = {"a": scan((2, 5, 6, 7)), "other": "kept"}
    ours, theirs = pair("Rotate90d", ["a", "absent"], 3, (1, 2), allow_missing_keys=True)
    mine, expected = ours(item), theirs(item)
    assert_same(mine, expected)
    assert_same(ours.inverse(mine), theirs.inverse(expected))


def test_lazy_mode_is_monais() -> None:
    ours, theirs = pair("Rotate90", 1, (0, 1), lazy=True)
    x = scan((1, 4, 5, 6))
    assert torch.equal(ours(x).peek_pending_affine(), theirs(x).peek_pending_affine())


def test_plain_tensors_and_arrays() -> None:
    ours, theirs = pair("Rotate90", 1, (0, 1))
    x = scan((1, 4, 5, 6)).as_tensor()
    assert_same(ours(x), theirs(x))
    assert_same(ours(x.numpy()), theirs(x.numpy()))


def test_without_metadata() -> None:
    x = scan((1, 3, 11, 5))  # a shape that no other test has: its matrix is not remembered
    set_track_meta(False)
    try:
        for ours, theirs in (
            pair("Rotate90", 1, (0, 1)),
            pair("CenterSpatialCrop", 2),
            pair("SpatialPad", 12),
            pair("Rotate", (0.1, 0, 0)),
        ):
            assert_same(ours(x), theirs(x), within=0.02)
    finally:
        set_track_meta(True)


def test_a_held_transform_is_found_as_ours_and_must_exist() -> None:
    assert type(kernels.Rotate90d("a").rotator) is kernels.Rotate90
    assert isinstance(kernels.Rotate90d.rotator, Inner)
    with pytest.raises(AttributeError, match="rotator"):
        _ = kernels.Rotate90d.__new__(kernels.Rotate90d).rotator
