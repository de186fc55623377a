"""TPE, Optuna's sampler behind our contract."""

from __future__ import annotations

import math

import pytest

from automl_run.dsl.ir import Budget, Int, MapNode, Objective, Param, Program, Read, Real, Step, Study
from automl_run.engine.controllers.base import Controller, Outcome, Recommendation
from automl_run.engine.controllers.random_search import RandomSearch
from automl_run.engine.controllers.tpe import TPE
from automl_run.engine.testing.controller_suite import (
    ControllerSuite,
    Drive,
    conditional_program,
    constrained_program,
    finite_program,
    letters,
    make_program,
)


class TestTPE(ControllerSuite):
    def make(self, program: Program) -> Controller:
        return TPE(program, None if program.study.budget.trials is None else program.study.budget.trials - 1, startup=3)


def bowl(entry: Recommendation) -> float:
    assert entry.point is not None
    return -((math.log10(entry.point["lr"]) + 3.0) ** 2) + 0.5 * (entry.point["net"] == 2)


def test_beats_random_on_a_bowl() -> None:
    program = conditional_program()
    mean = {}
    for name, make in (("tpe", lambda: TPE(program, 60)), ("random", lambda: RandomSearch(program, 60))):
        table = Drive(make(), 2, bowl).run().table
        mean[name] = sum(bowl(entry) for entry in table[30:]) / 30
    assert mean["tpe"] > mean["random"] + 0.5


def test_a_failure_is_never_a_score() -> None:
    program = make_program(Param("x", Real(0.0, 1.0), ("x",), (0.5,)), trials=None, baseline=False)
    controller = TPE(program, 60)
    drive = Drive(controller, 1, lambda entry: None if entry.point and entry.point["x"] > 0.5 else 1.0).run()
    failed = sum(1 for entry in drive.log if isinstance(entry, Outcome) and entry.state == "failed")
    assert failed > 0
    scored = [trial for trial in controller._study.trials if trial.values is not None]
    assert len(scored) == 60 - failed
    assert {trial.state.name for trial in controller._study.trials if trial.values is None} == {"FAIL"}


def test_what_a_pruned_job_had_come_to_is_no_score_and_ranks_below_all_scores() -> None:
    program = make_program(Param("x", Real(0.0, 1.0), ("x",), (0.5,)), trials=None, baseline=False)

    def observed() -> TPE:
        controller = TPE(program, 60, startup=8)
        for entry in controller.recommend(12):
            assert entry.point is not None
            x = entry.point["x"]
            # What is pruned would be the best of all, were it a score.
            outcome = Outcome(entry.index, "done", (x,)) if x > 0.5 else Outcome(entry.index, "stopped", (9.0,), 3)
            controller.observe(outcome)
        return controller

    one, two = observed(), observed()
    trials = {
        name: [trial for trial in one._study.trials if trial.state.name == name] for name in ("COMPLETE", "PRUNED", "RUNNING")
    }
    assert len(trials["COMPLETE"]) + len(trials["PRUNED"]) == 12
    assert not trials["RUNNING"]
    assert {tuple(trial.intermediate_values.items()) for trial in trials["PRUNED"]} == {((3, 9.0),)}
    points = [entry.point for entry in one.recommend(8)]
    assert points == [entry.point for entry in two.recommend(8)]
    assert sum(point["x"] > 0.5 for point in points if point) >= 6


def test_a_finite_space_is_used_up_without_repeats() -> None:
    table = Drive(TPE(finite_program(None), None), 3, lambda entry: float(entry.index)).run().table
    points = [tuple(entry.point.items()) for entry in table if entry.point]
    # The baseline is one of the ten points.
    assert len(points) == len(set(points)) == 9


def test_the_baseline_counts_only_where_it_is_a_point() -> None:
    outside = make_program(Param("x", Int(1, 3), ("x",), (7,)), trials=None)
    assert len(Drive(TPE(outside, None), 1, lambda entry: 0.0).run().table) == 3
    inside = make_program(Param("x", Int(1, 3), ("x",), (2,)), trials=None)
    assert len(Drive(TPE(inside, None), 1, lambda entry: 0.0).run().table) == 2


def test_the_baseline_teaches() -> None:
    program = Program(
        Study(objectives=(Objective("score", "maximize"),), budget=Budget()),
        (Param("x", Real(0.0, 1.0), ("x",), (0.2,)),),
        MapNode({"x": Read("x")}),
    )
    with_baseline, without = TPE(program, None, startup=1), TPE(program, None, startup=1)
    with_baseline.observe(Outcome(0, "done", (0.9,)))
    assert with_baseline.recommend(1) != without.recommend(1)


def test_steps_are_kept() -> None:
    program = make_program(
        Param("x", Real(0.1, 0.9, step=Step("add", 0.2)), ("x",), (0.1,)),
        Param("n", Int(2, 64, step=Step("mul", 2.0)), ("n",), (2,)),
        Param("w", Int(1, 10_000, "log"), ("w",), (2,)),
    )
    table = Drive(TPE(program, 40), 2, lambda entry: float(entry.index % 5)).run().table
    assert {entry.point["x"] for entry in table if entry.point} <= {0.1, 0.3, 0.5, 0.7, 0.9}
    assert {entry.point["n"] for entry in table if entry.point} <= {2, 4, 8, 16, 32, 64}


@pytest.mark.parametrize("directions", [("minimize",), ("maximize", "minimize")])
def test_directions_and_several_objectives(directions: tuple[str, ...]) -> None:
    objectives = tuple(Objective(f"m{i}", direction) for i, direction in enumerate(directions))  # type: ignore[arg-type]
    program = Program(
        Study(objectives=objectives),
        (Param("x", Real(0.0, 1.0), ("x",), (0.9,)), letters("net", 2)),
        MapNode({}),
    )
    controller = TPE(program, 50)
    xs = []
    for _ in range(50):
        for entry in controller.recommend(1):
            assert entry.point is not None
            x = entry.point["x"]
            xs.append(x)
            controller.observe(Outcome(entry.index, "done", ((x - 0.3) ** 2,) if len(directions) == 1 else (-((x - 0.3) ** 2), x)))
    assert len(xs) == 50
    assert sum(xs[25:]) / 25 < 0.4


def test_rare_points_are_still_found() -> None:
    program = constrained_program(None)
    table = Drive(TPE(program, 30), 4, lambda entry: float(entry.index)).run().table
    assert len({tuple(entry.point.items()) for entry in table if entry.point}) == 30
