"""Fused pipelines give what their Compose gives: from one seed, over many calls, whatever the steps and shapes."""

from __future__ import annotations

from typing import Any

import monai.transforms as mt
import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pipeline_parity import assert_parity, sample, volume

from automl_run.kernels import fuse

KEYS = ["image", "label"]


def light(size: int = 12) -> list[Any]:
    flips = [mt.RandFlipd(KEYS, prob=0.5, spatial_axis=axis) for axis in range(3)]
    crop = mt.RandSpatialCropd(KEYS, roi_size=(size,) * 3, random_size=False)
    return [crop, *flips, mt.RandRotate90d(KEYS, prob=0.5, max_k=3)]


def intensities() -> list[Any]:
    return [
        mt.RandGaussianNoised("image", prob=0.6, std=0.1),
        mt.RandAdjustContrastd("image", prob=0.6, gamma=(0.7, 1.5)),
        mt.RandScaleIntensityd("image", factors=0.1, prob=0.6),
        mt.RandShiftIntensityd("image", offsets=0.1, prob=0.6),
    ]


def affine(padding_mode: str = "zeros", **options: Any) -> Any:
    options = {"rotate_range": (0.3, 0.2, 0.1), "scale_range": (0.1,) * 3, "translate_range": (1, 2, 3), **options}
    return mt.RandAffined(KEYS, prob=0.7, mode=("bilinear", "nearest"), padding_mode=padding_mode, **options)


def samples(count: int = 4, shape: tuple[int, ...] = (17, 21, 19)) -> list[Any]:
    return [sample(shape, seed) for seed in range(count)]


def test_light_is_bit_exact() -> None:
    assert_parity(mt.Compose([*light(), *intensities()[2:]]), samples(8))


@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
def test_heavy(padding_mode: str) -> None:
    fused = assert_parity(mt.Compose([*light(), affine(padding_mode), *intensities()]), samples(8), tolerance=1e-5)
    assert ("pads by reflection" in fused.explain()) == (padding_mode == "reflection")


def test_intensities_before_moves_and_moves_after_interpolations() -> None:
    assert_parity(mt.Compose([*intensities(), *light()]), samples(), tolerance=1e-6)
    assert_parity(mt.Compose([affine(), *light(9), affine("border"), *intensities()]), samples(), tolerance=2e-5)


@pytest.mark.parametrize("gamma", [-0.5, (-0.5, 1.5), float("inf")])
def test_gammas_that_the_kernel_does_not_take(gamma: Any) -> None:
    item, kind = {"image": volume((9, 9, 9)) + 1}, mt.RandAdjustContrastd if isinstance(gamma, tuple) else mt.AdjustContrastd
    expected = mt.Compose([kind("image", gamma=gamma)]).set_random_state(2)(item)["image"]
    fused = fuse(mt.Compose([kind("image", gamma=gamma)])).set_random_state(2)
    torch.testing.assert_close(fused(item)["image"].as_tensor(), expected.as_tensor(), equal_nan=True)
    assert "gamma" in fused.explain()


def test_two_dimensions() -> None:
    steps = [
        mt.RandSpatialCropd(KEYS, roi_size=(9, 8), random_size=False),
        mt.RandAxisFlipd(KEYS, prob=0.7),
        mt.RandRotate90d(KEYS, prob=0.7),
        affine(),
        *intensities(),
    ]
    data = [{"image": torch.rand(2, 13, 15), "label": (torch.rand(1, 13, 15) * 4).to(torch.uint8)} for _ in range(6)]
    assert_parity(mt.Compose(steps), data, tolerance=1e-5)


def test_types() -> None:
    steps = [mt.EnsureTyped([*KEYS, "name"]), mt.RandFlipd(KEYS, 0.5), mt.EnsureTyped(KEYS, dtype=[torch.float32, torch.int64])]
    more = [mt.RandRotate90d(KEYS, 0.7), mt.EnsureTyped("image", track_meta=False), mt.EnsureTyped("label", data_type="numpy")]
    assert_parity(mt.Compose([*steps, *more]), samples(), inverse=False)
    arrays = [{k: np.asarray(v) for k, v in item.items() if k != "name"} for item in samples()]
    assert_parity(mt.Compose([mt.EnsureTyped(KEYS), *light(6)]), arrays)


