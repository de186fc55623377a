"""Flips against MONAI: every voxel, the metadata, the draws and the inverse."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Sequence
from typing import Any

import monai.transforms as mt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor, set_track_meta

from automl_run import kernels

DTYPES = [
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64),
]
AFFINE = torch.tensor([[1.5, 0, 0.1, -7], [0, -2, 0, 3], [0.2, 0, 3, 11], [0, 0, 0, 1]], dtype=torch.float64)

shapes = st.lists(st.sampled_from([1, 2, 3, 5, 16, 17, 33, 70]), min_size=2, max_size=3).flatmap(
    lambda spatial: st.sampled_from([1, 2, 3]).map(lambda channels: (channels, *spatial))
)
axis_choices = st.one_of(
    st.none(),
    st.sampled_from([0, 1, -1, -2]),
    st.lists(st.sampled_from([0, 1]), unique=True, max_size=2).map(tuple),
    st.sampled_from([(0, -1), [0], [-1]]),
)


def image(shape: Sequence[int], dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(-100, 100, tuple(shape), generator=generator)
    return (values > 0) if dtype == torch.bool else values.to(dtype)


def strided(x: torch.Tensor, how: str) -> torch.Tensor:
    """The same shape and values under other strides."""
    match how:
        case "transposed":
            return x.transpose(0, -1).contiguous().transpose(0, -1)
        case "sliced":
            return torch.stack([x, x], -1)[..., 0]
        case "cropped":
            wide = x.new_zeros([n + 2 for n in x.shape])
            inner = wide[tuple(slice(1, -1) for _ in x.shape)]
            return inner.copy_(x)
        case "expanded":
            return x[:1].expand(x.shape)
        case _:
            return x


def assert_same(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert type(ours) is type(theirs)
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert torch.equal(ours, theirs)
    if isinstance(ours, MetaTensor) and isinstance(theirs, MetaTensor):
        assert torch.equal(ours.affine, theirs.affine)
        assert ours.affine.dtype == theirs.affine.dtype
        assert ours.spatial_ndim == theirs.spatial_ndim
        assert ours.meta.keys() == theirs.meta.keys()
        assert repr(records(ours.applied_operations)) == repr(records(theirs.applied_operations))
        assert ours.pending_operations == theirs.pending_operations == []


def records(entry: object) -> object:
    """Applied operations without the addresses of the transforms."""
    if isinstance(entry, dict):
        return {key: records(value) for key, value in entry.items() if key != "id"}
    return [records(value) for value in entry] if isinstance(entry, list) else entry


@settings(max_examples=60, deadline=None)
@given(
    shapes,
    st.sampled_from(DTYPES),
    axis_choices,
    st.sampled_from(["contiguous", "transposed", "sliced", "cropped", "expanded"]),
)
def test_every_voxel_is_where_monai_puts_it(
    shape: tuple[int, ...], dtype: torch.dtype, axis: int | Sequence[int] | None, layout: str
) -> None:
    x = strided(image(shape, dtype), layout)
    affine = AFFINE if len(shape) == 4 else AFFINE[[0, 1, 3]][:, [0, 1, 3]]
    assert_same(kernels.Flip(axis)(MetaTensor(x, affine=affine)), mt.Flip(axis)(MetaTensor(x, affine=affine)))


@settings(max_examples=30, deadline=None)
@given(shapes, axis_choices)
def test_inverse_restores_image_and_affine(shape: tuple[int, ...], axis: int | Sequence[int] | None) -> None:
    x = MetaTensor(image(shape), affine=AFFINE)
    flip: Any = kernels.Flip(axis)
    restored = flip.inverse(flip(x))
    assert torch.equal(restored, x)
    assert torch.allclose(restored.affine, x.affine, atol=1e-12)
    assert restored.applied_operations == []


def test_nan_payloads_survive() -> None:
    bits = torch.arange(0x7F800001, 0x7F800001 + 40, dtype=torch.int32).view(1, 5, 8)
    flipped = kernels.Flip()(bits.view(torch.float32))
    assert torch.equal(flipped.view(torch.int32), torch.flip(bits, [1, 2]))


def test_empty_image() -> None:
    x = torch.zeros(1, 0, 4)
    assert_same(kernels.Flip()(x), mt.Flip()(x))


def test_the_input_is_left_alone_and_not_shared() -> None:
    x = image((1, 1, 1))
    flipped = kernels.Flip(0)(x)
    flipped += 1
    assert torch.equal(x, image((1, 1, 1)))


def test_arrays_and_read_only_arrays() -> None:
    array: Any = np.arange(24, dtype=np.float32).reshape(1, 4, 6)
    assert_same(kernels.Flip(0)(array), mt.Flip(0)(array))
    array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch's word about read-only memory
        assert_same(kernels.Flip(0)(array), mt.Flip(0)(array))


@pytest.mark.parametrize("axis", [5, (0, 0), -4])
def test_what_monai_refuses_or_treats_specially_stays_so(axis: int | tuple[int, ...]) -> None:
    x = image((2, 4, 5, 6))
    try:
        expected = mt.Flip(axis)(x)
    except Exception as error:
        with pytest.raises(type(error)):
            kernels.Flip(axis)(x)
    else:
        assert_same(kernels.Flip(axis)(x), expected)


def test_gradients_flow_as_in_monai() -> None:
    x = image((1, 4, 5)).requires_grad_()
    (gradient,) = torch.autograd.grad(kernels.Flip(0)(x).sum(), x)
    assert torch.equal(gradient, torch.ones_like(gradient))


@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 2)])
@pytest.mark.parametrize("width", [16, 17])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.complex64])
def test_large_images(axis: int | tuple[int, ...] | None, width: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl_run.kernels.array.flip._LARGE", 0)
    x = MetaTensor(image((2, 5, 6, width), dtype), affine=AFFINE)
    ours, theirs = kernels.Flip(axis), mt.Flip(axis)
    flipped = ours(x)
    assert_same(flipped, theirs(x))
    assert torch.equal(ours.inverse(flipped), x)
    if dtype is torch.float32:
        leaf = image((2, 5, 6, width)).requires_grad_()
        assert torch.autograd.grad(ours(leaf).square().sum(), leaf)[0].shape == leaf.shape


def test_untracked_and_lazy() -> None:
    x = MetaTensor(image((1, 4, 5, 6)), affine=AFFINE)
    lazy: Any = kernels.Flip(0, lazy=True)(x)
    assert len(lazy.pending_operations) == 1
    assert torch.equal(lazy.affine, mt.Flip(0, lazy=True)(x).affine)
    set_track_meta(False)
    try:
        assert_same(kernels.Flip(0)(x), mt.Flip(0)(x))
    finally:
        set_track_meta(True)


def test_same_draws_and_results_over_many_seeds() -> None:
    x = {
        "image": MetaTensor(image((1, 3, 4, 5)), affine=AFFINE),
        "label": MetaTensor(image((1, 3, 4, 5), torch.uint8), affine=AFFINE),
    }
    keys = ["image", "label"]
    pairs: list[tuple[Any, Any]] = [
        (kernels.RandFlipd(keys, prob=0.5, spatial_axis=1), mt.RandFlipd(keys, prob=0.5, spatial_axis=1)),
        (kernels.RandAxisFlipd(keys, prob=0.5), mt.RandAxisFlipd(keys, prob=0.5)),
    ]
    for ours, theirs in pairs:
        for seed in range(40):
            ours.set_random_state(seed)
            theirs.set_random_state(seed)
            for _ in range(2):
                mine, expected = ours(x), theirs(x)
                for key in keys:
                    assert_same(mine[key], expected[key])
            back = ours.inverse(mine)
            for key in keys:
                assert torch.equal(back[key], x[key])
                assert torch.allclose(back[key].affine, AFFINE)


def test_random_array_transforms_draw_and_invert_as_monai() -> None:
    x = MetaTensor(image((1, 3, 4, 5)), affine=AFFINE)
    pairs: list[tuple[Any, Any]] = [
        (kernels.RandFlip(0.5, spatial_axis=(0, 2)), mt.RandFlip(0.5, spatial_axis=(0, 2))),
        (kernels.RandAxisFlip(0.5), mt.RandAxisFlip(0.5)),
    ]
    for ours, theirs in pairs:
        for seed in range(40):
            ours.set_random_state(seed)
            theirs.set_random_state(seed)
            mine = ours(x)
            assert_same(mine, theirs(x))
            assert torch.equal(ours.inverse(mine), x)


def test_flipd_in_a_compose_and_its_inverse() -> None:
    x = {"image": MetaTensor(image((1, 3, 4, 5)), affine=AFFINE)}
    pipeline = mt.Compose([kernels.Flipd(["image", "absent"], spatial_axis=[0, 1], allow_missing_keys=True)])
    assert torch.equal(pipeline.inverse(pipeline(x))["image"], x["image"])
    theirs = mt.Compose([mt.Flipd("image", spatial_axis=[0, 1])])
    assert_same(pipeline(x)["image"], theirs(x)["image"])


def test_pickled_transforms_draw_the_same() -> None:
    ours = kernels.RandAxisFlipd("image", prob=0.5).set_random_state(7)
    copy = pickle.loads(pickle.dumps(ours))
    for _ in range(5):
        x = {"image": image((1, 3, 4, 5))}
        assert torch.equal(ours(x)["image"], copy(x)["image"])
