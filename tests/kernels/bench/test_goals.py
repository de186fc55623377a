"""Goals: what is promised on which number of threads, and when it is met."""

from __future__ import annotations

from automl_run.kernels.bench.goals import FLIP_LARGE, HEAVY_EXACT, LIGHT, NEVER_BELOW, NOT_SLOWER, Verdict, judge


def test_a_goal_is_met_at_its_very_value() -> None:
    assert judge(LIGHT, 2, 6.5, 2.0, 1.15) == {
        "MONAI": Verdict(6.5, 6.5, True),
        "best peer": Verdict(2, 2.0, True),
        "copy floor": Verdict(1.15, 1.15, True),
    }
    assert [verdict.met for verdict in judge(LIGHT, 2, 6.4, 1.9, 1.16).values()] == [False, False, False]


def test_one_thread_has_goals_of_its_own() -> None:
    assert judge(LIGHT, 1, 5.0, None, 1.5) == {"MONAI": Verdict(5, 5.0, True), "copy floor": Verdict(1.4, 1.5, False)}
    assert set(judge(HEAVY_EXACT, 1, 13.0, 1.0, 40.0)) == {"MONAI"}


def test_nothing_may_be_slower_than_monai() -> None:
    assert judge(NOT_SLOWER, 1, 0.9, 0.1, 9.0) == {"MONAI": Verdict(NEVER_BELOW, 0.9, False)}
    assert judge(FLIP_LARGE, 2, 1.0, None, None) == {"MONAI": Verdict(NEVER_BELOW, 1.0, True)}
    assert judge(FLIP_LARGE, 1, 1.0, 1.0, 1.0) == {"MONAI": Verdict(NEVER_BELOW, 1.0, True)}


def test_what_was_not_measured_is_not_judged() -> None:
    assert judge(LIGHT, 2, None, None, None) == {}
