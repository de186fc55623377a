"""Pointwise chains against torch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from voxel_reference import Guarded, image

from automl_run.kernels.cpu import Clip, Field, Gamma, Linear, apply_steps, min_max


def by_torch(x: torch.Tensor, step: object) -> torch.Tensor:
    match step:
        case Linear(scale, shift):
            return x * scale + shift
        case Clip(least, most):
            return x.clamp(least, most)
        case Gamma(gamma):
            low, span = x.min(), x.max() - x.min()
            return ((x - low) / float(span + 1e-7)) ** gamma * span + low
        case Field(values):
            return x + values
    raise AssertionError(step)


numbers = st.floats(-3, 3, width=32)
steps = st.one_of(
    st.builds(Linear, numbers, numbers),
    st.builds(Clip, st.floats(-3, 0), st.floats(0, 3)),
    st.builds(Gamma, st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.2, 4.5])),
    st.builds(lambda seed: Field(image([COUNT], seed=seed)), st.integers(0, 9)),
)
COUNT = 10_007


@given(st.lists(steps, max_size=5), st.sampled_from([None, 1, 2]), st.booleans())
def test_chains_follow_torch(chain: list[Linear | Clip | Gamma | Field], threads: int | None, in_place: bool) -> None:
    x = image([COUNT])
    expected = x
    for step in chain:
        expected = by_torch(expected, step)
    guarded = Guarded.of([COUNT], torch.float32)
    guarded.out.copy_(x)
    result = apply_steps(guarded.out if in_place else x, chain, out=guarded.out, threads=threads)
    scale = 1 + float(expected.abs().max())
    # A small power is steep at its foot: there an error of the step before is what counts.
    steep = sum(isinstance(step, Gamma) for step in chain) > 0 and len(chain) > 1
    assert float((result - expected).abs().max()) <= (2e-2 if steep else 2e-6) * scale
    if not any(isinstance(step, Gamma) for step in chain):
        assert torch.equal(result, expected)
    guarded.check()


@pytest.mark.parametrize("count", [1, 15, 16, 17, 4096, 4097, 300_000])
def test_extremes(count: int) -> None:
    x = image([count]) - 0.5
    assert min_max(x) == (float(x.min()), float(x.max()))
    for place in {0, count // 2, count - 1}:
        y = x.clone()
        y[place] = torch.nan
        assert all(v != v for v in min_max(y))


def test_gamma_of_nan_infinity_and_constants_is_as_by_torch() -> None:
    for wrong in (torch.nan, torch.inf):
        x = image([100])
        x[50] = wrong
        assert bool(torch.isnan(apply_steps(x, [Gamma(0.8)])).all())
    assert torch.equal(apply_steps(torch.full((100,), 3.0), [Gamma(0.8)]), torch.full((100,), 3.0))
    ramp = torch.arange(1000.0)
    assert apply_steps(ramp, [Gamma(0.1)])[0] == 0


def test_what_does_not_fit_is_refused() -> None:
    for wrong in (torch.zeros(4, dtype=torch.float64), torch.zeros(4, 4).t()):
        with pytest.raises(ValueError, match="contiguous float32"):
            apply_steps(wrong, [])
    with pytest.raises(ValueError, match="extremes"):
        min_max(torch.zeros(0))
    with pytest.raises(ValueError, match="field"):
        apply_steps(torch.zeros(4), [Field(torch.zeros(5))])
    with pytest.raises(ValueError, match="gamma"):
        Gamma(-1.0)
    with pytest.raises(ValueError, match="output"):
        apply_steps(torch.zeros(4), [], out=torch.zeros(5))