def test_one_field_for_two_images() -> None:
    keys = ["image", "second"]
    turn = mt.RandAffined(keys, prob=1.0, rotate_range=0.2, padding_mode="zeros")
    data = [{"image": volume((12, 9, 11), s), "second": volume((12, 9, 11), s + 9)} for s in range(3)]
    assert_parity(mt.Compose([turn, mt.RandGaussianNoised(keys, prob=1.0)]), data, tolerance=1e-5)


def test_nearest_voxels_with_intensities() -> None:
    turn = mt.RandAffined("image", prob=1.0, rotate_range=0.2, mode="nearest", padding_mode="zeros")
    assert_parity(mt.Compose([turn, *intensities()]), samples(3), tolerance=1e-4, inverse=False)


def test_nearest_voxels_on_ties_are_those_of_monai() -> None:
    shift = mt.RandAffined(KEYS, prob=0.0, spatial_size=(14, 15, 16), mode="nearest", padding_mode="zeros")
    fused = assert_parity(mt.Compose([shift]), samples(2))
    assert "exactly between voxels" in fused.explain()


@pytest.mark.parametrize("prob", [0.0, 1.0])
def test_never_and_always(prob: float) -> None:
    steps = [
        mt.RandFlipd(KEYS, prob=prob),
        mt.RandAxisFlipd(KEYS, prob=prob),
        mt.RandRotate90d(KEYS, prob=prob, spatial_axes=(1, 2)),
        mt.RandAffined(KEYS, prob=prob, rotate_range=0.1, spatial_size=(14, 15, 16), padding_mode="zeros"),
        mt.RandRotated(KEYS, prob=prob, range_x=0.3, keep_size=False),
        mt.RandGaussianNoised("image", prob=prob),
    ]
    for step in steps:
        assert_parity(mt.Compose([step]), samples(3), tolerance=1e-5)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize(
    "parameters", [{"rotate_params": 0.2}, {"scale_params": 1.2}, {"shear_params": 0.1}, {"translate_params": 2.5}]
)
def test_one_parameter_for_all_axes(rank: int, parameters: dict[str, float]) -> None:
    if rank == 3 and "rotate_params" in parameters:
        parameters = {"rotate_params": (0.2, 0.1, 0.3)}  # type: ignore[dict-item]  # MONAI wants all three
    data = [{"image": volume((12, 9, 11)[:rank], seed)} for seed in range(2)]
    assert_parity(mt.Compose([mt.Affined("image", padding_mode="zeros", **parameters)]), data, tolerance=1e-5)


def test_samples_of_one_image() -> None:
    pos_neg = mt.RandCropByPosNegLabeld(KEYS, label_key="label", spatial_size=(9, 8, 7), num_samples=3, image_key="image")
    assert_parity(mt.Compose([pos_neg, *light(6)[1:], *intensities()]), samples(), tolerance=1e-6)
    by_class = mt.RandCropByLabelClassesd(KEYS, label_key="label", spatial_size=8, num_classes=4, num_samples=2)
    assert_parity(mt.Compose([mt.RandFlipd(KEYS, prob=0.5), by_class]), samples())
    anywhere = mt.RandSpatialCropSamplesd(KEYS, roi_size=8, num_samples=3, random_size=False)
    assert_parity(mt.Compose([anywhere, mt.RandSpatialCropSamplesd(KEYS, 5, 2, random_size=True)], map_items=2), samples())


def test_samples_around_a_label_that_is_an_array() -> None:
    """MONAI finds the background of an array of uint8 otherwise than that of a tensor."""
    arrays = [{k: np.asarray(v) for k, v in item.items() if k != "name"} for item in samples()]
    pos_neg = mt.RandCropByPosNegLabeld(KEYS, "label", (9, 8, 7), pos=0, neg=1, num_samples=3)
    assert_parity(mt.Compose([pos_neg, *light(6)[1:]]), arrays)


