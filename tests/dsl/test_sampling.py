"""Samples: allowed, drawn from the prior, and what other libraries make of the space."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_run.dsl import ir, prior
from automl_run.dsl.embed import labelled
from automl_run.dsl.evaluate import active_ids, infeasible_because
from automl_run.dsl.load import parse
from automl_run.dsl.sampling import from_units
from automl_run.errors import InputError

NETS = parse(
    """
    m ~ A(k ~ 1..3) | B(w ~ 8 | 16, d ~ 0.0 | 0.1..0.5)
    lr ~ log 1e-4..1e-2
    size ~ 64..160 step 32
    p ~ 0.0..1.0 step 0.1
    n ~ 16..256 step *2
    require m is A or lr < 1e-3
    require size * n <= 20000
    """
)


def test_samples_are_allowed_points_of_the_active_parameters() -> None:
    samples = NETS.sample(300, seed=1)
    assert len(samples) == 300
    for sample in samples:
        assert infeasible_because(NETS, sample) is None
        assert tuple(sample) == active_ids(NETS, sample)
        assert all(type(value) in (int, float) for value in sample.values())
    assert {sample["m"] for sample in samples} == {0, 1}
    assert {sample["size"] for sample in samples} == {64, 96, 128, 160}
    assert {sample["p"] for sample in samples} == {round(at / 10, 1) for at in range(11)}


def test_the_first_samples_do_not_depend_on_how_many_are_drawn() -> None:
    many = NETS.sample(700, seed=5)
    assert NETS.sample(3, seed=5) == many[:3]
    assert NETS.sample(130, seed=5) == many[:130]
    assert NETS.sample(3, seed=6) != many[:3]
    assert NETS.sample(0) == []


def test_alternatives_are_equally_likely_and_log_is_log() -> None:
    program = parse("m ~ A(k ~ 1..3) | B() | C()\nlr ~ log 1e-4..1e-2\nn ~ log 1..1000")
    samples = program.sample(6000, seed=0)
    counts = np.bincount([int(sample["m"]) for sample in samples])
    assert (abs(counts - 2000) < 150).all()
    below = sum(sample["lr"] < 1e-3 for sample in samples)
    assert abs(below - 3000) < 150
    ones = sum(sample["n"] == 1 for sample in samples) / 6000
    assert abs(ones - math.log(1.5 / 0.5) / math.log(1000.5 / 0.5)) < 0.02


def test_rare_points_are_found_and_missing_ones_are_explained() -> None:
    rare = parse("x ~ 0.0..1.0\nrequire x < 0.0003")
    assert all(sample["x"] < 0.0003 for sample in rare.sample(5))
    base = parse("x ~ 0.0..1.0\ny ~ 1..3")
    never = ir.Program(base.study, base.params, base.config, (ir.Require(ir.Lit(False), "it rains"),))
    with pytest.raises(InputError, match="it rains"):
        never.sample(1)
    with pytest.raises(InputError, match="not negative"):
        base.sample(1, seed=-1)


def test_a_program_without_parameters_has_one_point() -> None:
    assert parse("x = 1").sample(2) == [{}, {}]


SCALES: st.SearchStrategy[Literal["linear", "log"]] = st.sampled_from(["linear", "log"])
DOMAINS = st.one_of(
    st.integers(1, 12).map(lambda n: ir.Choice(tuple(ir.Alt(str(at), (at,)) for at in range(n)))),
    st.tuples(st.integers(-50, 50), st.integers(1, 2000)).map(lambda d: ir.Int(d[0], d[0] + d[1])),
    st.tuples(st.integers(1, 50), st.integers(1, 2000)).map(lambda d: ir.Int(d[0], d[0] + d[1], "log")),
    st.tuples(st.integers(1, 50), st.integers(60, 2000), st.sampled_from([2, 3])).map(
        lambda d: ir.Int(d[0], d[1], "linear", ir.Step("mul", d[2]))
    ),
    st.tuples(st.integers(1, 50), st.integers(60, 200), st.integers(1, 9), SCALES).map(
        lambda d: ir.Int(d[0], d[1], d[3], ir.Step("add", d[2]))
    ),
    st.tuples(st.floats(0.01, 1), st.floats(1.5, 9), SCALES).map(lambda d: ir.Real(*d)),
    st.tuples(st.floats(0.01, 1), st.floats(1.5, 9), st.sampled_from([0.1, 0.25])).map(
        lambda d: ir.Real(d[0], d[1], "linear", ir.Step("add", d[2]))
    ),
    st.just(ir.Int(-(2**63) + 1, 2**63 - 1)),
    st.just(ir.Int(0, 10**9, "linear", ir.Step("add", 3))),
)


@given(DOMAINS, st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_columns_are_drawn_from_the_prior(domain: ir.Domain, shares: list[float]) -> None:
    drawn = from_units(domain, np.array(shares)).tolist()
    expected = [prior.from_unit(domain, share) for share in shares]
    assert [type(value) for value in drawn] == [type(value) for value in expected]
    # Where a logarithm is rounded differently, a share on the border of two values may fall to either.
    tolerance = 1 if isinstance(domain, ir.Int) and domain.scale == "log" and domain.step is None else 1e-12 * abs(expected[0])
    assert all(math.isclose(a, b, rel_tol=1e-12, abs_tol=tolerance) for a, b in zip(drawn, expected, strict=True))


def test_resolving_gives_plain_data() -> None:
    sample = {"m": 1, "m[B].w": 1, "m[B].d": 1, "m[B].d[0.1..0.5]": 0.3, "lr": 5e-4, "size": 64, "p": 0.5, "n": 16}
    network = {"_target_": "B", "w": 16, "d": 0.3}
    assert NETS.resolve(sample) == {"m": network, "lr": 5e-4, "size": 64, "p": 0.5, "n": 16}
    assert NETS.resolve()["m"] == {"_target_": "A", "k": 2}
    assert NETS.labelled(sample)["m[B].w"] == "16"
    assert labelled(NETS, {"m": 0, "lr": 1e-3}) == {"m": "A", "lr": 1e-3}
    with pytest.raises(InputError, match="lr < 1e-3"):
        NETS.resolve({**sample, "lr": 5e-3})
    with pytest.raises(InputError, match="no value for the active parameter"):
        NETS.resolve({"m": 0})


# -- Optuna -------------------------------------------------------------------------------------------------------------------

SPACE = parse(
    """
    m ~ A(k ~ 1..3, k2 ~ log 1..100) | B(w ~ 8 | 16, d ~ 0.0 | log 1e-4..0.5)
    p ~ 0.0..1.0 step 0.1
    n ~ 16..256 step *2
    size ~ 64..150 step 32
    q ~ log 1..100 step 7
    (a, b) ~ (1, "x") | (2, "y")
    same ~ [1, 2] | [3]
    """
)


def test_optuna_suggests_samples_of_the_space() -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen: dict[str, set[float]] = {}
    for _ in range(60):
        trial = study.ask()
        sample = SPACE.to_optuna(trial)
        assert infeasible_because(SPACE, sample) is None
        assert set(trial.params) == set(sample) == set(active_ids(SPACE, sample))
        for id, value in sample.items():
            seen.setdefault(id, set()).add(value)
        study.tell(trial, 0.0)
    assert seen["p"] <= {round(at / 10, 1) for at in range(11)}
    assert seen["n"] == {16, 32, 64, 128, 256}
    assert seen["size"] == {64, 96, 128}
    assert seen["q"] <= set(range(1, 101, 7))
    assert seen["m"] == seen["(a,b)"] == {0, 1}


def test_optuna_prunes_what_is_forbidden() -> None:
    optuna = pytest.importorskip("optuna")
    trial = optuna.trial.FixedTrial({"x": 3, "y": "a"})
    program = parse('x ~ 1..3\ny ~ "a" | "b"\nrequire x < 3 because "too deep"')
    with pytest.raises(optuna.TrialPruned, match="too deep"):
        program.to_optuna(trial)
    assert program.to_optuna(optuna.trial.FixedTrial({"x": 2, "y": "b"})) == {"x": 2, "y": 1}
