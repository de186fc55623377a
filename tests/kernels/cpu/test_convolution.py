"""Separable smoothing against the same sums in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from automl_run.kernels.cpu.convolution import smooth, smooth_planes

axis_sizes = st.sampled_from([1, 2, 3, 7, 16, 33])
shapes = st.tuples(st.integers(1, 2), axis_sizes, axis_sizes, axis_sizes)
reaches = st.lists(st.sampled_from([0, 1, 2, 3, 6, 20]), min_size=3, max_size=3)


def halves(reaches: list[int]) -> list[npt.NDArray[np.float32]]:
    generator = np.random.default_rng(5)
    return [(generator.uniform(0.1, 1, reach + 1) / (2 * reach + 1)).astype(np.float32) for reach in reaches]


def reference(x: npt.NDArray[np.float64], weights: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float64]:
    for axis, half in enumerate(weights, start=1):
        kernel = np.concatenate([half[:0:-1], half]).astype(np.float64)
        full = [np.convolve(line, kernel) for line in np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])]
        reach = len(half) - 1
        moved = np.moveaxis(x, axis, -1)
        x = np.moveaxis(np.array([line[reach : len(line) - reach] for line in full]).reshape(moved.shape), -1, axis)
    return x


@given(shape=shapes, reaches=reaches, flat=st.booleans())
def test_smooth(shape: tuple[int, ...], reaches: list[int], flat: bool) -> None:
    if flat:
        shape, reaches = shape[:3], reaches[:2]
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    weights = halves(reaches)
    expected = reference(x.numpy().astype(np.float64), weights)
    assert np.abs(smooth(x, weights).numpy() - expected).max() <= 2e-6 * np.abs(expected).max()


def test_each_plane_is_written_and_nothing_else() -> None:
    shape, size = (5, 6, 7), 210
    x = np.random.default_rng(0).random(2 * size, np.float32)
    weights = halves([2, 1, 3])
    whole = np.full(2 * size + 64, 77, np.float32)
    inside = whole[32 : 32 + 2 * size]
    for start, stop in ((0, 3), (3, 8), (8, 10)):
        smooth_planes(x, inside, start, stop, *shape, *weights)
        assert (inside[stop * 42 :] == 77).all()
    assert np.array_equal(inside.reshape(2, *shape), smooth(torch.from_numpy(x).view(2, *shape), weights).numpy())
    assert (whole[:32] == 77).all()
    assert (whole[-32:] == 77).all()


def test_nan_spreads_as_far_as_the_kernel() -> None:
    x = torch.zeros(1, 9, 9)
    x[0, 4, 4] = torch.nan
    bad = smooth(x, halves([1, 2])).isnan()[0]
    assert bad[3:6, 2:7].all()
    assert bad.sum() == 15


def test_empty_and_refused() -> None:
    assert smooth(torch.zeros(0, 4, 4), halves([1, 1])).shape == (0, 4, 4)
    for x, weights in ((torch.zeros(1, 4, 4), halves([1])), (torch.zeros(1, 4, 4, dtype=torch.float64), halves([1, 1]))):
        with pytest.raises(ValueError, match="cannot smooth"):
            smooth(x, weights)