def test_indices_computed_before() -> None:
    steps = [
        mt.FgBgToIndicesd("label"),
        mt.RandCropByPosNegLabeld(
            KEYS, "label", (8, 8, 8), num_samples=2, fg_indices_key="label_fg_indices", bg_indices_key="label_bg_indices"
        ),
    ]
    assert_parity(mt.Compose(steps), samples())


def test_keys_that_are_missing() -> None:
    keys = ["image", "other", "label"]
    steps = [
        mt.RandFlipd(keys, prob=0.5, allow_missing_keys=True),
        mt.RandRotate90d("other", prob=0.5, allow_missing_keys=True),
        mt.RandScaleIntensityd(["other", "image"], 0.1, prob=1.0, allow_missing_keys=True),
        mt.RandGaussianNoised("other", prob=1.0, allow_missing_keys=True),
        mt.RandAxisFlipd("other", prob=1.0, allow_missing_keys=True),
    ]
    assert_parity(mt.Compose(steps), samples(), tolerance=1e-6)
    compose = mt.Compose([mt.RandFlipd(keys, prob=0.5)])
    from automl_run.kernels import fuse

    with pytest.raises(RuntimeError, match="applying transform"):
        fuse(compose)(samples(1)[0])


def test_a_key_of_another_shape() -> None:
    data = [{"image": volume((12, 14, 13), s), "label": volume((10, 9, 11), s, torch.int16, top=5.0)} for s in range(3)]
    steps = [
        mt.CenterSpatialCropd(KEYS, 8),
        mt.RandFlipd(KEYS, 0.5, 1),
        mt.SpatialPadd(KEYS, (11, 9, 12)),
        mt.RandRotate90d(KEYS, 0.9),
    ]
    assert_parity(mt.Compose(steps), data)
    noise = mt.RandGaussianNoised(KEYS, prob=1.0)
    assert_parity(mt.Compose([noise, mt.CenterSpatialCropd(KEYS, 8)]), [{k: volume((9, 9, 9), 3) for k in KEYS}], tolerance=1e-6)


def test_arrays_and_plain_tensors() -> None:
    rng = np.random.RandomState(0)
    arrays = [{"image": rng.rand(1, 14, 13, 12).astype(np.float32), "label": rng.randint(0, 4, (1, 14, 13, 12))} for _ in range(3)]
    tensors = [{k: torch.from_numpy(v) for k, v in item.items()} for item in arrays]
    strided = [{k: v.permute(0, 3, 1, 2)[:, ::2] for k, v in item.items()} for item in tensors]
    for data in (arrays, tensors, strided):
        assert_parity(mt.Compose([*light(5), affine(), *intensities()]), data, tolerance=1e-5)


def test_nested_and_unknown_steps() -> None:
    steps = [
        mt.Compose([mt.RandFlipd(KEYS, 0.5), mt.Compose([mt.RandRotate90d(KEYS, 0.5)])]),
        mt.Lambdad("image", lambda x: x + 1),
        mt.OneOf([mt.RandFlipd(KEYS, 0.9, 1), mt.RandScaleIntensityd("image", 0.2, prob=1.0)]),
        lambda item: {**item, "extra": 3},
        mt.RandSpatialCropSamplesd(KEYS, 8, 2, random_size=False),
        mt.CropForegroundd(KEYS, source_key="label"),
        mt.SomeOf([mt.RandFlipd(KEYS, 0.9, 2), mt.RandShiftIntensityd("image", 0.2, prob=1.0)], num_transforms=1),
    ]
    fused = assert_parity(mt.Compose(steps), samples(), tolerance=1e-6, inverse=False)
    text = fused.explain()
    assert "chooses among its transforms" in text
    assert "not one of MONAI's" in text
    one_of = mt.OneOf([mt.RandFlipd(KEYS, 0.9, 1), mt.RandFlipd(KEYS, 0.9, 0)])
    assert_parity(one_of, samples(), inverse=False)


SMALL = st.integers(4, 14)


