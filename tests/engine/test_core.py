"""The pure core: examples of each decision."""

from __future__ import annotations

from pathlib import Path

import pytest
from core_run import Run, of, program, sent

from automl_run.dsl import ir
from automl_run.engine.controllers.base import Recommendation
from automl_run.engine.core import causes, ending, facts
from automl_run.engine.core import inputs as on
from automl_run.engine.core.apply import replay
from automl_run.engine.core.causes import Cause
from automl_run.engine.core.decide import job_seed
from automl_run.engine.core.state import durable
from automl_run.engine.summary import summarize
from automl_run.engine.wire import messages as wire


def test_a_run_from_baseline_to_budget() -> None:
    run = Run(program(budget=ir.Budget(trials=2)))
    assert of(run.commands, on.StartAgent) == [on.StartAgent("W1")]
    assert of(run.up(), on.StartAttempt) == [on.StartAttempt("W1", "W1_1_J1", 1)]
    assert run.state.recommended[0].point is None
    commands = run.done(dice=0.5)
    assert sent(commands, wire.Ack) == [wire.Ack("W1_1_J1", 1, 1)]
    assert of(commands, on.Ask) == [on.Ask(1)]
    assert of(run.answer(), on.StartAttempt) == [on.StartAttempt("W1", "W1_2_J2", 1)]
    run.metric(dice=0.9)
    run.done()
    assert (run.status(), run.state.best, run.state.jobs["W1_2_J2"].scores) == ("done", "W1_2_J2", (0.9,))


