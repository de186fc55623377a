"""Every intensity transform against MONAI's of the same name: voxels, dtype, metadata, draws, and errors."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import monai.transforms as mt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor, set_track_meta

from automl_run import kernels

AFFINE = torch.tensor([[1.5, 0, 0.1, -7], [0, -2, 0, 3], [0.2, 0, 3, 11], [0, 0, 0, 1]], dtype=torch.float64)
SEED = 3


@dataclass(frozen=True)
class Case:
    """A transform and how far its output may be from MONAI's, as a part of the largest intensity."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 0.0

    def make(self, namespace: Any, suffix: str = "", **more: Any) -> Any:
        transform = getattr(namespace, self.name + suffix)(**self.arguments, **more)
        if isinstance(transform, mt.Randomizable):
            transform.set_random_state(SEED)
        return transform

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v}' for k, v in self.arguments.items())})"


CASES = [
    Case("ShiftIntensity", {"offset": 0.3}),
    Case("ShiftIntensity", {"offset": 1000, "safe": True}),
    Case("RandShiftIntensity", {"offsets": 0.5, "prob": 1.0}),
    Case("RandShiftIntensity", {"offsets": (1, 2), "prob": 1.0, "channel_wise": True}),
    Case("StdShiftIntensity", {"factor": 0.4}, 1e-6),
    Case("StdShiftIntensity", {"factor": 0.4, "nonzero": True, "channel_wise": True}, 1e-6),
    Case("RandStdShiftIntensity", {"factors": (0.4, 1.0), "prob": 1.0, "nonzero": True}, 1e-6),
    Case("RandStdShiftIntensity", {"factors": 2.0, "prob": 0.0}),
    Case("ScaleIntensity"),
    Case("ScaleIntensity", {"minv": -1.0, "maxv": 2.5, "channel_wise": True}),
    Case("ScaleIntensity", {"minv": None, "maxv": 2.0, "dtype": None}),
    Case("ScaleIntensity", {"minv": None, "maxv": None, "factor": 0.2}),
    Case("ScaleIntensity", {"minv": None, "maxv": None, "factor": -0.7, "dtype": None}),
    Case("RandScaleIntensity", {"factors": 0.5, "prob": 1.0}),
    Case("RandScaleIntensity", {"factors": (1.0, 2.0), "prob": 1.0, "channel_wise": True}),
    Case("RandScaleIntensity", {"factors": 0.5, "prob": 0.0}),
    Case("ScaleIntensityRange", {"a_min": -50.0, "a_max": 80.0, "b_min": 0.0, "b_max": 1.0, "clip": True}),
    Case("ScaleIntensityRange", {"a_min": 10, "a_max": 110, "b_min": -0.5, "clip": True}),
    Case("ScaleIntensityRange", {"a_min": -50.0, "a_max": 80.0, "dtype": None}),
    Case("ScaleIntensityRangePercentiles", {"lower": 5, "upper": 97.5, "b_min": 0.0, "b_max": 1.0, "clip": True}, 2e-6),
    Case("ScaleIntensityRangePercentiles", {"lower": 0, "upper": 50, "b_min": -1, "b_max": 3, "relative": True}, 2e-6),
    Case("ScaleIntensityRangePercentiles", {"lower": 10, "upper": 99, "b_min": 0, "b_max": 1, "channel_wise": True}, 2e-6),
    Case("NormalizeIntensity", {}, 2e-6),
    Case("NormalizeIntensity", {"nonzero": True}, 2e-6),
    Case("NormalizeIntensity", {"nonzero": True, "channel_wise": True}, 2e-6),
    Case("NormalizeIntensity", {"subtrahend": 3.0, "divisor": 0}),
    Case("NormalizeIntensity", {"subtrahend": [3.0, 4], "divisor": (2.0, 0.0), "channel_wise": True}),
    Case("NormalizeIntensity", {"subtrahend": 3.0, "dtype": None}, 2e-6),
    Case("AdjustContrast", {"gamma": 0.7}, 2e-6),
    Case("AdjustContrast", {"gamma": 2.5, "invert_image": True}, 2e-6),
    Case("AdjustContrast", {"gamma": 1.5, "retain_stats": True}, 1e-5),
    Case("AdjustContrast", {"gamma": 1.5, "retain_stats": True, "invert_image": True}, 1e-5),
    Case("RandAdjustContrast", {"gamma": (0.5, 3.0), "prob": 1.0}, 2e-6),
    Case("RandHistogramShift", {"num_control_points": (4, 12), "prob": 1.0}),
    Case("RandGaussianNoise", {"prob": 1.0, "std": 2.0}),
    Case("RandGaussianNoise", {"prob": 1.0, "mean": 1.0, "std": 2.0, "sample_std": False}),
    Case("RandGaussianNoise", {"prob": 1.0, "dtype": np.float64}),
    Case("RandBiasField", {"prob": 1.0}, 2e-6),
    Case("RandBiasField", {"prob": 1.0, "degree": 5, "coeff_range": (-0.2, 0.3)}, 2e-6),
    Case("RandBiasField", {"prob": 1.0, "coeff_range": (3.0, 9.0)}, 2e-6),
    Case("RandCoarseDropout", {"prob": 1.0, "holes": 3, "spatial_size": 2, "fill_value": 7}),
    Case("RandCoarseDropout", {"prob": 1.0, "holes": 2, "spatial_size": 3, "max_holes": 5, "max_spatial_size": 6}),
    Case("RandCoarseDropout", {"prob": 1.0, "holes": 2, "spatial_size": 3, "fill_value": (0, 9), "dropout_holes": False}),
    Case("GaussianSmooth", {"sigma": 1.0}, 1e-6),
    Case("GaussianSmooth", {"sigma": 2.3, "approx": "sampled"}, 1e-6),
    Case("GaussianSmooth", {"sigma": (0.4, 1.7), "approx": "scalespace"}, 2e-6),
    Case("RandGaussianSmooth", {"prob": 1.0}, 1e-6),
    Case("GaussianSharpen", {"sigma1": 1.0, "sigma2": (0.5, 1.0, 1.5), "alpha": 4.0}, 1e-5),
    Case("RandGaussianSharpen", {"prob": 1.0}, 1e-4),
]
MEASURED = ("NormalizeIntensity", "AdjustContrast")  # where a deviation that should be zero is divided by


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Torch's threads cost more than they bring for small images, above all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


