"""Resampling against MONAI: linear within 1e-5 of the range, nearest exactly, metadata and inverse the same."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import monai.transforms as mt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor

from automl_run import kernels
from automl_run.kernels import pending
from automl_run.kernels.cpu import separable
from automl_run.kernels.cpu.axis_weights import grid_axis, interpolate_axis, whole_axis
from automl_run.kernels.cpu.separable import resample_axes

COVERED = [torch.float32, torch.uint8, torch.int8, torch.int16]
sizes = st.sampled_from([1, 2, 3, 5, 8, 17, 30])
shapes = st.lists(sizes, min_size=2, max_size=3).flatmap(lambda spatial: st.sampled_from([1, 2]).map(lambda c: (c, *spatial)))
spacings_mm = st.lists(st.sampled_from([0.5, 0.7, 1.0, 1.25, 2.0, 3.0]), min_size=3, max_size=3)


@pytest.fixture(scope="module")
def executed() -> Iterator[list[bool]]:
    """Whether each resampling was ours (True) or handed to MONAI."""
    calls: list[bool] = []
    ours = pending.Plan.carry_out

    def watched(plan: pending.Plan, image: torch.Tensor, voxels: torch.Tensor, info: dict[str, object]) -> torch.Tensor | None:
        out = ours(plan, image, voxels, info)
        calls.append(out is not None)
        return out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pending.Plan, "carry_out", watched)
        yield calls


def image(shape: tuple[int, ...], dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    return torch.randint(-100, 100, shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def scan(x: torch.Tensor, spacing_mm: list[float], *, oblique: bool = False) -> MetaTensor:
    rank = x.ndim - 1
    affine = np.eye(rank + 1)
    affine[:rank, :rank] = np.diag(spacing_mm[:rank]) * np.where(np.arange(rank) == 1, -1, 1)
    affine[:rank, -1] = np.arange(rank) * 7.5 - 3
    if oblique:
        turn = np.eye(rank + 1)
        turn[:2, :2] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
        affine = turn @ affine
    return MetaTensor(x, affine=torch.from_numpy(affine))


def records(entry: object) -> object:
    if isinstance(entry, dict):
        return {key: records(value) for key, value in entry.items() if key != "id"}
    return [records(value) for value in entry] if isinstance(entry, list) else entry


def assert_close(ours: torch.Tensor, theirs: torch.Tensor, *, exact: bool, values: torch.Tensor) -> None:
    assert type(ours) is type(theirs)
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    if exact:
        assert torch.equal(ours, theirs)
    else:
        reach = float(values.max()) - float(values.min())
        rounding = 2.5e-7 * float(values.abs().max())  # two ulps of float32
        assert float((torch.as_tensor(ours) - torch.as_tensor(theirs)).abs().max()) <= 1e-5 * reach + rounding
    if isinstance(ours, MetaTensor) and isinstance(theirs, MetaTensor):
        assert torch.equal(ours.affine, theirs.affine)
        assert ours.meta.keys() == theirs.meta.keys()
        assert ours.spatial_ndim == theirs.spatial_ndim
        assert repr(records(ours.applied_operations)) == repr(records(theirs.applied_operations))
        assert ours.pending_operations == theirs.pending_operations == []


@settings(max_examples=60, deadline=None)
@given(
    shapes,
    st.sampled_from(COVERED),
    st.lists(sizes, min_size=3, max_size=3),
    st.sampled_from(["bilinear", "trilinear", "nearest", "nearest-exact"]),
    st.sampled_from([None, False, True]),
    st.booleans(),
)
def test_resize_is_monais(
    shape: tuple[int, ...], dtype: torch.dtype, size: list[int], mode: str, align_corners: bool | None, transposed: bool
) -> None:
    x = image(shape, dtype)
    if transposed:
        x = x.transpose(0, -1).contiguous().transpose(0, -1)
    nearest = mode.startswith("nearest")
    arguments: dict[str, Any] = {"mode": mode, "align_corners": None if nearest else align_corners}
    target = size[: len(shape) - 1]
    ours = kernels.Resize(target, **arguments)(scan(x, [1, 2, 3]))
    theirs = mt.Resize(target, **arguments)(scan(x, [1, 2, 3]))
    assert_close(ours, theirs, exact=nearest, values=x.float())


@settings(max_examples=60, deadline=None)
@given(
    shapes,
    st.sampled_from(COVERED),
    spacings_mm,
    spacings_mm,
    st.sampled_from(["bilinear", "nearest"]),
    st.booleans(),
    st.sampled_from([np.float64, np.float32]),
)
def test_spacing_is_monais(
    shape: tuple[int, ...],
    dtype: torch.dtype,
    source_mm: list[float],
    target_mm: list[float],
    mode: str,
    align_corners: bool,
    precision: type[np.floating],
) -> None:
    x = image(shape, dtype)
    arguments: dict[str, Any] = {
        "pixdim": target_mm[: len(shape) - 1],
        "mode": mode,
        "align_corners": align_corners,
        "dtype": precision,
    }
    ours = kernels.Spacing(**arguments)(scan(x, source_mm))
    theirs = mt.Spacing(**arguments)(scan(x, source_mm))
    assert_close(ours, theirs, exact=mode == "nearest", values=x.float())


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_oblique_scan_keeps_its_grid(mode: str, dtype: torch.dtype) -> None:
    x = scan(image((1, 20, 24, 18), torch.float32), [0.8, 1.1, 2.5], oblique=True)
    x.affine = x.affine.to(dtype).to(torch.float64)
    arguments: dict[str, Any] = {"pixdim": (1.3, 0.9, 1.0), "mode": mode}
    assert_close(kernels.Spacing(**arguments)(x), mt.Spacing(**arguments)(x), exact=mode == "nearest", values=x)


def test_the_kernels_do_the_work_where_they_can(executed: list[bool]) -> None:
    executed.clear()
    x = scan(image((1, 20, 24, 18), torch.float32), [1, 1, 2])
    kernels.Spacing((1.5, 1.5, 1.5))(x)
    kernels.Spacing((1.5, 1.5, 1.5), mode="nearest")(x)
    kernels.Spacing((1.5, 1.5, 1.5))(scan(x.as_tensor(), [1, 1, 2], oblique=True))
    kernels.Resize((9, 9, 9), mode="trilinear")(x)
    kernels.Resize((9, 9, 9), mode="nearest")(x.as_tensor())
    assert executed == [True] * 5


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (kernels.Resize((9, 7, 5)), mt.Resize((9, 7, 5))),
        (kernels.Resize((9, 7, 5), mode="area"), mt.Resize((9, 7, 5), mode="area")),
        (kernels.Resize((5,) * 3, mode="trilinear", anti_aliasing=True), mt.Resize((5,) * 3, mode="trilinear", anti_aliasing=True)),
        (kernels.Resize(9, size_mode="longest", mode="nearest"), mt.Resize(9, size_mode="longest", mode="nearest")),
        (kernels.Resize((12, 10, -1), mode="trilinear"), mt.Resize((12, 10, -1), mode="trilinear")),
        (kernels.Resize((12, 10, 7), mode="trilinear"), mt.Resize((12, 10, 7), mode="trilinear")),
        (kernels.Spacing(0.7, padding_mode="zeros"), mt.Spacing(0.7, padding_mode="zeros")),
        (kernels.Spacing(0.7, padding_mode="reflection"), mt.Spacing(0.7, padding_mode="reflection")),
        (kernels.Spacing(0.7, mode=3, padding_mode="reflect"), mt.Spacing(0.7, mode=3, padding_mode="reflect")),
        (kernels.Spacing((1, 2, 3)), mt.Spacing((1, 2, 3))),
        (kernels.Spacing((1.0004, 2, 3)), mt.Spacing((1.0004, 2, 3))),
        (kernels.Spacing(0.7, diagonal=True), mt.Spacing(0.7, diagonal=True)),
        (kernels.Spacing(0.7, recompute_affine=True), mt.Spacing(0.7, recompute_affine=True)),
        (kernels.Spacing(0.7, scale_extent=True, align_corners=True), mt.Spacing(0.7, scale_extent=True, align_corners=True)),
        (kernels.Spacing(0.7, min_pixdim=0.1, max_pixdim=2), mt.Spacing(0.7, min_pixdim=0.1, max_pixdim=2)),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int32, torch.uint8])
def test_every_other_case_is_monais_own(ours: Any, theirs: Any, dtype: torch.dtype) -> None:
    x = image((2, 12, 10, 8), dtype)
    assert_close(ours(scan(x, [1, 2, 3])), theirs(scan(x, [1, 2, 3])), exact=False, values=x.double())


def test_a_plain_image_gains_a_dimension_as_in_monai() -> None:
    x = image((1, 12, 10), torch.float32)
    arguments: dict[str, Any] = {"spatial_size": (6, 20, 3), "mode": "trilinear"}
    assert_close(kernels.Resize(**arguments)(x), mt.Resize(**arguments)(x), exact=False, values=x)
    resize = kernels.Resize(**arguments)
    assert resize.inverse(resize(x)).shape == x.shape


def test_inverse_is_monais() -> None:
    x = scan(image((1, 12, 10, 8), torch.float32), [1, 2, 3])
    pairs: list[tuple[Any, Any]] = [
        (kernels.Spacing(0.7), mt.Spacing(0.7)),
        (kernels.Spacing((2, 2, 2), mode="nearest"), mt.Spacing((2, 2, 2), mode="nearest")),
        (kernels.Resize((20, 20, 20), mode="trilinear"), mt.Resize((20, 20, 20), mode="trilinear")),
    ]
    for ours, theirs in pairs:
        back = ours.inverse(ours(x))
        assert_close(back, theirs.inverse(theirs(x)), exact=False, values=x)
        assert back.shape == x.shape
        assert torch.allclose(back.affine, x.affine)


def test_dictionaries() -> None:
    x = image((1, 12, 10, 8), torch.float32)
    data = {"image": scan(x, [1, 2, 3]), "label": scan(image((1, 12, 10, 8), torch.uint8), [1, 2, 3])}
    keys, modes = ["image", "label"], ["bilinear", "nearest"]
    pairs: list[tuple[Any, Any]] = [
        (kernels.Spacingd(keys, (1.2, 1.2, 1.2), mode=modes), mt.Spacingd(keys, (1.2, 1.2, 1.2), mode=modes)),
        (
            kernels.Resized(keys, (9, 21, 8), mode=["trilinear", "nearest"]),
            mt.Resized(keys, (9, 21, 8), mode=["trilinear", "nearest"]),
        ),
    ]
    for ours, theirs in pairs:
        mine, expected = ours(data), theirs(data)
        assert_close(mine["image"], expected["image"], exact=False, values=x)
        assert_close(mine["label"], expected["label"], exact=True, values=x)
        mine, expected = ours.inverse(mine), theirs.inverse(expected)
        assert_close(mine["image"], expected["image"], exact=False, values=x)
        assert_close(mine["label"], expected["label"], exact=False, values=x)


def test_resampling_to_another_image() -> None:
    x = scan(image((1, 12, 10, 8), torch.float32), [1, 2, 3])
    goal = torch.diag(torch.tensor([2.0, -1.5, 3.0, 1.0], dtype=torch.float64))
    ours = kernels.SpatialResample()(x, dst_affine=goal, spatial_size=(9, 9, 9))
    assert_close(ours, mt.SpatialResample()(x, dst_affine=goal, spatial_size=(9, 9, 9)), exact=False, values=x)
    data = {"image": x, "goal": goal}
    x.meta["goal"] = goal
    assert_close(
        kernels.SpatialResampled("image", dst_keys="goal")(data)["image"],
        mt.SpatialResampled("image", dst_keys="goal")(data)["image"],
        exact=False,
        values=x,
    )


def test_lazy_mode_is_monais() -> None:
    x = scan(image((1, 12, 10, 8), torch.float32), [1, 2, 3])
    steps = [kernels.Spacing(0.9), kernels.Flip(0), kernels.Resize((9, 9, 9), mode="trilinear")]
    theirs = [mt.Spacing(0.9), mt.Flip(0), mt.Resize((9, 9, 9), mode="trilinear")]
    assert_close(mt.Compose(steps, lazy=True)(x), mt.Compose(theirs, lazy=True)(x), exact=True, values=x)


def test_nan_and_infinity_spread_no_further_than_in_monai() -> None:
    x = image((1, 9, 8, 7), torch.float32)
    x[0, 4, 4, 4], x[0, 8, 7, 6], x[0, 0, 0, 0] = float("nan"), float("inf"), float("-inf")
    for size in [(5, 5, 5), (20, 19, 17)]:
        ours, theirs = kernels.Resize(size, mode="trilinear")(x), mt.Resize(size, mode="trilinear")(x)
        torch.testing.assert_close(ours, theirs, equal_nan=True, rtol=1e-5, atol=1e-3)


def test_empty_images_end_as_in_monai() -> None:
    x = torch.zeros(0, 4, 5)
    with pytest.raises(RuntimeError):
        mt.Resize((3, 3), mode="bilinear")(x)
    with pytest.raises(RuntimeError):
        kernels.Resize((3, 3), mode="bilinear")(x)


def test_threads_give_the_same_voxels() -> None:
    x = image((2, 40, 44, 50), torch.int16)
    tables = [interpolate_axis(n, 48, "linear", None, torch.float32) for n in x.shape[1:]]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = resample_axes(x, tables)
        torch.set_num_threads(3)
        assert torch.equal(resample_axes(x, tables), alone)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("width", [16, 47, 48])
def test_rows_written_past_the_caches_are_the_same(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = image((2, 20, 21, 22), torch.float32)
    tables = [interpolate_axis(n, m, "linear", None, torch.float32) for n, m in zip(x.shape[1:], (9, 19, width), strict=True)]
    usual = resample_axes(x, tables)
    monkeypatch.setattr(separable, "PAST_THE_CACHES", 0)
    assert torch.equal(resample_axes(x, tables), usual)


def test_tables_are_checked_against_the_image() -> None:
    x = image((1, 4, 5), torch.float32)
    with pytest.raises(ValueError, match="outside its 4 voxels"):
        resample_axes(x, [whole_axis(5), whole_axis(5)])
    with pytest.raises(ValueError, match="1 axis tables for 2"):
        resample_axes(x, [whole_axis(4)])
    with pytest.raises(ValueError, match="differ in length"):
        resample_axes(x, [whole_axis(4), whole_axis(5)._replace(weight=whole_axis(3).weight)])
    with pytest.raises(ValueError, match="cannot resample"):
        resample_axes(x.double(), [whole_axis(4), whole_axis(5)])


def test_a_table_reads_what_torch_reads() -> None:
    table = interpolate_axis(4, 2, "linear", None, torch.float32)
    assert table.low.tolist() == [0, 2]
    assert table.high.tolist() == [1, 3]
    assert table.weight.tolist() == [0.5, 0.5]
    edge = grid_axis(3, 3, 2.0, 0.0, rank=3, nearest=False, align_corners=True, dtype=torch.float64)
    assert edge.low.tolist() == [0, 1, 2]
    assert edge.high.tolist() == [1, 2, 2]


def test_pickling() -> None:
    x = {"image": scan(image((1, 12, 10, 8), torch.float32), [1, 2, 3])}
    ours = kernels.Spacingd("image", (1.2, 1.2, 1.2))
    assert torch.equal(pickle.loads(pickle.dumps(ours))(x)["image"], ours(x)["image"])
