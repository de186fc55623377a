"""The Gaussian process, Optuna's sampler behind our contract."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from optuna.samplers import GPSampler

from automl_run.dsl import evaluate
from automl_run.dsl.ir import Binary, Int, Lit, MapNode, Objective, Param, ParamRef, Program, Real, Require, Study
from automl_run.engine.controllers.base import Controller, Outcome, Recommendation
from automl_run.engine.controllers.gaussian_process import GP
from automl_run.engine.testing.controller_suite import (
    ControllerSuite,
    Drive,
    conditional_program,
    finite_program,
    letters,
    make_program,
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best point is sought less thoroughly than it is in a run, and as deterministically."""
    make = GPSampler.__init__

    def init(self: GPSampler, **settings: object) -> None:
        make(self, **settings)
        self._n_preliminary_samples, self._n_local_search, self._n_qmc_samples_qei, self._n_qmc_samples_ehvi = 256, 3, 32, 32

    monkeypatch.setattr(GPSampler, "__init__", init)


def everything(trials: int) -> Program:
    """A float on a log scale, integers, alternatives, a parameter of one of them, and a condition on them."""
    small = Require(Binary("or", Binary("<", ParamRef("width"), Lit(6)), Binary("!=", ParamRef("net"), Lit("a"))))
    width = Param("width", Int(1, 16), ("width",), (4,))
    return make_program(*conditional_program().params, width, trials=trials, requires=(small,))


class TestGP(ControllerSuite):
    def make(self, program: Program) -> Controller:
        return GP(program, None if program.study.budget.trials is None else program.study.budget.trials - 1, startup=2)

    def programs(self) -> Sequence[Program]:
        return (finite_program(6), everything(6))


def bowl(entry: Recommendation) -> float:
    assert entry.point is not None
    return -((math.log10(entry.point["lr"]) + 3.0) ** 2) + 0.5 * (entry.point["net"] == 2)


def test_finds_the_bottom_of_a_bowl() -> None:
    table = Drive(GP(conditional_program(), 24), 2, bowl).run().table
    assert sum(bowl(entry) for entry in table[-8:]) / 8 > 0.3


def test_learns_of_a_parameter_that_is_not_always_there() -> None:
    program = conditional_program()

    def score(entry: Recommendation) -> float:
        assert entry.point is not None
        return 1.0 - abs(entry.point["net|b.drop"] - 0.4) if "net|b.drop" in entry.point else 0.0

    table = Drive(GP(program, 24, startup=6), 1, score).run().table
    assert max(score(entry) for entry in table[-8:]) > 0.95


def test_stays_at_the_border_of_what_is_allowed() -> None:
    small = Require(Binary("<", Binary("+", ParamRef("x"), ParamRef("y")), Lit(1.0)))
    axes = [Param(name, Real(0.0, 1.0), (name,), (0.2,)) for name in "xy"]
    program = make_program(*axes, trials=None, requires=(small,))

    def score(entry: Recommendation) -> float:
        assert entry.point is not None
        assert evaluate.infeasible_because(program, entry.point) is None
        return entry.point["x"] + entry.point["y"]

    table = Drive(GP(program, 16, startup=4), 1, score).run().table
    assert max(score(entry) for entry in table) > 0.97


def test_several_objectives() -> None:
    objectives = (Objective("a", "maximize"), Objective("b", "minimize"))
    program = Program(Study(objectives=objectives), (Param("x", Real(0.0, 1.0), ("x",), (0.9,)), letters("net", 2)), MapNode({}))
    controller = GP(program, 12, startup=4)
    xs = []
    while not controller.exhausted:
        for entry in controller.recommend(2):
            assert entry.point is not None
            x = entry.point["x"]
            xs.append(x)
            controller.observe(Outcome(entry.index, "done", (-((x - 0.3) ** 2), x)))
    # Between 0 and 0.3 neither gets better without the other getting worse.
    assert sum(x <= 0.35 for x in xs[6:]) >= 4


def test_many_outcomes_are_fitted_by_the_best_and_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl_run.engine.controllers.gaussian_process._MOST", 8)
    objectives = (Objective("a", "maximize"), Objective("b", "minimize"))
    controller = GP(Program(Study(objectives=objectives), (Param("x", Real(0.0, 1.0), ("x",), (0.9,)),), MapNode({})), None, 30)
    for entry in controller.recommend(20):
        controller.observe(Outcome(entry.index, "done", (-abs(entry.index - 3.0), abs(entry.index - 9.0))))
    assert [each.index for each in controller._fitted()] == [2, 3, 8, 9, 17, 18, 19, 20]
