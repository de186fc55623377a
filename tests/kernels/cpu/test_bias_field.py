"""Bias fields against numpy's evaluation in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from automl_run.kernels.cpu.bias_field import LARGEST_FIELD, apply_bias_field, multiply_rows

axis_sizes = st.sampled_from([1, 2, 3, 9, 16, 40])


@given(
    sizes=st.lists(axis_sizes, min_size=2, max_size=3), channels=st.integers(1, 3), degree=st.integers(0, 5), strong=st.booleans()
)
def test_same_as_the_sum_of_products(sizes: list[int], channels: int, degree: int, strong: bool) -> None:
    generator = np.random.default_rng(1)
    coefficients = generator.uniform(-1, 1, (degree + 1,) * len(sizes))
    coefficients *= (0.99 * LARGEST_FIELD if strong else 1.0) / np.abs(coefficients).sum()
    tables = [generator.uniform(-1, 1, (degree + 1, n)) for n in sizes]
    x = torch.randn(channels, *sizes, generator=torch.Generator().manual_seed(0))
    axes = "zyx"[-len(sizes) :]
    terms = "ijk"[: len(sizes)]
    field = np.einsum(",".join([terms, *(t + a for t, a in zip(terms, axes, strict=True))]) + "->" + axes, coefficients, *tables)
    expected = x.numpy() * np.exp(field)
    assert np.allclose(apply_bias_field(x, coefficients, tables).numpy(), expected, rtol=2e-6, atol=0)


def test_rows_are_written_and_nothing_else() -> None:
    ones = np.ones
    x = np.random.default_rng(0).random(240, np.float32)
    whole = np.full(240 + 64, 77, np.float32)
    tables = ones((1, 4)), ones((1, 5)), ones((1, 6), np.float32)
    multiply_rows(x, whole[32:272], 3, 11, 2, ones((1, 1, 1)), *tables)
    written = (whole[32:272] != 77).reshape(2, 20, 6)
    assert written[:, 3:11].all()
    assert not written[:, :3].any()
    assert not written[:, 11:].any()
    assert np.allclose(whole[32:272].reshape(2, 20, 6)[:, 3:11], 2 * x.reshape(2, 20, 6)[:, 3:11], rtol=1e-6)
    assert (whole[:32] == 77).all()
    assert (whole[272:] == 77).all()


def test_nan_empty_and_refused() -> None:
    tables = [np.ones((2, 3)), np.ones((2, 3))]
    x = torch.ones(1, 3, 3)
    x[0, 1, 1] = torch.nan
    found = apply_bias_field(x, np.zeros((2, 2)), tables)
    assert found.isnan().sum() == 1
    assert found[0, 0, 0] == 1
    assert apply_bias_field(torch.ones(0, 3, 3), np.zeros((2, 2)), tables).shape == (0, 3, 3)
    with pytest.raises(ValueError, match="table"):
        apply_bias_field(torch.ones(1, 4, 3), np.zeros((2, 2)), tables)
    with pytest.raises(ValueError, match="field"):
        apply_bias_field(x, np.zeros((2, 2, 2)), tables)