def test_a_worker_in_quarantine_gets_no_more_jobs_and_the_others_go_on() -> None:
    run = Run(program(), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run.done(dice=0.5)
    run(on.Received("W1", wire.Quarantine("W1 gets no more jobs: the processes [7] of W1_1_J1 cannot be ended")))
    commands = run.answer(2)
    assert of(commands, on.StartAttempt) == [on.StartAttempt("W2", "W2_1_J2", 1)]
    assert run.state.worker("W1").broken is not None  # type: ignore[union-attr]
    assert run.status() == "running"


def test_a_run_whose_only_worker_is_in_quarantine_fails() -> None:
    run = Run(program())
    run.up()
    run.done(dice=0.5)
    run(on.Received("W1", wire.Quarantine("its GPUs are taken for good")))
    assert run.status() == "failed"
    assert "its GPUs are taken for good" in run.state.reason


def test_while_nothing_may_start_nothing_does_and_then_it_goes_on() -> None:
    run = Run(program())
    run(on.Held("the disk is nearly full"))
    assert of(run.up(), on.StartAttempt) == []
    assert of(run(on.Woke()), on.Ask) == []
    assert of(run(on.Held(None)), on.StartAttempt) == [on.StartAttempt("W1", "W1_1_J1", 1)]
    run(on.Held("the disk is nearly full"))
    run.done(dice=0.5)
    assert (run.status(), of(run.commands, on.Ask)) == ("running", [])
    assert of(run(on.Held(None)), on.Ask) == [on.Ask(1)]


def test_observations_come_before_the_next_ask() -> None:
    run = Run(program())
    run.up()
    kinds = [type(command) for command in run.done(dice=0.5)]
    assert kinds.index(on.Observe) < kinds.index(on.Ask)


def test_without_a_baseline_the_controller_is_asked_first() -> None:
    run = Run(program(baseline=False), workers=("W1", "W2"))
    assert of(run.up("W1"), on.Ask) == [on.Ask(1)]
    assert 0 not in run.state.recommended


@pytest.mark.parametrize(("direction", "best"), [("maximize", 0.75), ("minimize", 0.25)])
def test_the_best_reported_value_counts_when_none_is_returned(direction: str, best: float) -> None:
    run = Run(program(objectives=(ir.Objective("dice", direction),)))  # type: ignore[arg-type]
    run.up()
    for value in (0.5, 0.75, 0.25, 0.5):
        run.metric(dice=value, loss=value)
    run.done()
    assert run.state.jobs["W1_1_J1"].scores == (best,)
    assert run.state.jobs["W1_1_J1"].values["loss"] == 0.5


def test_a_metric_that_the_first_job_never_reported_ends_the_run() -> None:
    run = Run(program(), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run.answer()
    run.metric(0, loss=1.0, accuracy=0.5)
    commands = run.done(0)
    assert run.status() == "running"
    assert sent(commands, wire.Stop) == [wire.Stop("W2_1_J2", 1, "abort")]
    run.done(stopped=True)
    assert run.status() == "failed"
    assert run.state.reason == "W1_1_J1 never reported `dice`; it reported `accuracy`, `loss`"
    assert run.ends() == {"W1_1_J1": "failed", "W2_1_J2": "stopped"}


def test_a_later_job_without_the_metric_fails_alone() -> None:
    run = Run(program())
    run.up()
    run.done(dice=0.1)
    run.answer()
    run.done(loss=0.5)
    assert (run.status(), run.state.jobs["W1_2_J2"].state) == ("running", "failed")


@pytest.mark.parametrize("cause", ["lost", "preempted", "gpu_error"])
def test_what_the_job_did_not_cause_is_tried_three_times(cause: Cause) -> None:
    run = Run(program())
    run.up()
    run.failed(cause)
    run.now += causes.REST_S
    run(on.Woke())
    run.failed(cause)
    run.now += causes.REST_S
    run(on.Woke())
    assert run.job() == ("W1_1_J1", 3, "W1")
    run.failed(cause)
    assert run.ends() == {"W1_1_J1": "failed"}
    assert run.state.jobs["W1_1_J1"].cause == cause


def test_a_preempted_worker_gets_nothing_until_it_is_back() -> None:
    run = Run(program())
    run.up()
    run.failed("preempted")
    assert run.state.running == ()
    run(on.AgentCut("W1"), on.AgentLost("W1", "exit code 0"))
    assert of(run.up(), on.StartAttempt) == [on.StartAttempt("W1", "W1_1_J1", 2)]


def test_a_users_error_is_not_tried_again_and_is_no_score() -> None:
    run = Run(program())
    run.up()
    run.metric(dice=0.9)
    commands = run.failed()
    (observed,) = of(commands, on.Observe)
    assert isinstance(observed, on.Observe)
    assert (observed.outcome.state, observed.outcome.scores) == ("failed", None)
    assert run.state.best is None


def test_three_first_failures_alike_end_the_study() -> None:
    run = Run(program())
    run.up()
    for _ in range(3):
        run.failed("oom_gpu")
        run.answer()
    assert run.status() == "failed"
    assert run.state.reason.startswith("the first 3 jobs failed alike: the GPU ran out of memory (W1_3_J3: ")


def test_ten_failures_in_a_row_end_the_study() -> None:
    run = Run(program())
    run.up()
    run.done(dice=0.5)
    two: list[Cause] = ["oom_gpu", "user_error"]
    for number in range(10):
        run.answer()
        assert run.status() == "running"
        run.failed(two[number % 2])
    assert run.status() == "failed"
    assert run.state.reason.startswith("10 jobs in a row failed")


def test_a_few_failures_alone_find_nothing() -> None:
    run = Run(program(budget=ir.Budget(trials=1)))
    run.up()
    run.failed()
    assert run.status() == "failed"
    assert run.state.reason == "none of 1 job ended with a score (W1_1_J1: because of user_error)"


def test_the_target_ends_the_study_and_stops_what_runs() -> None:
    run = Run(program(budget=ir.Budget(target=0.9)), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run.answer()
    commands = run.done(0, dice=0.95)
    assert sent(commands, wire.Stop) == [wire.Stop("W2_1_J2", 1, "budget")]
    run.metric(dice=0.3)
    run.done(stopped=True)
    assert run.status() == "done"
    assert (run.state.jobs["W2_1_J2"].state, run.state.jobs["W2_1_J2"].scores) == ("stopped", (0.3,))
    assert run.state.best == "W1_1_J1"


def test_the_target_of_a_minimised_objective() -> None:
    run = Run(program(budget=ir.Budget(target=0.1), objectives=(ir.Objective("loss", "minimize"),)))
    run.up()
    run.done(loss=0.5)
    assert run.status() == "running"
    run.answer()
    run.done(loss=0.1)
    assert run.status() == "done"


def test_a_target_that_was_reached_is_not_forgotten() -> None:
    run = Run(program(budget=ir.Budget(target=0.9)), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run.answer()
    run.done(0, dice=0.95)
    run(on.Interrupt())
    run.failed(number=0)
    assert run.status() == "paused"
    assert not of(run.begin(), on.StartAgent)
    assert run.status() == "done"


def test_patience_counts_jobs_without_a_better_score() -> None:
    run = Run(program(budget=ir.Budget(patience=2)))
    run.up()
    for score in (0.5, 0.6, 0.6):
        run.done(dice=score)
        run.answer()
    assert run.status() == "running"
    run.done(dice=0.1)
    assert (run.status(), run.state.reason) == ("done", "no better score in 2 jobs")


def test_the_time_budget_leaves_interruptions_out() -> None:
    run = Run(program(budget=ir.Budget(time_s=100.0)))
    run.up()
    run.now += 60
    run(on.Interrupt())
    run.done(stopped=True)
    run.now += 10_000
    run.begin()
    run.up()
    run.now += 30
    assert not sent(run(on.Woke()), wire.Stop)
    run.now += 15
    assert sent(run(on.Woke()), wire.Stop)
    run.done(stopped=True)
    assert run.status() == "done"


def test_gpu_hours_are_those_of_every_gpu_in_every_attempt() -> None:
    run = Run(program(budget=ir.Budget(gpu_hours=1.0)), workers=("W1", "W2"), gpus=(0, 1, 2))
    run.up("W1")
    run.up("W2")
    run.now += 100
    run.answer(2)  # J1, the baseline, has run on W1 for 100 s
    run.now += 300
    run(on.AgentLost("W1", "killed"))  # 1200 GPU seconds of J1, void; 900 of J2 so far
    assert run.state.gpu_seconds(run.now) == 3 * 400 + 3 * 300
    run.now += 499
    assert not sent(run(on.Woke()), wire.Stop)
    run.now += 1  # 1200 and 3 * 800
    assert sent(run(on.Woke()), wire.Stop) == [wire.Stop("W2_1_J2", 1, "budget")]
    run.done(stopped=True, dice=0.5)
    assert (run.status(), run.state.reason) == ("done", "the budget of 1 GPU hours is spent")
    assert summarize(run.state, Path(), None, live=False).gpu_hours == 1.0
    assert replay(run.journal) == durable(run.state)


def test_gpu_hours_go_on_while_there_is_no_scheduler_and_agents_live() -> None:
    run = Run(program(budget=ir.Budget(gpu_hours=1.0)), gpus=(0,))
    run.up()
    run.now += 3000
    run.begin(alive=frozenset({"W1"}))
    assert run.state.gpu_seconds(run.now) == 3000
    run.now += 599
    assert ending.seconds_left(run.state, run.now) == 1
    assert not sent(run.up(running=(("W1_1_J1", 1),)), wire.Stop)
    run.now += 1
    assert sent(run(on.Woke()), wire.Stop)


def test_what_a_job_did_alone_counts_and_not_the_night_after_it() -> None:
    run = Run(program(budget=ir.Budget(gpu_hours=10.0)), gpus=(0,))
    run.up()
    run.now += 86_400
    run(on.Found(wire.Done("W1_1_J1", 1, 1, {"dice": 0.5}, 600.0, False)))
    assert run.state.gpu_seconds(run.now) == 600
    assert run.state.jobs["W1_1_J1"].spans[-1].end == run.state.jobs["W1_1_J1"].assigned_at + 600


def test_what_ran_until_all_was_killed_counts() -> None:
    """Nothing was stored since the job began; the owner's file is as old as the last sign of life."""
    run = Run(program(budget=ir.Budget(gpu_hours=10.0, time_s=90_000.0)), gpus=(0,))
    run.up()
    run.now += 86_400
    workers = tuple(facts.NamedWorker(name, (0,), 1) for name in run.workers)
    run.state = durable(run.state)
    run(on.Began(workers, seen_at=run.now - 80_000))
    assert run.state.gpu_seconds(run.now) == 6_400
    assert run.state.elapsed(run.now) == 6_400


def test_a_stop_that_a_cut_connection_lost_is_said_again() -> None:
    run = Run(program())
    run.up()
    assert sent(run(on.AbortJob("W1_1_J1")), wire.Stop)
    run(on.AgentCut("W1"))
    assert sent(run.up(running=(("W1_1_J1", 1),)), wire.Stop) == [wire.Stop("W1_1_J1", 1, "operator")]


def test_a_cpu_worker_spends_no_gpu_hours() -> None:
    run = Run(program(budget=ir.Budget(gpu_hours=0.001)))
    run.up()
    run.now += 1e6
    assert not sent(run(on.Woke()), wire.Stop)
    assert ending.seconds_left(run.state, run.now) is None


def test_an_interrupted_job_runs_again_under_its_name() -> None:
    run = Run(program())
    run.up()
    assert sent(run(on.Interrupt()), wire.Stop) == [wire.Stop("W1_1_J1", 1, "drain")]
    assert run(on.Interrupt()) == []
    run.failed("user_error")
    assert (run.status(), run.ends()) == ("paused", {})
    run.begin()
    assert of(run.up(), on.StartAttempt) == [on.StartAttempt("W1", "W1_1_J1", 2)]
    assert run.state.jobs["W1_1_J1"].lost == 0


def test_a_job_that_ends_while_the_run_drains_has_ended() -> None:
    run = Run(program())
    run.up()
    run(on.Interrupt())
    run.done(dice=0.5)
    assert run.ends() == {"W1_1_J1": "done"}


def test_an_agent_that_outlived_the_scheduler_goes_on_with_its_attempt() -> None:
    run = Run(program())
    run.up()
    run.metric(dice=0.5)
    run.begin(alive=frozenset({"W1"}))
    assert not of(run.up(running=(("W1_1_J1", 1),)), on.StartAttempt)
    run.done(dice=0.7)
    assert run.state.jobs["W1_1_J1"].fence == 1


def test_an_attempt_unknown_to_its_agent_is_lost() -> None:
    run = Run(program())
    run.up()
    run(on.AgentCut("W1"))
    commands = run.up()
    assert of(commands, on.StartAttempt) == [on.StartAttempt("W1", "W1_1_J1", 2)]


def test_stale_and_repeated_messages() -> None:
    run = Run(program())
    run.up()
    run.failed("lost")
    assert run.job() == ("W1_1_J1", 2, "W1")
    stale = wire.Done("W1_1_J1", 1, 2, {"dice": 1.0}, 1.0)
    assert run(on.Received("W1", stale)) == [on.Send("W1", wire.Superseded("W1_1_J1", 1))]
    end = wire.Done("W1_1_J1", 2, 1, {"dice": 0.5}, 1.0)
    run(on.Received("W1", end))
    assert sent(run(on.Received("W1", end)), wire.Ack) == [wire.Ack("W1_1_J1", 2, 1)]
    assert run.state.jobs["W1_1_J1"].scores == (0.5,)
    unknown = wire.Done("W9_1_J9", 1, 1, {}, 1.0)
    assert sent(run(on.Received("W1", unknown)), wire.Superseded) == [wire.Superseded("W9_1_J9", 1)]


def test_a_gap_cuts_the_agent_off_and_counts_nothing() -> None:
    run = Run(program())
    run.up()
    commands = run(on.Received("W1", wire.Metric("W1_1_J1", 1, 2, 1, {"dice": 0.5})))
    assert len(of(commands, on.Drop)) == 1
    assert run.state.jobs["W1_1_J1"].seq == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_a_failure(value: float) -> None:
    run = Run(program())
    run.up()
    commands = run.done(dice=value)
    assert sent(commands, wire.Reject) == [wire.Reject("not_finite", "W1_1_J1", 1)]
    assert run.state.jobs["W1_1_J1"].cause == "diverged"


def test_workers_that_cannot_be_started_end_the_study() -> None:
    run = Run(program(), workers=("W1", "W2"))
    run(on.AgentBroken("W1", "no python"))
    assert run.status() == "running"
    run(on.AgentBroken("W2", "no python"))
    assert (run.status(), run.state.reason) == ("failed", "no worker can be started: no python")


def test_a_controller_that_fails_or_repeats_itself_ends_the_study() -> None:
    run = Run(program(baseline=False))
    run.up()
    run(on.ControllerFailed("ValueError: x"))
    assert (run.status(), run.state.reason) == ("failed", "the controller failed: ValueError: x")
    run = Run(program(baseline=False), workers=("W1", "W2"))
    run.up("W1")
    run(on.Answer((Recommendation(1, {"lr": 0.1}, (1,)), Recommendation(1, {"lr": 0.1}, (1,))), exhausted=False))
    assert (run.status(), run.state.reason) == ("failed", "the controller recommended number 1 twice")


def test_what_runs_is_finished_when_the_controller_fails() -> None:
    run = Run(program(baseline=False), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run.answer(3)
    assert len(run.state.running) == 2
    run(on.ControllerFailed("ValueError: x"))
    run.failed("lost", number=0)
    assert len(run.state.running) == 2  # it is tried again
    run.done(number=0, dice=0.4)
    assert run.status() == "running"
    run.done(dice=0.5)
    assert (run.status(), run.state.reason) == ("failed", "the controller failed: ValueError: x")
    assert run.state.waiting == (3,)


def test_an_answer_from_before_an_outcome_is_not_the_last_word() -> None:
    run = Run(program(baseline=False), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run.answer(1)
    assert run.state.asking
    run.done(dice=0.4)
    commands = run(on.Answer((), exhausted=False))
    assert (run.status(), len(of(commands, on.Ask))) == ("running", 1)
    run(on.Answer((), exhausted=False))
    assert (run.status(), run.state.reason) == ("done", "the controller has nothing more to try")


@pytest.mark.parametrize(("scored", "how"), [(True, "done"), (False, "failed")])
def test_code_of_the_users_may_ask_for_an_end(scored: bool, how: str) -> None:
    run = Run(program(baseline=False), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run.answer(2)
    if scored:
        run.done(number=0, dice=0.4)
    run(on.StopWork("Mine: enough"))
    while run.state.running:
        run.done(stopped=True, dice=0.1)
    assert (run.status(), run.state.reason) == (how, "Mine: enough")


def test_an_exhausted_controller_ends_the_study_after_its_last_job() -> None:
    run = Run(program())
    run.up()
    run.done(dice=0.5)
    run.answer(1, exhausted=True)
    assert run.status() == "running"
    run.done(dice=0.6)
    assert (run.status(), run.state.reason) == ("done", "the controller has nothing more to try")


def test_an_infeasible_point_is_not_a_failure() -> None:
    run = Run(program())
    run.up()
    name, fence, _ = run.job()
    run(on.CannotRun(name, fence, "infeasible", "infeasible", "1 / 0"))
    assert run.ends() == {name: "infeasible"}
    assert run.state.failures == ()


def test_a_fixed_order_shows_outcomes_up_to_k_minus_w() -> None:
    run = Run(program(order="fixed"), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run.answer()
    assert not of(run.done(1, dice=0.7), on.Ask), "number 2 depends on number 0, which still runs"
    commands = run.done(0, dice=0.5)
    assert [c.outcome.index for c in of(commands, on.Observe) if isinstance(c, on.Observe)] == [0]
    assert of(commands, on.Ask) == [on.Ask(1)]
    commands = run.answer()
    assert [c.outcome.index for c in of(commands, on.Observe) if isinstance(c, on.Observe)] == [1]


def test_a_fixed_order_shows_more_to_a_controller_that_waits() -> None:
    run = Run(program(order="fixed"), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run(on.Answer((), exhausted=False))
    commands = run.done(dice=0.5)
    assert [type(command) for command in commands if isinstance(command, on.Observe | on.Ask)] == [on.Observe, on.Ask]
    run(on.Answer((), exhausted=False))
    assert run.status() == "done"


def test_equal_scores_prefer_the_smaller_index() -> None:
    run = Run(program(), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run.answer()
    run.done(1, dice=0.5)
    run.answer()
    run.done(0, dice=0.5)
    assert run.state.jobs[run.state.best or ""].index == 0


def test_seeds_depend_on_the_key_only() -> None:
    assert job_seed(0, (1, 2)) == job_seed(0, (1, 2))
    assert len({job_seed(s, k) for s in range(3) for k in [(1, 2), (12,), (2, 1)]}) == 9
    assert 0 <= job_seed(7, (0,)) < 2**31


def test_a_controller_is_not_asked_ahead_while_agents_connect() -> None:
    run = Run(program(budget=ir.Budget(trials=20)), workers=("W1", "W2", "W3"))
    run.up("W1")
    assert of(run.up("W2"), on.Ask) == [on.Ask(1)]
    run.answer()
    for _ in range(5):
        assert of(run(on.Woke()), on.Ask) == []
    assert len(run.state.recommended) == 2
    assert len(of(run.up("W3"), on.StartAttempt)) == 2
