"""NSGA-II, Optuna's sampler behind our contract."""

from __future__ import annotations

import pytest

from automl_run.dsl.ir import IsAlt, MapNode, Objective, Param, Program, Real, Study
from automl_run.engine.controllers.base import Controller, Outcome, Recommendation
from automl_run.engine.controllers.nsga2 import NSGA2
from automl_run.engine.controllers.random_search import RandomSearch
from automl_run.engine.testing.controller_suite import (
    ControllerSuite,
    Drive,
    conditional_program,
    constrained_program,
    letters,
    make_program,
    replayed,
)


class TestNSGA2(ControllerSuite):
    def make(self, program: Program) -> Controller:
        return NSGA2(program, None if program.study.budget.trials is None else program.study.budget.trials - 1, population=3)


def two_objectives() -> Program:
    objectives = (Objective("near", "minimize"), Objective("far", "minimize"))
    axes = tuple(Param(name, Real(0.0, 1.0), (name,), (0.5,)) for name in "abcd")
    return Program(Study(objectives=objectives), (*axes, letters("net", 3)), MapNode({}))


def scores(entry: Recommendation) -> tuple[float, float]:
    """Best where b, c, d are 0 and the net is the first; a chooses between the two."""
    assert entry.point is not None
    waste = sum(entry.point[name] for name in "bcd") + (entry.point["net"] != 0)
    return entry.point["a"] + waste, 1.0 - entry.point["a"] + waste


def front(controller: Controller, trials: int) -> tuple[float, list[Recommendation | Outcome]]:
    """The mean sum of both scores in the last quarter (1 at best), and the log."""
    log: list[Recommendation | Outcome] = []
    sums: list[float] = []
    while len(sums) < trials:
        for entry in controller.recommend(2):
            outcome = Outcome(entry.index, "done", scores(entry))
            controller.observe(outcome)
            log += [entry, outcome]
            sums.append(sum(scores(entry)))
    return sum(sums[-trials // 4 :]) / (trials // 4), log


def test_comes_near_the_front_of_two_objectives() -> None:
    program = two_objectives()
    mean, log = front(NSGA2(program, None, population=10), 200)
    assert mean < front(RandomSearch(program, None), 200)[0] - 1.0
    late = [entry.point["a"] for entry in log[-100:] if isinstance(entry, Recommendation) and entry.point]
    assert max(late) - min(late) > 0.5, "both ends of the front are kept"


def test_two_objectives_go_on_alike_after_a_restart() -> None:
    program = two_objectives()
    log = front(NSGA2(program, None, population=5), 40)[1]
    for cut in (12, 20, 34, 60):
        controller = replayed(NSGA2(program, None, population=5), log[:cut])
        entry = log[cut]
        assert isinstance(entry, Recommendation)
        assert controller.recommend(1) == [entry]


def test_one_objective() -> None:
    def score(entry: Recommendation) -> float:
        assert entry.point is not None
        return -abs(entry.point["width"] * entry.point["depth"] - 18) + (entry.point["net"] == 1)

    program = constrained_program(None)
    table = Drive(NSGA2(program, 80, population=8), 3, score).run(100).table
    assert sum(map(score, table[60:])) / len(table[60:]) > sum(map(score, table[:20])) / 20


def test_children_inherit_what_only_some_have() -> None:
    rate = Param("net|b.rate", Real(0.0, 1.0), ("net.rate",), (0.5,), IsAlt("net", (1,)))
    others = [Param(name, Real(0.0, 1.0), (name,), (0.5,)) for name in "xyz"]
    program = make_program(letters("net", 2), rate, *others, trials=None)

    def score(entry: Recommendation) -> float:
        assert entry.point is not None
        return 1.0 - abs(entry.point.get("net|b.rate", 5.0) - 0.9)

    late = Drive(NSGA2(program, 120, population=8), 2, score).run(200).table[60:]
    rates = [entry.point["net|b.rate"] for entry in late if entry.point and "net|b.rate" in entry.point]
    assert len(rates) > 0.7 * len(late)  # at random: half of them
    assert sum(abs(rate - 0.9) for rate in rates) / len(rates) < 0.25  # at random: 0.41


@pytest.mark.parametrize("failing", [2, 3])
def test_failures_do_not_hold_a_generation_up(failing: int) -> None:
    program = conditional_program(None)
    controller = NSGA2(program, 60, population=5)
    Drive(controller, 3, lambda entry: None if entry.index % failing == 0 else float(entry.index)).run(100)
    assert controller.exhausted
