"""Piecewise linear maps bit for bit as written down, and order statistics against sorting."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from automl_run.kernels.cpu.histogram import map_piecewise, map_range, order_statistics

sizes = st.one_of(st.integers(1, 40), st.sampled_from([2047, 2048, 2049, 140_000]))


def tables(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(count)
    knots = np.sort(generator.uniform(-1, 1, count).astype(np.float32))
    return knots, generator.random(count - 1, np.float32), generator.random(count - 1, np.float32)


@given(size=sizes, count=st.integers(2, 14))
def test_map_piecewise(size: int, count: int) -> None:
    knots, slopes, intercepts = tables(count)
    x = torch.randn(size, generator=torch.Generator().manual_seed(0))
    x[: min(size, count)] = torch.from_numpy(knots[: min(size, count)])
    v = x.numpy()
    i = np.clip(np.searchsorted(knots, v) - 1, 0, count - 2)
    expected = slopes[i] * v + intercepts[i]
    expected[v < knots[0]], expected[v > knots[-1]] = 5, 6
    assert np.array_equal(map_piecewise(x, knots, slopes, intercepts, (5, 6)).numpy(), expected)


def test_a_range_is_written_and_nothing_else() -> None:
    x, whole = np.zeros(100, np.float32), np.full(100, 77, np.float32)
    map_range(x, whole, 10, 90, *tables(4), np.float32(0), np.float32(0))
    assert (whole[:10] == 77).all()
    assert (whole[90:] == 77).all()
    assert (whole[10:90] != 77).all()


values = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-42, -1e-42, 3e38, -3e38, math.inf, -math.inf, 1.0000001, 0.5])


@given(data=st.lists(values, min_size=1, max_size=60))
def test_order_statistics(data: list[float]) -> None:
    x = torch.tensor(data)
    expected = np.sort(x.numpy())
    assert order_statistics(x, list(range(len(data)))) == expected.tolist()


@pytest.mark.parametrize("bits", [0x7FC00000, 0xFFC00000, 0x7F800001, 0xFF800001, 0x7FFFFFFF, 0xFFFFFFFF])
def test_any_nan_is_found(bits: int) -> None:
    x = torch.from_numpy(np.array([0, bits, 0x7F800000, 0xFF800000], np.uint32).view(np.float32))
    assert order_statistics(x, [0]) is None


def test_large_images_and_refused() -> None:
    x = torch.randn(300_000, generator=torch.Generator().manual_seed(0))
    ranks = [0, 1, 150_000, 299_999]
    assert order_statistics(x, ranks) == x.sort().values[ranks].tolist()
    for bad, ranks in ((x.double(), [0]), (x, [300_000]), (x, []), (x[:0], [0])):
        with pytest.raises(ValueError, match="no ranks"):
            order_statistics(bad, ranks)
    with pytest.raises(ValueError, match="cannot map"):
        map_piecewise(x, np.zeros(3, np.float32), np.zeros(3, np.float32), np.zeros(2, np.float32), (0, 1))