@st.composite
def steps(draw: st.DrawFn) -> Any:
    keys = draw(st.sampled_from([KEYS, ["image"], ["label", "image"]]))
    prob = draw(st.sampled_from([0.0, 0.5, 1.0]))
    axes = draw(st.sampled_from([(0, 1), (1, 2), (0, 2), (2, 1), (-1, -2)]))
    size = draw(st.tuples(SMALL, SMALL, SMALL))
    many = len(keys)
    modes = [draw(st.sampled_from(["bilinear", "nearest"])) for _ in range(many)]
    padding = draw(st.sampled_from(["zeros", "border"]))
    choice = draw(st.integers(0, 23))
    match choice:
        case 0:
            return mt.RandFlipd(keys, prob, draw(st.sampled_from([None, 0, 1, (0, 2), -1])))
        case 1:
            return mt.RandRotate90d(keys, prob, 3, axes)
        case 2:
            return mt.Rotate90d(keys, draw(st.integers(0, 5)), axes)
        case 3:
            return mt.Flipd(keys, draw(st.sampled_from([0, 2, (1, 2)])))
        case 4:
            return mt.RandAxisFlipd(keys, prob)
        case 5:
            return mt.RandSpatialCropd(keys, size, random_center=draw(st.booleans()), random_size=False)
        case 6:
            return mt.CenterSpatialCropd(keys, size)
        case 7:
            return mt.SpatialCropd(keys, roi_start=[1, 0, 2], roi_end=[1 + size[0], size[1], 2 + size[2]])
        case 8:
            return mt.SpatialPadd(keys, size, mode=draw(st.sampled_from(["constant", "edge"])))
        case 9:
            return mt.BorderPadd(keys, [1, 2, 0], constant_values=draw(st.sampled_from([0, 2])))
        case 10:
            return mt.DivisiblePadd(keys, 4, method=draw(st.sampled_from(["symmetric", "end"])))
        case 11:
            return mt.ResizeWithPadOrCropd(keys, size)
        case 12 | 13:
            return mt.RandAffined(
                keys, draw(st.sampled_from([None, size])), prob, 0.3, 0.1, 1.5, 0.1, mode=modes, padding_mode=padding
            )
        case 14:
            return mt.RandRotated(keys, 0.3, 0.2, 0.1, prob, draw(st.booleans()), mode=modes, padding_mode=padding)
        case 15:
            return mt.Affined(keys, (0.1, 0.2, 0.3), scale_params=(1.1, 0.9, 1.0), mode=modes, padding_mode=padding)
        case 16:
            return mt.RandScaleIntensityd("image", 0.3, prob)
        case 17:
            return mt.RandShiftIntensityd("image", 0.3, prob=prob)
        case 18:
            return mt.RandAdjustContrastd("image", prob, (0.6, 1.8))
        case 19:
            return mt.RandGaussianNoised(draw(st.sampled_from([["image"], KEYS])), prob)
        case 20:
            return mt.ScaleIntensityRanged("image", -0.2, 1.3, 0.0, 2.0, clip=draw(st.booleans()))
        case 21:
            return mt.RandScaleCropd(keys, 0.7, 0.9, random_size=draw(st.booleans()))
        case 22:
            return mt.CenterScaleCropd(keys, (0.8, 0.9, 0.7))
        case _:
            return mt.RandZoomd(keys, prob, 0.8, 1.2)


@given(
    pipeline=st.lists(steps(), min_size=1, max_size=7),
    shape=st.tuples(st.integers(7, 18), st.integers(7, 18), st.integers(7, 18)),
    channels=st.integers(1, 2),
    dtype=st.sampled_from([torch.float32, torch.float32, torch.int16, torch.float64, torch.uint8]),
    label=st.sampled_from([torch.uint8, torch.int16, torch.int64, torch.float32]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, phases=[Phase.generate], report_multiple_bugs=False)
def test_any_pipeline(
    pipeline: list[Any], shape: tuple[int, ...], channels: int, dtype: torch.dtype, label: torch.dtype, seed: int
) -> None:
    top = 1.0 if dtype.is_floating_point else 200.0
    data = [
        {"image": volume(shape, seed + i, dtype, channels, top), "label": volume(shape, seed + 50 + i, label, 1, 3.99)}
        for i in range(3)
    ]
    assert_parity(mt.Compose(pipeline), data, seed=seed, tolerance=1e-4, inverse=False, untouched=False)
