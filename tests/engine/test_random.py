"""Random search."""

from __future__ import annotations

from automl_run.dsl.ir import Int, Param, Program, Real
from automl_run.engine.controllers.base import Controller
from automl_run.engine.controllers.random_search import RandomSearch
from automl_run.engine.testing.controller_suite import ControllerSuite, conditional_program, make_program


class TestRandom(ControllerSuite):
    table_is_fixed = True

    def make(self, program: Program) -> Controller:
        return RandomSearch(program, None if program.study.budget.trials is None else program.study.budget.trials - 1)


def test_a_draw_depends_on_its_index_alone() -> None:
    ahead, one_by_one = RandomSearch(conditional_program(), 9), RandomSearch(conditional_program(), 9)
    assert ahead.recommend(9) == [one_by_one.recommend(1)[0] for _ in range(9)]
    resumed = RandomSearch(conditional_program(), 9)
    for entry in ahead.recommend(0) or RandomSearch(conditional_program(), 9).recommend(5):
        resumed.restore(entry)
    assert resumed.recommend(4) == RandomSearch(conditional_program(), 9).recommend(9)[5:]


def test_another_seed_draws_other_points() -> None:
    rate = Param("lr", Real(0.0, 1.0), ("lr",), (0.1,))
    first, second = (RandomSearch(make_program(rate, seed=seed), 5).recommend(5) for seed in (0, 1))
    assert all(a.point != b.point for a, b in zip(first, second, strict=True))


def test_ranges_are_filled_on_their_scale_with_both_ends() -> None:
    program = make_program(
        Param("lr", Real(1e-4, 1.0, "log"), ("lr",), (0.1,)),
        Param("n", Int(1, 4), ("n",), (1,)),
        Param("m", Int(1, 1000, "log"), ("m",), (1,)),
    )
    points = [entry.point for entry in RandomSearch(program, 2000).recommend(2000) if entry.point]
    assert 0.44 < sum(point["lr"] < 1e-2 for point in points) / 2000 < 0.56
    assert {point["n"] for point in points} == {1, 2, 3, 4}
    assert all(abs(sum(point["n"] == n for point in points) / 2000 - 0.25) < 0.05 for n in (1, 2, 3, 4))
    assert 0.42 < sum(point["m"] < 32 for point in points) / 2000 < 0.62
