"""Moments, standardizing and rescaling: against numpy in float64, rounding as torch's, nothing written outside."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from automl_run.kernels.cpu.normalize import moments, rescale, standardize

sizes = st.one_of(st.integers(1, 40), st.sampled_from([4095, 4096, 4097, 140_000]))


def voxels(size: int, offset: float = 3.0) -> torch.Tensor:
    x = torch.randn(size, generator=torch.Generator().manual_seed(size)) + offset
    x[::3] = 0
    return x


@given(size=sizes, nonzero=st.booleans(), offset=st.sampled_from([0.0, 5e4]))
def test_moments(size: int, nonzero: bool, offset: float) -> None:
    x = voxels(size, offset)
    wanted = x.numpy().astype(np.float64)
    wanted = wanted[wanted != 0] if nonzero else wanted
    found = moments(x, nonzero=nonzero)
    assert found.size == wanted.size
    if wanted.size:
        assert found.mean == pytest.approx(wanted.mean(), rel=1e-12, abs=1e-12)
        assert found.deviation() == pytest.approx(wanted.std(), rel=1e-6, abs=1e-9)
    if wanted.size > 1:
        assert found.deviation(unbiased=True) == pytest.approx(wanted.std(ddof=1), rel=1e-6, abs=1e-9)


def test_moments_of_nothing_and_of_nan() -> None:
    assert moments(torch.zeros(5), nonzero=True).size == 0
    assert moments(torch.zeros(0)).size == 0
    found = moments(torch.tensor([1.0, math.nan]))
    assert math.isnan(found.mean)
    assert math.isnan(found.deviation())
    assert moments(torch.full((1000,), 0.1)).variance == 0
    assert math.isnan(moments(torch.ones(1)).deviation(unbiased=True))


@given(size=sizes, nonzero=st.booleans(), in_place=st.booleans())
def test_standardize_rounds_as_torch(size: int, nonzero: bool, in_place: bool) -> None:
    x = voxels(size)
    x[-1] = math.nan
    expected = torch.where(x == 0, x, (x - 0.3) / 1.7) if nonzero else (x - 0.3) / 1.7
    found = standardize(x, 0.3, 1.7, nonzero=nonzero, out=x if in_place else None)
    assert torch.equal(found[:-1], expected[:-1])
    assert math.isnan(found[-1])
    assert (found is x) is in_place


@given(size=sizes, stretched=st.booleans(), clipped=st.booleans())
def test_rescale_rounds_as_torch_and_stays_inside(size: int, stretched: bool, clipped: bool) -> None:
    x = voxels(size)
    expected = (x - 0.3) / 1.7
    expected = expected * 3.1 + 0.7 if stretched else expected
    expected = expected.clamp(0.1, 2.2) if clipped else expected
    guarded = torch.full((size + 64,), 77.0)
    found = guarded[32 : 32 + size]
    rescale(x, 0.3, 1.7, (3.1, 0.7) if stretched else None, (0.1, 2.2) if clipped else None, out=found)
    assert torch.equal(found, expected)
    assert (guarded[:32] == 77).all()
    assert (guarded[32 + size :] == 77).all()


def test_refuses_other_tensors() -> None:
    for bad in (torch.ones(3, dtype=torch.float64), torch.ones(4, 4).T[:2]):
        with pytest.raises(ValueError, match="contiguous float32"):
            moments(bad)
        with pytest.raises(ValueError, match="contiguous float32"):
            standardize(bad, 0.0, 1.0)
    with pytest.raises(ValueError, match="shape"):
        rescale(torch.ones(3), 0.0, 1.0, out=torch.ones(4))
