"""Uniform draws against numpy's: every number, and the generator afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_run.kernels.cpu.dropout import WORTHWHILE, exact_uniform

sizes = st.one_of(st.integers(0, 20), st.integers(WORTHWHILE, WORTHWHILE + 1300))


@given(size=sizes, skipped=st.integers(0, 700), ends=st.sampled_from([(0.0, 1.0), (-3.5, 1e3), (2.0, 2.0), (5.0, -1.0)]))
def test_same_as_numpy(size: int, skipped: int, ends: tuple[float, float]) -> None:
    ours, theirs = np.random.RandomState(5), np.random.RandomState(5)
    for generator in (ours, theirs):
        generator.normal()
        generator.bytes(4 * skipped)  # an odd number of words as well
    for _ in range(2):
        assert np.array_equal(exact_uniform(ours, *ends, size), theirs.uniform(*ends, size).astype(np.float32))
    assert ours.normal() == theirs.normal()
    assert ours.randint(1 << 30) == theirs.randint(1 << 30)


def test_ends_that_are_not_finite_raise_as_in_numpy() -> None:
    with pytest.raises(OverflowError):
        exact_uniform(np.random.RandomState(0), 0.0, np.inf, WORTHWHILE)
