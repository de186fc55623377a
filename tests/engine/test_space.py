"""Domains and conditional spaces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_run.dsl.ir import Binary, Choice, Domain, Int, Lit, Param, ParamRef, Real, Require, Step
from automl_run.engine.controllers import domains
from automl_run.engine.controllers.space import Space, generator
from automl_run.engine.testing.controller_suite import (
    conditional_program,
    constrained_program,
    finite_program,
    letters,
    make_program,
)
from automl_run.errors import RunError

DOMAINS: list[Domain] = [
    Real(-1.0, 2.0),
    Real(1e-5, 1e-1, "log"),
    Real(0.1, 0.5, step=Step("add", 0.1)),
    Real(0.1, 0.5, "log", Step("add", 0.1)),
    Real(1e-4, 1.0, "log", Step("mul", 10.0)),
    Int(-3, 4),
    Int(1, 1000, "log"),
    Int(2, 64, "log", Step("mul", 2.0)),
    Int(1, 20, step=Step("mul", 1.5)),
    Int(0, 100, step=Step("add", 25.0)),
    letters("x", 5).domain,
]


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        (Real(0.1, 0.5, step=Step("add", 0.1)), [0.1, 0.2, 0.3, 0.4, 0.5]),
        (Real(0.0, 1.0, step=Step("add", 0.3)), [0.0, 0.3, 0.6, 0.9]),
        (Real(1e-4, 1e-1, "log", Step("mul", 10.0)), [1e-4, 1e-3, 1e-2, 1e-1]),
        (Int(2, 64, step=Step("mul", 2.0)), [2, 4, 8, 16, 32, 64]),
        (Int(1, 6, step=Step("mul", 1.5)), [1, 2, 3, 5]),
        (Int(0, 10, step=Step("add", 4.0)), [0, 4, 8]),
        (Int(3, 5), [3, 4, 5]),
    ],
)
def test_values_in_order(domain: Domain, expected: list[float]) -> None:
    known = domains.values(domain)
    assert known is not None
    assert list(known) == expected


@given(domain=st.sampled_from(DOMAINS), u=st.floats(0.0, 1.0))
def test_a_draw_lies_in_the_domain_and_is_found_again(domain: Domain, u: float) -> None:
    value = domains.from_unit(domain, u)
    known = domains.values(domain)
    if known is not None:
        assert value in known
    if not isinstance(domain, Choice):
        assert domain.lo <= value <= domain.hi
    again = domains.from_unit(domain, domains.to_unit(domain, value))
    assert again == (pytest.approx(value) if known is None else value)


def test_the_middle_is_the_mean_of_the_scale() -> None:
    assert domains.from_unit(Real(0.0, 0.8), 0.5) == pytest.approx(0.4)
    assert domains.from_unit(Real(1e-4, 1e-2, "log"), 0.5) == pytest.approx(1e-3)
    assert domains.from_unit(Int(1, 9), 0.5) == 5


def test_ranges_as_wide_as_floats_do_not_overflow() -> None:
    assert domains.from_unit(Real(-1.7e308, 1.7e308), 0.5) == 0.0


def test_ranges_of_more_values_than_python_counts() -> None:
    seeds = Int(0, 2**64 - 1)
    assert domains.from_unit(seeds, 0.5) == 2**63
    assert domains.to_unit(seeds, 2**63) == pytest.approx(0.5)
    fine = Real(0.0, 1e9, step=Step("add", 1e-11))
    assert domains.from_unit(fine, 0.5) == pytest.approx(5e8)
    assert Space(make_program(Param("seed", seeds, ("seed",), (1,)))).size() == 2**64


def test_sizes() -> None:
    assert Space(finite_program()).size() == 10
    assert Space(constrained_program()).size() == 16 * 8 * 4
    assert Space(conditional_program()).size() is None
    assert Space(make_program()).size() == 1


@given(seed=st.integers(0, 1000))
def test_draws_are_allowed_and_depend_on_the_key_alone(seed: int) -> None:
    space = Space(constrained_program())
    point = space.sample(generator(seed, "a"))
    assert space.feasible(point)
    assert point == space.sample(generator(seed, "a"))


def test_a_space_without_allowed_points_says_why() -> None:
    impossible = Require(Binary(">", ParamRef("n"), Lit(5)), reason="n is too small for the patch")
    with pytest.raises(RunError, match="n is too small for the patch"):
        Space(make_program(Param("n", Int(1, 3), ("n",), (1,)), requires=(impossible,))).sample(generator(0))
    with pytest.raises(RunError, match=r"none of 50 points.*n is too small"):
        Space(make_program(Param("n", Real(1, 3), ("n",), (1,)), requires=(impossible,))).sample(generator(0), tries=50)


def test_a_rare_allowed_point_of_a_small_space_is_found() -> None:
    rare = Require(Binary("==", Binary("+", ParamRef("n"), ParamRef("m")), Lit(2)), text="n + m == 2")
    space = Space(make_program(Param("n", Int(1, 90), ("n",), (1,)), Param("m", Int(1, 90), ("m",), (1,)), requires=(rare,)))
    assert space.sample(generator(0), tries=3) == {"n": 1, "m": 1}
