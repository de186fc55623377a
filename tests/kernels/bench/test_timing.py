"""Turns: who is called how often with what, and how ratios are made of times."""

from __future__ import annotations

import pytest

from automl_run.kernels.bench.case import Contender
from automl_run.kernels.bench.checks import unchecked
from automl_run.kernels.bench.timing import CALLS, WARM_UP_ROUNDS, quartiles, ratios, take_turns


def test_contenders_take_turns_on_different_sources() -> None:
    calls: list[tuple[str, int]] = []
    prepared: list[int] = []

    def contender(name: str) -> Contender:
        return Contender(name, lambda turn: calls.append((name, turn)), unchecked, prepared.append)

    synchronized: list[None] = []
    times = take_turns(
        [contender(name) for name in "abc"],
        rounds=4,
        budget_s=0,
        settle_s=0,
        synchronize=lambda: synchronized.append(None),
    )
    assert {name: len(values) for name, values in times.items()} == {"a": 4, "b": 4, "c": 4}
    rounds = [calls[i : i + 3 * CALLS] for i in range(0, len(calls), 3 * CALLS)]
    assert len(rounds) == 4 + WARM_UP_ROUNDS
    assert all([name for name, _ in turn[::CALLS]] == [name for name, _ in turn[CALLS - 1 :: CALLS]] for turn in rounds)
    assert all({name for name, _ in turn} == set("abc") for turn in rounds)
    assert len({tuple(name for name, _ in turn) for turn in rounds}) == 3, "the order shifts"
    assert [turn for _, turn in calls] == list(range(len(calls))), "no source twice in a row"
    assert len(synchronized) == 2 * len(calls)
    assert prepared[:3] == [0, 0, 0], "everybody has the same seed within a round"


def test_the_budget_sets_the_rounds() -> None:
    contender = Contender("a", lambda turn: None, unchecked)
    generous = take_turns([contender], rounds=None, budget_s=100, settle_s=0, synchronize=lambda: None)
    none = take_turns([contender], rounds=None, budget_s=0, settle_s=0, synchronize=lambda: None)
    assert (len(generous["a"]), len(none["a"])) == (31, 5)


def test_no_contenders_no_times() -> None:
    assert take_turns([], rounds=3, budget_s=1, settle_s=0, synchronize=lambda: None) == {}


def test_ratios_are_taken_within_a_round() -> None:
    # Twice as slow in every round, though the machine was three times as slow in one of them.
    assert ratios([2.0, 6.0, 2.0], [1.0, 3.0, 1.0]) == (2.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("values", "expected"), [([1.0], (1.0, 1.0, 1.0)), ([1, 2, 3, 4, 5], (2, 3, 4)), ([1.23456] * 2, (1.23,) * 3)]
)
def test_quartiles(values: list[float], expected: tuple[float, ...]) -> None:
    assert quartiles(values) == expected
