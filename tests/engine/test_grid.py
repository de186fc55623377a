"""Grid search."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from automl_run.dsl import evaluate
from automl_run.dsl.ir import IsAlt, Param, Program, Real, Spec, Step
from automl_run.engine.controllers.base import Controller
from automl_run.engine.controllers.grid import Grid
from automl_run.engine.controllers.registry import make_controller
from automl_run.engine.testing.controller_suite import (
    ControllerSuite,
    constrained_program,
    finite_program,
    letters,
    make_program,
)
from automl_run.errors import InputError


class TestGrid(ControllerSuite):
    table_is_fixed = True

    def make(self, program: Program) -> Controller:
        return Grid(program, None if program.study.budget.trials is None else program.study.budget.trials - 1, points=3)


def without_baseline(program: Program) -> Program:
    return replace(program, study=replace(program.study, baseline=False))


def test_the_baseline_is_not_run_twice() -> None:
    everything = Grid(without_baseline(finite_program()), None).recommend(99)
    beside = Grid(finite_program(), None).recommend(99)
    baseline = evaluate.baseline_point(finite_program())
    assert [entry.point for entry in beside] == [entry.point for entry in everything if entry.point != baseline]
    assert len(beside) == len(everything) - 1
    outside = Param("lr", Real(0.1, 0.5, step=Step("add", 0.1)), ("lr",), (0.7,))
    assert len(Grid(make_program(outside), None).recommend(9)) == 5


def test_the_first_parameter_varies_fastest_and_branches_collapse() -> None:
    points = [entry.point for entry in Grid(without_baseline(finite_program()), None).recommend(99)]
    assert points[:5] == [
        {"net": 0, "loss": 0},
        {"net": 1, "net|b.depth": 2, "loss": 0},
        {"net": 1, "net|b.depth": 3, "loss": 0},
        {"net": 1, "net|b.depth": 4, "loss": 0},
        {"net": 1, "net|b.depth": 5, "loss": 0},
    ]
    assert len(points) == 10


def test_forbidden_combinations_are_skipped() -> None:
    points = [entry.point for entry in Grid(without_baseline(constrained_program(None)), None).recommend(10_000)]
    expected = [
        {"width": w, "depth": d, "net": n, "loss": s}
        for s in range(2)
        for n in range(2)
        for d in range(1, 9)
        for w in range(1, 17)
        if w * d <= 20 and not (n == 0 and s == 1)
    ]
    assert points == expected


def test_a_float_needs_a_step_or_points() -> None:
    rate = Param("lr", Real(0.1, 0.5), ("lr",), (0.1,))
    with pytest.raises(InputError, match="`lr` is a range of floats without a step"):
        Grid(make_program(rate), None)
    stepped = Param("lr", Real(0.1, 0.5, step=Step("add", 0.1)), ("lr",), (0.1,))
    assert [entry.point for entry in Grid(make_program(stepped, baseline=False), None).recommend(9)] == [
        {"lr": value} for value in (0.1, 0.2, 0.3, 0.4, 0.5)
    ]
    logarithmic = Param("lr", Real(1e-4, 1e-2, "log"), ("lr",), (1e-3,))
    values = [
        entry.point["lr"] for entry in Grid(make_program(logarithmic, baseline=False), None, points=3).recommend(9) if entry.point
    ]
    assert values == pytest.approx([1e-4, 1e-3, 1e-2])


def test_a_huge_space_is_listed_lazily() -> None:
    program = make_program(*(letters(f"p{i}", 9) for i in range(40)), controller=Spec("Grid"), trials=5)
    assert [entry.index for entry in make_controller(program).recommend(99)] == [1, 2, 3, 4]


def test_many_branches_cost_what_they_hold() -> None:
    branches = [letters(f"net|{i}.p{j}", 3, IsAlt("net", (i,))) for i in range(5) for j in range(3)]
    points = [entry.point for entry in Grid(make_program(letters("net", 5), *branches, baseline=False), None).recommend(1000)]
    assert len(points) == 5 * 3**3
    assert [point["net"] for point in points[:7] if point] == [0, 1, 2, 3, 4, 0, 0]
