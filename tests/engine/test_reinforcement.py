"""Reinforcement search: chains, their order and their policy."""

from __future__ import annotations

import math

import pytest

from automl_run.dsl.ir import Binary, Int, IsAlt, Lit, Objective, Param, ParamRef, Program, Real, Require
from automl_run.engine.controllers.base import Controller, Outcome, Recommendation
from automl_run.engine.controllers.reinforcement import Reinforcement
from automl_run.engine.testing.controller_suite import (
    ControllerSuite,
    Drive,
    by_index,
    conditional_program,
    letters,
    make_program,
)

RATE = Param("lr", Real(1e-4, 1e-2, "log"), ("lr",), (1e-3,))
PROBABILITY = Param("prob", Real(0.0, 0.8), ("prob",), (0.5,))


class TestReinforcement(ControllerSuite):
    table_is_fixed = True

    def make(self, program: Program) -> Controller:
        return Reinforcement(
            program, None if program.study.budget.trials is None else program.study.budget.trials - 1, max_rounds=3
        )


def test_alternatives_alone_are_tried_once_each_in_order() -> None:
    entries = Reinforcement(make_program(letters("net", 2), letters("loss", 3)), None).recommend(99)
    assert [entry.index for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert [(entry.point["net"], entry.point["loss"]) for entry in entries if entry.point] == [
        (0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2),
    ]  # fmt: skip


def test_round_0_is_the_mean_and_all_chains_start_at_once() -> None:
    controller = Reinforcement(make_program(letters("net", 2), RATE, PROBABILITY), None, max_rounds=8)
    first = controller.recommend(99)
    assert [(entry.index, entry.seed_key) for entry in first] == [(1, (1, 0, 0)), (9, (1, 1, 0))]
    for entry in first:
        assert entry.point is not None
        assert entry.point["lr"] == pytest.approx(1e-3)
        assert entry.point["prob"] == pytest.approx(0.4)
    assert controller.recommend(99) == []
    assert not controller.exhausted
    controller.observe(Outcome(9, "done", (0.5,)))
    assert [entry.seed_key for entry in controller.recommend(99)] == [(1, 1, 1)]


def test_every_chain_has_its_rounds() -> None:
    table = Drive(Reinforcement(make_program(letters("net", 3), RATE), None, max_rounds=4), 2, by_index).run().table
    assert [entry.seed_key for entry in table] == [(1, c, r) for c in range(3) for r in range(4)]


@pytest.mark.parametrize("trials", [2, 3, 5, 8, 100])
def test_the_budget_is_dealt_out_round_by_round(trials: int) -> None:
    expected = sorted([(1, c, r) for r in range(4) for c in range(3)][:trials])
    for workers in (1, 2, 5):
        drive = Drive(Reinforcement(make_program(letters("net", 3), RATE), trials, max_rounds=4), workers, by_index).run()
        assert [entry.seed_key for entry in drive.table] == expected
        assert drive.controller.exhausted


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_chains_climb(direction: str) -> None:
    """Over many seeds, the later rounds are nearer to the optimum than the first ones."""
    sign = 1.0 if direction == "maximize" else -1.0

    def score(entry: Recommendation) -> float:
        assert entry.point is not None
        return -sign * ((math.log10(entry.point["lr"]) + 3.7) ** 2)

    early, late = 0.0, 0.0
    for seed in range(40):
        program = make_program(RATE, seed=seed)
        study = program.study
        program = Program(
            type(study)(objectives=(Objective("score", direction),), seed=seed),  # type: ignore[arg-type]
            program.params,
            program.config,
        )
        losses = [abs(score(entry)) for entry in Drive(Reinforcement(program, None, max_rounds=8), 1, score).run().table]
        early, late = early + losses[0] + losses[1], late + losses[6] + losses[7]
    assert late < 0.5 * early


def test_a_failed_round_draws_again_around_the_best() -> None:
    controller = Reinforcement(make_program(RATE), None, max_rounds=8)
    (start,) = controller.recommend(1)
    controller.observe(Outcome(start.index, "done", (0.5,)))
    (second,) = controller.recommend(1)
    controller.observe(Outcome(second.index, "failed", None))
    policy = controller._policy(controller._chains[0])
    assert policy.mean["lr"] == pytest.approx(0.5)
    assert len(controller.recommend(1)) == 1


def test_a_combination_without_allowed_points_is_left_out() -> None:
    exclude = Require(Binary("!=", ParamRef("net"), Lit("b")), text="net != b")
    controller = Reinforcement(make_program(letters("net", 3), RATE, requires=(exclude,)), None)
    assert [(entry.seed_key, entry.point["net"]) for entry in controller.recommend(9) if entry.point] == [
        ((1, 0, 0), 0),
        ((1, 1, 0), 2),
    ]


def test_a_forbidden_mean_is_replaced_by_a_draw() -> None:
    away = Require(Binary(">", ParamRef("prob"), Lit(0.6)), text="prob > 0.6")
    controller = Reinforcement(make_program(PROBABILITY, requires=(away,)), None)
    (entry,) = controller.recommend(1)
    assert entry.point is not None
    assert entry.point["prob"] > 0.6


def test_small_ranges_end_early_without_repeats() -> None:
    depth = Param("net|b.depth", Int(1, 3), ("depth",), (2,), IsAlt("net", (1,)))
    table = Drive(Reinforcement(make_program(letters("net", 2), depth), None, max_rounds=8), 2, by_index).run().table
    assert [entry.seed_key for entry in table] == [(1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 1, 2)]
    assert {entry.point["net|b.depth"] for entry in table[1:] if entry.point} == {1, 2, 3}


def test_ranges_that_an_alternative_owns_are_tuned_only_there() -> None:
    table = Drive(Reinforcement(conditional_program(), None, max_rounds=3), 2, by_index).run().table
    assert len(table) == 9
    assert all(("net|b.drop" in entry.point) == (entry.point["net"] == 1) for entry in table if entry.point)


def test_a_huge_number_of_combinations_is_listed_lazily() -> None:
    program = make_program(*(letters(f"p{i}", 9) for i in range(30)), RATE, trials=None)
    assert len(Reinforcement(program, 20).recommend(99)) == 20
    assert len(Reinforcement(program, None).recommend(20)) == 20


def test_a_lowered_budget_keeps_the_past() -> None:
    program = make_program(letters("net", 3), RATE)
    history = Drive(Reinforcement(program, None, max_rounds=2), 2, by_index).run().log
    resumed = Reinforcement(program, 1, max_rounds=2)
    for entry in history:
        if isinstance(entry, Recommendation):
            resumed.restore(entry)
        else:
            resumed.observe(entry)
    assert resumed.exhausted
    assert resumed.recommend(9) == []
