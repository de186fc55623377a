"""A job's own reading of the first objective."""

from __future__ import annotations

import pytest

from automl_run.dsl.goal import goal_at, merit
from automl_run.dsl.load import parse
from automl_run.engine.agent.folders import JobSpec

PROGRAM = """
study {{ {objective} }}
m ~ A(k = 2 ~ 1..3) | B()
x = 0.5 ~ 0.0..1.0
"""


def worth(objective: str, point: dict[str, int | float] | None, **metrics: float) -> float | None:
    goal = goal_at(parse(PROGRAM.format(objective=objective)), point)
    assert goal is not None
    return merit(goal, metrics)


@pytest.mark.parametrize(
    ("objective", "value"),
    [
        ("maximize dice", 0.5),
        ("minimize dice", -0.5),
        ("maximize dice - 0.1 * hd", 0.3),
        ("minimize hd / 4 if dice > 0.4 else 100", -0.5),
        ("maximize max(dice, sum([hd, 1]))", 3.0),
    ],
)
def test_more_is_better(objective: str, value: float) -> None:
    assert worth(objective, None, dice=0.5, hd=2.0) == pytest.approx(value)


def test_parameters_are_put_in() -> None:
    program = parse("study { minimize cost * model.k if model is A else cost }\nmodel ~ A(k = 2 ~ 1..3) | B()")
    points: list[tuple[dict[str, int | float] | None, float]] = [
        ({"model": 0, "model[A].k": 3}, -6.0),
        ({"model": 1}, -2.0),
        (None, -4.0),
    ]
    for point, value in points:
        goal = goal_at(program, point)
        assert goal is not None
        assert merit(goal, {"cost": 2.0}) == value


@pytest.mark.parametrize("objective", ["maximize hd", "maximize dice - 1e-9 * seconds", "maximize 1 / (dice - dice)"])
def test_what_the_metrics_do_not_say_is_none(objective: str) -> None:
    assert worth(objective, None, dice=0.5) is None


def test_a_study_without_an_objective_has_none() -> None:
    assert goal_at(parse("x ~ 1..3"), None) is None


def test_it_goes_into_the_job() -> None:
    import msgspec

    goal = goal_at(parse(PROGRAM.format(objective="maximize dice - 0.1 * hd")), None)
    assert msgspec.json.decode(msgspec.json.encode(goal), type=type(goal)) == goal
    assert JobSpec.__annotations__["goal"] == "Objective | None"
