"""Pruners in the core: what is judged, when, against whom, and what becomes of a job that is stopped."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from core_run import Run, of, program, sent
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_run.dsl import ir
from automl_run.dsl.load import parse
from automl_run.engine.controllers.base import Outcome
from automl_run.engine.core import facts, pruning
from automl_run.engine.core import inputs as on
from automl_run.engine.core.apply import replay
from automl_run.engine.core.curve import Curve
from automl_run.engine.core.state import durable
from automl_run.engine.summary import best_of
from automl_run.engine.wire import messages as wire

ASHA = ir.Spec("ASHA", {"min": 2, "eta": 2})


def started(workers: int, **study: object) -> Run:
    """A run whose workers have a job each, W1_1_J1 to WN_1_JN, the recommendations 1 to N."""
    run = Run(program(baseline=False, **study), workers=tuple(f"W{number}" for number in range(1, workers + 1)))
    for worker in run.workers:
        run.up(worker)
    run.answer(workers)
    return run


def told(commands: list[on.Command]) -> list[str]:
    """The jobs that these stop."""
    return [message.job for message in sent(commands, wire.Stop) if isinstance(message, wire.Stop) and message.why == "pruned"]


def outcomes(run: Run) -> list[Outcome]:
    return [command.outcome for command in of(run.commands, on.Observe) if isinstance(command, on.Observe)]


# -- Optuna has the same rules ----------------------------------------------------------------------------------------------------


PAIRS: dict[str, tuple[ir.Spec, Callable[[], optuna.pruners.BasePruner]]] = {
    "Median": (ir.Spec("Median"), lambda: optuna.pruners.MedianPruner()),
    "Median, eager": (
        ir.Spec("Median", {"startup": 1, "warmup": 3}),
        lambda: optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=3),
    ),
    "ASHA": (ir.Spec("ASHA"), lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)),
    "ASHA, eta 2": (ASHA, lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=2, reduction_factor=2)),
    "Hyperband": (
        ir.Spec("Hyperband", {"max": 20}),
        lambda: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=20, reduction_factor=3),
    ),
}


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("name", sorted(PAIRS))
def test_the_same_jobs_are_pruned_as_by_optuna(name: str, direction: str) -> None:
    """On random curves of jobs that run side by side, reported one by one."""
    spec, make = PAIRS[name]
    pruned = judged = 0
    for seed in range(12):
        draw = random.Random(f"{name} {direction} {seed}")
        objectives = (ir.Objective("dice", direction),)  # type: ignore[arg-type]
        run = started(4, pruner=spec, objectives=objectives, seed=seed, budget=ir.Budget(trials=16))
        study = optuna.create_study(direction=direction, pruner=make(), study_name=str(seed))
        study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)  # so that their numbers are our indices
        trials: dict[str, optuna.Trial] = {}
        steps: dict[str, int] = {}
        while run.state.run == "running":
            if run.state.asking:
                run.answer()
            for job in run.state.jobs.values():
                if job.name not in trials:
                    trials[job.name] = study.ask()
                    assert trials[job.name].number == job.index
            place = draw.randrange(len(run.state.running))
            job_name, _, _ = run.job(place)
            trial = trials[job_name]
            step = steps[job_name] = steps.get(job_name, 0) + 1
            if step > 12:
                study.tell(trial, 0.5)
                run.done(place)
                continue
            value = draw.random()
            trial.report(value, step)
            judged += 1
            stopped = told(run.metric(place, step, dice=value)) == [job_name]
            assert stopped == trial.should_prune(), (seed, job_name, step)
            if stopped:
                pruned += 1
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                run.done(place, stopped=True)
        assert durable(run.state) == replay(run.journal)
    assert 50 < pruned < judged / 2


# -- when a job is judged ---------------------------------------------------------------------------------------------------------


def test_a_job_is_stopped_in_the_tick_of_its_report_and_before_that_is_acknowledged() -> None:
    run = started(2, pruner=ASHA)
    assert told(run.metric(0, 2, dice=0.8)) == []
    commands = run.metric(1, 2, dice=0.3)
    assert [type(command.message) for command in commands if isinstance(command, on.Send)] == [wire.Stop, wire.Ack]
    (asked,) = [fact for fact in run.journal if isinstance(fact, facts.StopAsked)]
    assert (asked.job, asked.why) == ("W2_1_J2", "pruned")
    assert asked.reason == "0.3 at epoch 2 is not among the best 1 of the 2 jobs that came to 2"


def test_its_score_is_what_it_had_come_to_then() -> None:
    run = started(2, pruner=ASHA)
    run.metric(0, 2, dice=0.8)
    run.metric(1, 1, dice=0.4)
    run.metric(1, 2, dice=0.3)
    run.metric(1, 3, dice=0.9)  # it had not heard yet
    run.done(1, stopped=True, dice=0.95)
    job = run.state.jobs["W2_1_J2"]
    assert (job.state, job.cause, job.scores) == ("stopped", "pruned", (0.3,))
    assert job.message.startswith("0.3 at epoch 2 is not")
    assert outcomes(run) == [Outcome(2, "stopped", (0.3,), 2)]
    assert durable(run.state) == replay(run.journal)
    best = best_of(run.state, Path())
    assert best is not None
    assert (best.score, best.pruned) == (0.3, True)
    run.done(0, dice=0.8)
    best = best_of(run.state, Path())
    assert best is not None
    assert (best.job, best.pruned) == ("W1_1_J1", False)


def test_a_job_that_ended_before_it_heard_is_done() -> None:
    run = started(2, pruner=ASHA)
    run.metric(0, 2, dice=0.8)
    assert told(run.metric(1, 2, dice=0.3)) == ["W2_1_J2"]
    run.done(1, dice=0.9)
    assert outcomes(run) == [Outcome(2, "done", (0.9,))]


def test_it_is_judged_at_rungs_and_once_at_each() -> None:
    run = started(3, pruner=ASHA)
    run.metric(0, 2, dice=0.3)
    for step, value in ((1, 0.1), (3, 0.4), (3, 0.1), (2, 0.1)):
        assert told(run.metric(1, step, dice=value)) == []  # 3 is the first value at or after rung 2: 0.4
    assert run.state.jobs["W2_1_J2"].curve.newest.at == (1, 3)
    assert told(run.metric(2, 2, dice=0.35)) == ["W3_1_J3"]
    # Between two rungs nobody asks.
    assert told(run.metric(1, 3, dice=0.0)) == []
    run.metric(0, 4, dice=0.9)
    assert told(run.metric(1, 5, dice=0.0)) == ["W2_1_J2"]


def test_a_job_that_is_tried_again_is_judged_where_it_comes_further() -> None:
    run = started(2, pruner=ASHA)
    run.metric(0, 2, dice=0.3)
    run.metric(1, 2, dice=0.5)
    run.metric(0, 3, dice=0.8)
    run.failed("gpu_error", number=1)
    assert run.state.jobs["W2_1_J2"].fence == 2
    for step in (1, 2):
        assert told(run.metric(1, step, dice=0.1)) == []
    run.metric(0, 4, dice=0.8)
    assert told(run.metric(1, 4, dice=0.6)) == ["W2_1_J2"]
    assert run.state.jobs["W2_1_J2"].curve.newest.values == (0.5, 0.6)


def test_the_baseline_is_judged_by_nobody_and_all_are_compared_with_it() -> None:
    run = Run(program(pruner=ASHA), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run.answer()
    assert [run.state.jobs[name].index for name in run.state.running] == [0, 1]
    run.metric(1, 2, dice=0.5)
    assert told(run.metric(0, 2, dice=0.1)) == []
    run.metric(0, 4, dice=0.6)
    assert told(run.metric(1, 4, dice=0.5)) == ["W2_1_J2"]


def test_failed_and_infeasible_jobs_are_not_compared_with() -> None:
    run = started(3, pruner=ASHA)
    run.metric(0, 2, dice=0.8)
    run.failed(number=0)
    assert told(run.metric(-1, 2, dice=0.4)) == []


def test_nobody_is_judged_beyond_the_end() -> None:
    for most, stopped in ((4, []), (5, ["W2_1_J2"])):
        run = started(2, pruner=ir.Spec("ASHA", {"min": 4, "max": most}))
        run.metric(0, 4, dice=0.8)
        assert told(run.metric(1, 4, dice=0.4)) == stopped


def test_hyperband_knows_the_end_from_the_first_job_that_is_done() -> None:
    run = started(1, pruner=ir.Spec("Hyperband", {"eta": 2}), budget=ir.Budget(trials=30))
    stopped = 0
    for number in range(30):
        for step in range(1, 9):
            if told(run.metric(0, step, dice=1 / (1 + number) + step / 1000)):
                stopped += 1
                break
        run.done(0, stopped=step < 8)
        if run.state.run == "running":
            run.answer()
        assert stopped == 0 or number > 0
    assert 10 < stopped < 29, "bracket 3 of 4 has its first rung at the end"


def test_reports_are_counted_where_the_study_says_so() -> None:
    run = started(2, pruner=ir.Spec("ASHA", {"min": 2, "eta": 2, "resource": "reports"}))
    for step, value in ((0, 0.6), (0, 0.7)):
        run.metric(0, step, dice=value, loss=0.1)
    run.metric(1, 0, loss=0.3)
    assert told(run.metric(1, 0, dice=0.9)) == []
    assert told(run.metric(1, 0, dice=0.1)) == ["W2_1_J2"]
    assert run.state.jobs["W2_1_J2"].curve.newest.at == (1, 2)


def test_an_objective_of_several_metrics_needs_them_in_one_report() -> None:
    study = parse("study {\n maximize dice - 2 * loss\n pruner = ASHA(min = 1, eta = 2)\n baseline = false }\nlr ~ 0.0..1.0").study
    run = started(2, pruner=study.pruner, objectives=study.objectives)
    run.metric(0, 1, dice=0.5, loss=0.1)
    run.metric(1, 1, dice=0.6)
    assert not run.state.jobs["W2_1_J2"].curve
    assert told(run.metric(1, 2, dice=0.6, loss=0.2)) == ["W2_1_J2"]
    run.done(1, stopped=True)
    assert outcomes(run)[0].scores == pytest.approx((0.2,))


def test_without_a_pruner_or_with_two_objectives_there_are_no_curves() -> None:
    two = (ir.Objective("dice", "maximize"), ir.Objective("loss", "minimize"))
    for more in ({}, {"pruner": ASHA, "objectives": two}):
        run = started(2, **more)
        for place in (0, 1):
            assert told(run.metric(place, 2, dice=0.5 - place / 4, loss=0.1)) == []
        assert not run.state.jobs["W1_1_J1"].curve


def test_a_later_lower_value_is_pruned_by_the_median_of_what_is_done() -> None:
    run = started(1, pruner=ir.Spec("Median", {"startup": 2, "warmup": 2}), budget=ir.Budget(trials=4))
    for value in (0.5, 0.7):
        for step in (1, 2, 4):
            assert told(run.metric(0, step, dice=value + step / 100)) == []
        run.done(0)
        run.answer()
    assert told(run.metric(0, 1, dice=0.1)) == []
    (stopped,) = told(run.metric(0, 3, dice=0.3))  # where the others had been validated last at 2
    reason = run.state.jobs[stopped].stop_reason
    assert reason == "its best of 0.3 up to 3 is worse than 0.62, the median of 2 jobs there"


# -- when something dies in between -----------------------------------------------------------------------------------------------


def pruned_and_unheard() -> Run:
    run = started(2, pruner=ASHA)
    run.metric(0, 2, dice=0.8)
    assert told(run.metric(1, 2, dice=0.3)) == ["W2_1_J2"]
    return run


def ended_as_pruned(run: Run) -> None:
    (end,) = [fact for fact in run.journal if isinstance(fact, facts.Ended) and fact.job == "W2_1_J2"]
    assert (end.state, end.cause, end.scores) == ("stopped", "pruned", (0.3,))
    assert [fact.fence for fact in run.journal if isinstance(fact, facts.Assigned) and fact.job == "W2_1_J2"] == [1]
    assert durable(run.state) == replay(run.journal)


@pytest.mark.parametrize("alive", [frozenset[str](), frozenset({"W1", "W2"})])
def test_the_scheduler_dies_after_its_decision(alive: frozenset[str]) -> None:
    run = pruned_and_unheard()
    run.begin(alive)
    ended_as_pruned(run)


def test_the_agent_dies() -> None:
    run = pruned_and_unheard()
    run(on.AgentLost("W2", "killed"))
    ended_as_pruned(run)


def test_the_run_is_interrupted_and_the_agent_dies() -> None:
    run = pruned_and_unheard()
    run(on.Interrupt())
    run(on.AgentLost("W2", "killed"))
    ended_as_pruned(run)


def test_a_job_that_an_operator_aborts_stays_ended_when_the_run_is_interrupted() -> None:
    run = started(1)
    run(on.AbortJob("W1_1_J1"), on.Interrupt(), on.AgentLost("W1", "killed"))
    assert run.ends() == {"W1_1_J1": "stopped"}


def test_a_resumed_scheduler_compares_with_what_was_reported_before() -> None:
    run = started(2, pruner=ASHA)
    run.metric(0, 2, dice=0.8)
    run.begin(frozenset({"W1", "W2"}))
    for worker, job in (("W1", "W1_1_J1"), ("W2", "W2_1_J2")):
        run.up(worker, ((job, 1),))
    assert told(run.metric(1, 2, dice=0.3)) == ["W2_1_J2"]


# -- repetitions ------------------------------------------------------------------------------------------------------------------


def test_a_recommendation_is_judged_by_the_first_of_its_jobs() -> None:
    run = Run(program(pruner=ASHA, repeat=ir.Repeat(folds=2), baseline=False), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run.answer()
    run.metric(0, 2, dice=0.8)
    run.metric(1, 2, dice=0.1)  # the other fold is not compared with
    run.done(0, dice=0.8)
    run.done(0, dice=0.6)
    run.answer()
    assert [(job.index, job.repetition) for job in run.state.jobs.values() if not job.ended] == [(2, 0), (2, 1)]
    assert told(run.metric(1, 2, dice=0.0)) == []
    run.done(1, dice=0.9)
    assert told(run.metric(0, 2, dice=0.3)) == ["W1_2_J3"]
    run.done(0, stopped=True)
    assert outcomes(run)[0].scores == pytest.approx((0.7,))
    assert outcomes(run)[1:] == [Outcome(2, "stopped", (0.3,), 2)]
    verdict = run.state.recommended[2].verdict
    assert verdict is not None
    assert (verdict.cause, verdict.job) == ("pruned", "W1_2_J3")


def test_the_rest_of_a_pruned_recommendation_is_left_out() -> None:
    run = Run(program(pruner=ASHA, repeat=ir.Repeat(folds=3), baseline=False))
    run.up()
    run.answer()
    for _ in range(3):
        run.metric(0, 2, dice=0.8)
        run.done(dice=0.8)
    run.answer()
    assert told(run.metric(0, 2, dice=0.3)) == ["W1_4_J4"]
    run.done(stopped=True)
    assert outcomes(run)[-1] == Outcome(2, "stopped", (0.3,), 2)
    assert len(run.state.jobs) == 4


# -- curves -----------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(-5, 2000), st.floats(-1, 1)), max_size=700), st.integers(-10, 2010))
@settings(max_examples=60)
def test_a_curve_is_its_points(points: list[tuple[int, float]], at: int) -> None:
    curve, kept = Curve(), list[tuple[int, float]]()
    for place, value in sorted(points, key=lambda point: point[0]) + points[:5]:
        curve = curve.grown(place, value)
        if not kept or place > kept[-1][0]:
            kept.append((place, value))
    assert bool(curve) == bool(kept)
    assert curve.since(at) == next((value for place, value in kept if place >= at), None)
    reaches = bool(kept) and kept[-1][0] >= at
    assert curve.until(at) == (next((value for place, value in reversed(kept) if place <= at), None) if reaches else None)
    if kept:
        assert curve.last == kept[-1]
        assert (curve.least, curve.greatest) == (min(v for _, v in kept), max(v for _, v in kept))
        assert curve.before == (kept[-2][0] if len(kept) > 1 else 0)


# -- brackets ---------------------------------------------------------------------------------------------------------------------


def test_the_brackets_of_hyperband() -> None:
    assert pruning._brackets(1, 81, 3) == [81, 34, 15, 8, 5]
    assert pruning._brackets(1, 243, 3)[-1] == 6
    found = [pruning._bracket(0, index, [81, 34, 15, 8, 5]) for index in range(2000)]
    assert [found.count(bracket) / 2000 for bracket in range(5)] == pytest.approx(
        [81 / 143, 34 / 143, 15 / 143, 8 / 143, 5 / 143], abs=0.03
    )
