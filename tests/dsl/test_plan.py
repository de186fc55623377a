"""What a run would do, told beforehand."""

from __future__ import annotations

import pytest

from automl_run.dsl.load import parse
from automl_run.dsl.plan import duration, estimate, plan, render

TREE = """
m ~ A(k ~ 1..3, (p, q) ~ 0.0..1.0 when n > 1) | B()
n ~ 1 | 2
z ~ log 1e-3..1e-1 when m is A
require n < 3 because "small"
"""


def study(body: str, rest: str = "x ~ 1..4") -> str:
    return f"study {{\n{body}\n}}\n{rest}"


def test_the_activity_tree() -> None:
    found = plan(parse(TREE))
    assert [(row.depth, row.id, row.parent, row.condition) for row in found.rows] == [
        (0, "m", None, None),
        (1, "m[A].k", "m", "m is A"),
        (1, "z", "m", "m is A"),
        (0, "n", None, None),
        (1, "m[A].(p,q)", "n", "m is A and n > 1"),
    ]
    assert found.size is None
    assert found.requires == ("n < 3",)


def test_the_text_holds_all_of_it() -> None:
    phase = "phase a { controller = Sobol(), budget { trials = 4 } }"
    body = f"maximize dice\nensure loss < 1\nworkers = [[0], [1, 2]]\n{phase}"
    text = render(plan(parse(study(body)), 600.0))
    for said in ("x  1..4", "baseline 2", "1 parameters, 4 points", "maximize dice", "loss < 1", "Auto()", "a: Sobol(), 4 trials",
                 "GPU 0; GPU 1, 2", "at most 4", "about 20 min", "GPU hours", "the phase `a` is not supported yet"):  # fmt: skip
        assert said in text, text


@pytest.mark.parametrize(
    ("body", "job_s", "jobs", "wall", "at_most"),
    [
        ("budget { trials = 10 }", 60.0, 10, 600.0, False),
        ("budget { trials = 10 }\nworkers = [cpu(1), cpu(1), cpu(1)]", 60.0, 10, 240.0, False),
        ("budget { trials = 10, time = 5min }", 60.0, 5, 300.0, False),
        ("budget { time = 1h }", None, None, 3600.0, True),
        ("budget { trials = 3, job_time = 1h }", None, 3, 10800.0, True),
        ("controller = Grid()", 60.0, 5, 300.0, False),
        ("controller = Grid()\nbaseline = false", 60.0, 4, 240.0, False),
        ("controller = Reinforcement()", 60.0, None, None, False),
        ("budget { trials = 2 }\nrepeat { folds = 5, seeds = [0, 1] }", 60.0, 2, 1200.0, False),
        ("", None, 20, None, True),
    ],
)
def test_jobs_and_cost(body: str, job_s: float | None, jobs: int | None, wall: float | None, at_most: bool) -> None:
    found = estimate(parse(study(body)), job_s)
    assert (found.jobs, found.wall_s, found.at_most) == (jobs, wall, at_most)


def test_gpu_hours() -> None:
    found = estimate(parse(study("budget { trials = 8 }\nworkers = [[0, 1], [2, 3]]")), 1800.0)
    assert (found.wall_s, found.gpu_hours) == (7200.0, 8.0)


def test_gpu_hours_are_a_limit() -> None:
    found = estimate(parse(study("budget { gpu_hours = 4 }\nworkers = [[0, 1], [2, 3]]")), 1800.0)
    assert (found.jobs, found.wall_s, found.gpu_hours) == (4, 3600.0, 4.0)
    without = estimate(parse(study("budget { gpu_hours = 4, trials = 8 }\nworkers = [cpu(2)]")), 1800.0)
    assert (without.jobs, without.gpu_hours) == (8, None)


def test_a_program_without_a_search() -> None:
    found = plan(parse("x = 3"))
    assert (found.rows, found.size, found.estimate.jobs) == ((), 1, 1)
    assert "nothing is searched" in render(found)


@pytest.mark.parametrize(("seconds", "text"), [(0.5, "0.5 s"), (61, "1 min 1 s"), (90000, "1 d 1 h"), (3600, "1 h")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
