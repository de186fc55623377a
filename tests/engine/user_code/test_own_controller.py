"""The bookkeeping of a controller that answers later, without any process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from own_code import own_program

from automl_run.dsl import ir
from automl_run.engine.controllers.base import Outcome, Recommendation
from automl_run.engine.user_code import messages as m
from automl_run.engine.user_code.locators import Locators
from automl_run.engine.user_code.own_controller import OwnController

X, K = "lr.float.$0:x", "net.enum.$1:k"


class Talk:
    """A controller, what it was sent, and what it answered."""

    def __init__(self, program: ir.Program) -> None:
        self.sent: list[m.Call] = []
        self.answers: list[tuple[list[int], bool]] = []
        self.controller = OwnController("mine.C", program, Locators(program))
        self.controller.answer = lambda given, exhausted: self.answers.append(([each.index for each in given], exhausted))

    def start(self) -> None:
        self.controller.send = self.sent.append
        self.controller.call_all()

    def give(self, number: int, *xs: float) -> None:
        self.controller.answered(number, [{X: x, K: 0} for x in xs])


def program(base: Path, **study: Any) -> ir.Program:
    return own_program(base, "mine.C", **study)


def stored(index: int, x: float, call: int, position: int) -> Recommendation:
    return Recommendation(index, {"x": x, "k": 0}, (call, position))


def test_it_answers_when_its_calls_have(tmp_path: Path) -> None:
    talk = Talk(program(tmp_path))
    talk.start()
    talk.controller.ask(1)
    assert talk.answers == []
    talk.give(0, 0.1, 0.2)
    assert talk.answers == [([1, 2], False)]
    talk.controller.observe(Outcome(0, "done", (9.0,)))
    talk.controller.observe(Outcome(2, "done", (0.7,)))
    talk.controller.observe(Outcome(1, "failed", None))
    assert talk.sent == [m.Call(0), m.Call(1, (0, 1), 0.7), m.Call(2, (0, 0), -1000000.0)]
    talk.controller.ask(1)
    talk.give(1)
    assert talk.answers == [([1, 2], False)]
    talk.give(2)
    assert talk.answers[-1] == ([], True)


def test_it_waits_for_outcomes(tmp_path: Path) -> None:
    talk = Talk(program(tmp_path))
    talk.start()
    talk.give(0, 0.1)
    talk.controller.ask(2)
    talk.controller.ask(2)
    assert talk.answers == [([1], False), ([], False)]


def test_a_minimized_score_is_turned(tmp_path: Path) -> None:
    talk = Talk(program(tmp_path, objectives=(ir.Objective("loss", "minimize"),)))
    talk.start()
    talk.give(0, 0.1)
    talk.controller.ask(1)
    talk.controller.observe(Outcome(1, "done", (0.25,)))
    assert talk.sent[-1].score == -0.25


def test_after_a_restart_only_what_is_not_recorded_is_new(tmp_path: Path) -> None:
    talk = Talk(program(tmp_path))
    talk.controller.restore(stored(1, 0.1, 0, 0))
    talk.controller.restore(stored(2, 0.2, 0, 1))
    talk.controller.observe(Outcome(1, "done", (0.5,)))
    talk.controller.observe(Outcome(2, "done", (0.6,)))
    talk.start()
    # With what was recorded of each call, for a controller that draws at random.
    assert talk.sent == [m.Call(0, stored=[{X: 0.1, K: 0}, {X: 0.2, K: 0}]), m.Call(1, (0, 0), 0.5), m.Call(2, (0, 1), 0.6)]
    talk.controller.ask(1)
    talk.give(0, 0.1, 0.2)
    assert talk.answers == []
    talk.give(1, 0.3)
    assert talk.answers == [([3], False)]
    talk.controller.ask(1)
    talk.give(2, 0.4, 0.5)
    assert talk.answers[-1] == ([4, 5], False)


def test_what_an_earlier_call_gives_only_now_is_dropped(tmp_path: Path) -> None:
    talk = Talk(program(tmp_path))
    talk.controller.restore(stored(1, 0.1, 0, 0))
    talk.controller.observe(Outcome(1, "done", (0.5,)))
    talk.controller.restore(stored(2, 0.2, 1, 0))
    talk.start()
    talk.controller.ask(1)
    talk.give(0, 0.1, 0.9)
    talk.give(1, 0.2)
    assert talk.answers == [([], False)]


def test_a_process_that_is_made_again_is_like_a_restart(tmp_path: Path) -> None:
    talk = Talk(program(tmp_path))
    talk.start()
    talk.give(0, 0.1, 0.2)
    talk.controller.ask(1)
    talk.controller.observe(Outcome(1, "done", (0.5,)))
    talk.sent.clear()
    talk.controller.call_all()
    assert talk.sent == [m.Call(0, stored=[{X: 0.1, K: 0}, {X: 0.2, K: 0}]), m.Call(1, (0, 0), 0.5)]
    talk.controller.ask(1)
    talk.give(0, 0.1, 0.2)
    talk.give(1, 0.3)
    assert talk.answers == [([1, 2], False), ([3], False)]


def test_the_budget_cuts_what_is_given_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    talk = Talk(program(tmp_path, budget=ir.Budget(trials=3)))
    talk.start()
    talk.controller.ask(2)
    talk.give(0, 0.1, 0.2, 0.3, 0.4)
    assert talk.answers == [([1, 2], True)]  # and the baseline
    more = Talk(program(tmp_path, budget=ir.Budget(trials=5)))
    more.controller.restore(stored(1, 0.1, 0, 0))
    more.controller.restore(stored(2, 0.2, 0, 1))
    more.start()
    more.controller.ask(2)
    more.give(0, 0.1, 0.2, 0.3, 0.4)
    assert more.answers == [([3, 4], True)]


def test_in_a_fixed_order_they_come_one_by_one(tmp_path: Path) -> None:
    talk = Talk(program(tmp_path, order="fixed"))
    talk.start()
    talk.give(0, 0.1, 0.2)
    talk.controller.ask(1)
    talk.controller.ask(1)
    assert talk.answers == [([1], False), ([2], False)]


def test_what_cannot_be_tried_names_the_class(tmp_path: Path) -> None:
    talk = Talk(program(tmp_path))
    talk.start()
    with pytest.raises(
        ValueError, match=r"mine.C.initial_recommendation: recommendation 2 of 2: `lr.float.\$0:x` lies from 0 to 1"
    ):
        talk.give(0, 0.5, 1.5)
