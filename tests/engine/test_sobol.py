"""Sobol' points behind our contract."""

from __future__ import annotations

import numpy as np
import pytest

from automl_run.dsl import evaluate
from automl_run.dsl.ir import Binary, Int, Lit, Param, ParamRef, Program, Real, Require
from automl_run.engine.controllers.base import Controller
from automl_run.engine.controllers.random_search import RandomSearch
from automl_run.engine.controllers.sobol import Sobol
from automl_run.engine.testing.controller_suite import (
    ControllerSuite,
    Drive,
    by_index,
    constrained_program,
    finite_program,
    letters,
    make_program,
)


class TestSobol(ControllerSuite):
    table_is_fixed = True

    def make(self, program: Program) -> Controller:
        return Sobol(program, None if program.study.budget.trials is None else program.study.budget.trials - 1)


def plane(seed: int = 0) -> Program:
    axes = [Param(name, Real(0.0, 1.0), (name,), (0.5,)) for name in "xy"]
    return make_program(*axes, trials=None, baseline=False, seed=seed)


def corner(controller: Controller) -> float:
    """The largest difference between the share of points in a box at the corner and the box's size."""
    points = [entry.point for entry in controller.recommend(64)]
    table = np.array([[point["x"], point["y"]] for point in points if point is not None])
    edges = np.linspace(0.1, 1.0, 10)
    return max(float(abs(np.mean((table < (a, b)).all(1)) - a * b)) for a in edges for b in edges)


def test_covers_the_space_more_evenly_than_chance() -> None:
    worst = max(corner(Sobol(plane(seed=seed), None)) for seed in range(5))
    assert worst < 0.05
    assert min(corner(RandomSearch(plane(seed=seed), None)) for seed in range(5)) > worst


def test_each_seed_has_points_of_its_own() -> None:
    assert Sobol(plane(seed=1), None).recommend(4) != Sobol(plane(seed=2), None).recommend(4)


def test_alternatives_come_equally_often() -> None:
    program = make_program(letters("net", 4), Param("x", Real(0.0, 1.0), ("x",), (0.5,)), trials=None, baseline=False)
    nets = [entry.point["net"] for entry in Sobol(program, None).recommend(64) if entry.point]
    assert [nets.count(net) for net in range(4)] == [16] * 4


def test_a_finite_space_is_used_up_without_repeats() -> None:
    points = [tuple(entry.point.items()) for entry in Sobol(finite_program(None), None).recommend(99) if entry.point]
    assert len(points) == len(set(points)) == 9


@pytest.mark.parametrize("least", [0.99, 0.998])
def test_a_corner_that_is_hardly_ever_met_is_drawn(least: float) -> None:
    program = plane(seed=3)
    far = Require(Binary(">", ParamRef("x"), Lit(least)))
    controller = Sobol(make_program(*program.params, trials=None, requires=(far,)), None)
    for entry in controller.recommend(5):
        assert entry.point is not None
        assert entry.point["x"] > least


def test_a_large_finite_space_has_no_repeats_either() -> None:
    program = make_program(*(Param(name, Int(0, 200), (name,), (0,)) for name in "xy"), trials=None)
    table = Drive(Sobol(program, 300), 3, by_index).run(400).table
    assert len({tuple(entry.point.items()) for entry in table if entry.point}) == 300


def test_constraints_hold() -> None:
    program = constrained_program(None)
    for entry in Sobol(program, None).recommend(40):
        assert evaluate.infeasible_because(program, entry.point) is None
