"""CMA-ES behind our contract."""

from __future__ import annotations

import pytest

from automl_run.dsl import evaluate
from automl_run.dsl.ir import Binary, Lit, MapNode, Objective, Param, ParamRef, Program, Read, Real, Require, Study
from automl_run.engine.controllers.base import Controller, Outcome, Recommendation
from automl_run.engine.controllers.cma_es import CmaEs
from automl_run.engine.controllers.random_search import RandomSearch
from automl_run.engine.testing.controller_suite import ControllerSuite, Drive, by_index, letters, make_program
from automl_run.errors import InputError


class TestCmaEs(ControllerSuite):
    def make(self, program: Program) -> Controller:
        return CmaEs(program, None if program.study.budget.trials is None else program.study.budget.trials - 1, population=4)


def cube() -> Program:
    axes = [Param(name, Real(0.0, 1.0), (name,), (0.5,)) for name in "abcd"]
    return make_program(*axes, trials=None, baseline=False)


def valley(entry: Recommendation) -> float:
    """A narrow one, across all axes."""
    assert entry.point is not None
    a, b, c, d = (entry.point[name] for name in "abcd")
    return -((a - b) ** 2) - (b - c) ** 2 - (c - d) ** 2 - 0.1 * (a - 0.8) ** 2


@pytest.mark.parametrize("workers", [1, 8])
def test_finds_the_bottom_of_a_valley(workers: int) -> None:
    table = Drive(CmaEs(cube(), 200), workers, valley).run(400).table
    late = sum(valley(entry) for entry in table[150:]) / 50
    drawn = [valley(entry) for entry in Drive(RandomSearch(cube(), 200), workers, valley).run(400).table]
    assert late > max(drawn)


def test_minimises_too() -> None:
    program = Program(Study(objectives=(Objective("loss", "minimize"),)), cube().params, MapNode({}))
    table = Drive(CmaEs(program, 150), 2, lambda entry: -valley(entry)).run(400).table
    assert sum(valley(entry) for entry in table[100:]) / 50 > -0.02


def test_starts_at_the_baseline() -> None:
    program = make_program(*(Param(name, Real(0.0, 1.0), (name,), (0.2,)) for name in "ab"), trials=None)
    for entry in CmaEs(program, None, sigma=0.01).recommend(20):
        assert entry.point is not None
        assert all(abs(value - 0.2) < 0.05 for value in entry.point.values())


def test_the_baseline_teaches() -> None:
    params = tuple(Param(name, Real(0.0, 1.0), (name,), (0.2,)) for name in "ab")
    program = Program(Study(objectives=(Objective("score", "maximize"),)), params, MapNode({"a": Read("a"), "b": Read("b")}))
    first, second = CmaEs(program, None, population=4), CmaEs(program, None, population=4)
    for controller, score in ((first, 9.0), (second, -9.0)):
        controller.observe(Outcome(0, "done", (score,)))
        for entry in controller.recommend(3):
            controller.observe(Outcome(entry.index, "done", (float(entry.index),)))
    assert first.recommend(1) != second.recommend(1)


def test_one_range_beside_alternatives() -> None:
    program = make_program(Param("x", Real(0.0, 1.0), ("x",), (0.9,)), letters("net", 3), trials=None)

    def score(entry: Recommendation) -> float:
        assert entry.point is not None
        return -abs(entry.point["x"] - 0.1)

    table = Drive(CmaEs(program, 60), 1, score).run().table
    assert sum(score(entry) for entry in table[40:]) / 20 > -0.1
    assert {entry.point["net"] for entry in table if entry.point} == {0, 1, 2}


def test_begins_anew_when_nothing_differs() -> None:
    table = Drive(CmaEs(cube(), 400, population=4), 1, lambda _: 0.5).run(600).table
    assert len({tuple(entry.point.items()) for entry in table if entry.point}) == 400


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_scores_of_any_size(size: float) -> None:
    table = Drive(CmaEs(cube(), 120), 3, lambda entry: (by_index(entry) - 0.5) * size).run().table
    assert len(table) == 120


def test_stays_where_it_is_allowed() -> None:
    small = Require(Binary("<", Binary("+", ParamRef("a"), ParamRef("b")), Lit(0.4)))
    program = make_program(*cube().params, trials=None, requires=(small,))
    for entry in Drive(CmaEs(program, 100), 2, valley).run(200).table:
        assert evaluate.infeasible_because(program, entry.point) is None


def test_several_objectives_are_refused() -> None:
    objectives = (Objective("a", "maximize"), Objective("b", "minimize"))
    with pytest.raises(InputError, match="CmaEs has one objective, the study 2"):
        CmaEs(Program(Study(objectives=objectives), cube().params, MapNode({})), None)
