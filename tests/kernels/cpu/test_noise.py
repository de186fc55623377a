"""Normal noise: numpy's own, bit for bit, and the counter-based one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from voxel_reference import Guarded

from automl_run.kernels.cpu import counter_normal, exact_normal, noise


@pytest.fixture(autouse=True, scope="module")
def small_draws_too() -> Iterator[None]:
    """So that no draw is left to numpy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(noise, "SMALLEST", 0)
        yield


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 1300),
    st.booleans(),
    st.lists(st.sampled_from([0, 1, 2, 3, 7, 155, 156, 157, 624, 1561, 3120, 9001]), min_size=1, max_size=4),
    st.floats(-2, 2),
    st.floats(0, 3),
)
def test_draws_and_end_states_are_numpys(
    seed: int, words_before: int, half_used: bool, counts: list[int], mean: float, std: float
) -> None:
    ours, numpys = np.random.RandomState(seed), np.random.RandomState(seed)
    for generator in (ours, numpys):
        generator.randint(0, 2**31, words_before)
        generator.randn(int(half_used))
    for count in counts:
        guarded = Guarded.of([count], torch.float32)
        exact_normal(ours, mean, std, guarded.out)
        assert np.array_equal(guarded.out.numpy(), numpys.normal(mean, std, count).astype(np.float32))
        guarded.check()
        a, b = ours.get_state(legacy=False), numpys.get_state(legacy=False)
        assert np.array_equal(a["state"]["key"], b["state"]["key"])
        assert (a["state"]["pos"], a["has_gauss"]) == (b["state"]["pos"], b["has_gauss"])
        assert a["gauss"] == pytest.approx(b["gauss"], rel=1e-14)
    assert ours.uniform() == numpys.uniform()


def test_another_bit_generator_draws_by_itself() -> None:
    ours, numpys = (np.random.RandomState(np.random.PCG64(3)) for _ in range(2))
    out = torch.empty(50)
    exact_normal(ours, 1.0, 2.0, out)
    assert np.array_equal(out.numpy(), numpys.normal(1.0, 2.0, 50).astype(np.float32))


def test_counter_noise_is_normal_and_uncorrelated() -> None:
    out = torch.empty(64, 64, 64)
    counter_normal(3, 0.5, 2.0, out)
    x = (out.double().flatten() - 0.5) / 2
    assert abs(float(x.mean())) < 0.01
    assert abs(float(x.std()) - 1) < 0.01
    assert abs(float((x**3).mean())) < 0.02
    assert abs(float((x**4).mean()) - 3) < 0.05
    assert 4 < float(x.abs().max()) < 6.5
    for lag in (1, 2, 512, 1024, 4096):
        assert abs(float((x[lag:] * x[:-lag]).mean())) < 0.01
    other = torch.empty(64, 64, 64)
    counter_normal(4, 0.5, 2.0, other)
    assert abs(float((x * (other.double().flatten() - 0.5)).mean())) < 0.02


@given(st.integers(-5, 2**70), st.lists(st.integers(0, 5000), min_size=1, max_size=6))
def test_counter_noise_depends_on_seed_and_index_only(seed: int, cuts: list[int]) -> None:
    whole, pieces = torch.empty(5000), Guarded.of([5000], torch.float32)
    counter_normal(seed, 0.0, 1.0, whole)
    bounds = [0, *sorted(cuts), 5000]
    for start, stop in pairwise(bounds):
        counter_normal(seed, 0.0, 1.0, pieces.out, start, stop)
    assert torch.equal(whole, pieces.out)
    pieces.check()


def test_what_does_not_fit_is_refused() -> None:
    for out in (torch.zeros(4, dtype=torch.float64), torch.zeros(4, 4).t()[1:]):
        with pytest.raises(ValueError, match="contiguous float32"):
            exact_normal(np.random.RandomState(0), 0.0, 1.0, out)
        with pytest.raises(ValueError, match="contiguous float32"):
            counter_normal(0, 0.0, 1.0, out)
    with pytest.raises(ValueError, match="negative"):
        exact_normal(np.random.RandomState(0), 0.0, -1.0, torch.zeros(4))
    with pytest.raises(ValueError, match="range"):
        counter_normal(0, 0.0, 1.0, torch.zeros(4), 3, 5)