spatial_sizes = st.lists(st.sampled_from([1, 2, 3, 5, 16, 17, 33]), min_size=2, max_size=3)
shapes = spatial_sizes.flatmap(lambda sizes: st.sampled_from([1, 2, 3]).map(lambda channels: (channels, *sizes)))
dtypes = st.sampled_from([torch.float32] * 5 + [torch.float64, torch.float16, torch.uint8, torch.int16, torch.int32])
layouts = st.sampled_from(["contiguous", "permuted", "crop", "expanded"])
contents = st.sampled_from(["normal", "normal", "zeros", "constant", "NaN"])
holders = st.sampled_from(["MetaTensor", "tensor", "array", "read-only array"])


def image(shape: Sequence[int], dtype: torch.dtype, layout: str, content: str, holder: str) -> Any:
    generator = torch.Generator().manual_seed(1)
    whole = tuple(n + 2 for n in shape) if layout == "crop" else tuple(shape)
    if layout == "permuted":
        whole = (whole[0], *whole[:0:-1])
    x = torch.randn(whole, generator=generator) * 30 + 40
    x[x < 20] = 0
    if content == "constant":
        x[...] = 2.5
    elif content == "zeros":
        x[...] = 0
    elif content == "NaN":
        x.view(-1)[-1 if layout != "crop" else x.numel() // 2] = torch.nan
    x = (x.nan_to_num() if not dtype.is_floating_point else x).to(dtype)
    if layout == "permuted":
        x = x.permute(0, *range(x.ndim - 1, 0, -1))
    elif layout == "crop":
        x = x[tuple(slice(1, -1) for _ in shape)]
    elif layout == "expanded":
        x = x[:, :1].expand(shape)
    if holder == "MetaTensor":
        return MetaTensor(x, affine=AFFINE, meta={"name": "a"}, applied_operations=[{"class": "Earlier"}])
    if holder == "tensor":
        return x
    array = x.numpy().copy() if layout == "contiguous" else x.numpy()
    if holder == "read-only array":
        array = array.copy()
        array.flags.writeable = False
    return array


def copied(img: Any) -> Any:
    """The same voxels in the same layout, so that neither transform sees what the other one wrote."""
    return pickle.loads(pickle.dumps(img)) if isinstance(img, np.ndarray) else img.clone(memory_format=torch.preserve_format)


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call(*arguments)
        except Exception as error:
            return error


def assert_same(ours: Any, theirs: Any, tolerance: float, magnitude: float = 0.0) -> None:
    assert type(ours) is type(theirs), (ours, theirs)
    if isinstance(theirs, Exception):
        return
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    if isinstance(theirs, MetaTensor):
        assert torch.equal(ours.affine, theirs.affine)
        assert ours.meta.keys() == theirs.meta.keys()
        assert ours.applied_operations == theirs.applied_operations
    a, b = (torch.as_tensor(x).as_subclass(torch.Tensor).to(torch.float64) for x in (ours, theirs))
    assert torch.equal(a.isnan(), b.isnan())
    a, b = a.nan_to_num(), b.nan_to_num()
    if not b.numel():
        return
    assert float((a - b).abs().max()) <= tolerance * max(float(b.abs().max()), magnitude)


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=8)
@given(shape=shapes, dtype=dtypes, layout=layouts, content=contents, holder=holders)
def test_same_as_monai(case: Case, shape: Sequence[int], dtype: torch.dtype, layout: str, content: str, holder: str) -> None:
    img = image(shape, dtype, layout, content, holder)
    if content == "constant" and case.name in MEASURED:
        return
    theirs = outcome(lambda: case.make(mt)(copied(img)))
    ours = outcome(lambda: case.make(kernels)(copied(img)))
    assert_same(ours, theirs, case.tolerance, magnitude=40.0)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_large_images_on_several_threads(case: Case) -> None:
    shape = (2, 300, 251) if case.name.endswith(("Smooth", "Sharpen")) else (2, 41, 51, 43)
    img = image(shape, torch.float32, "contiguous", "normal", "MetaTensor")
    theirs = outcome(case.make(mt), copied(img))
    torch.set_num_threads(3)
    try:
        ours = outcome(case.make(kernels), copied(img))
    finally:
        torch.set_num_threads(1)
    assert_same(ours, theirs, case.tolerance, magnitude=40.0)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_dictionary_form_and_the_draws_after_it(case: Case) -> None:
    item = {key: image((2, 9, 8, 7), torch.float32, "contiguous", "normal", "MetaTensor") + n for n, key in enumerate("ab")}
    item["other"] = torch.ones(1)
    theirs, ours = (case.make(namespace, "d", keys=["a", "b"]) for namespace in (mt, kernels))
    for _ in range(2):
        expected = outcome(lambda: theirs({k: v.clone() for k, v in item.items()}))
        found = outcome(lambda: ours({k: v.clone() for k, v in item.items()}))
        if isinstance(expected, Exception):
            assert type(found) is type(expected)
            continue
        assert found["other"].item() == 1
        for key in "ab":
            assert_same(found[key], expected[key], case.tolerance)
    if isinstance(theirs, mt.Randomizable):
        assert ours.R.uniform() == theirs.R.uniform()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_the_kernels_do_not_take_is_left_to_monai(case: Case) -> None:
    odd: list[Any] = [
        torch.zeros(1, 0, 4, 4),
        torch.zeros(0, 4, 4),
        torch.rand(2, 6),
        torch.rand(1, 4, 4, 4, 2),
        torch.rand(1, 6, 6, requires_grad=True),
        torch.nn.Parameter(torch.rand(1, 6, 6), requires_grad=False),
        torch.rand(1, 5, 5).to(torch.bfloat16),
        torch.rand(1, 5, 5) > 0.5,
    ]
    for img in odd:
        theirs = outcome(case.make(mt), img.detach().clone().requires_grad_(img.requires_grad))
        ours = outcome(case.make(kernels), img.detach().clone().requires_grad_(img.requires_grad))
        if isinstance(theirs, torch.Tensor) and isinstance(ours, torch.Tensor):
            assert ours.requires_grad == theirs.requires_grad
            ours, theirs = ours.detach(), theirs.detach()
        assert_same(ours, theirs, case.tolerance, magnitude=1.0)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_survives_pickling_and_runs_without_metadata(case: Case) -> None:
    img = image((1, 6, 7, 8), torch.float32, "contiguous", "normal", "tensor")
    set_track_meta(False)
    try:
        theirs = outcome(lambda: case.make(mt)(img.clone()))
        ours = outcome(lambda: pickle.loads(pickle.dumps(case.make(kernels)))(img.clone()))
    finally:
        set_track_meta(True)
    assert_same(ours, theirs, case.tolerance)


def test_each_name_is_monais_subclass() -> None:
    for case in CASES:
        for suffix in ("", "d"):
            name = case.name + suffix
            assert issubclass(getattr(kernels, name), getattr(mt, name))


def test_normalizing_leaves_the_image_alone() -> None:
    img = image((2, 5, 6), torch.float32, "contiguous", "normal", "tensor")
    before = img.clone()
    kernels.NormalizeIntensity(channel_wise=True)(img)
    kernels.StdShiftIntensity(1.0)(img)
    assert torch.equal(img, before)


def test_constant_images_normalize_to_zero() -> None:
    assert not kernels.NormalizeIntensity()(torch.full((1, 9, 9, 9), 0.1)).any()
