"""The pure core: examples of each decision, and any order of events against the invariants."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_run.dsl import ir
from automl_run.engine.controllers.base import Recommendation
from automl_run.engine.core import causes, facts
from automl_run.engine.core import inputs as on
from automl_run.engine.core.apply import apply, replay
from automl_run.engine.core.decide import decide, job_seed
from automl_run.engine.core.facts import AnyFact, NamedWorker
from automl_run.engine.core.inputs import Command, Input
from automl_run.engine.core.state import State, durable
from automl_run.engine.wire import messages as wire


def program(**study: object) -> ir.Program:
    objectives = study.pop("objectives", (ir.Objective("dice", "maximize"),))
    parts = {"name": "s", "target": ir.Spec("Python"), "objectives": objectives, **study}
    lr = ir.Param("lr", ir.Real(0.0, 1.0), ("lr",), (0.5,))
    return ir.Program(ir.Study(**parts), (lr,), ir.MapNode({"lr": ir.Read("lr")}), digest="d")  # type: ignore[arg-type]


@dataclass
class Run:
    """The core with a journal and a clock, as the shell has them."""

    program: ir.Program
    workers: tuple[str, ...] = ("W1",)
    state: State = field(default_factory=State)
    journal: list[AnyFact] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    now: float = 1000.0
    recommended: int = 0

    def __post_init__(self) -> None:
        self._take([facts.RunStarted("r", "d", self.program.to_bytes(), self.now)])
        self.begin()

    def begin(self, alive: frozenset[str] = frozenset()) -> list[Command]:
        self.state = durable(self.state)
        return self(on.Began(tuple(NamedWorker(name, (), 1) for name in self.workers), None, alive))

    def __call__(self, *inputs: Input) -> list[Command]:
        new: list[Command] = []
        for input in inputs:
            found, commands = decide(self.state, input, self.now)
            self._take(found)
            new += commands
        self.commands += new
        return new

    def _take(self, found: list[AnyFact]) -> None:
        for fact in found:
            self.state = apply(self.state, fact)
        self.journal += [fact for fact in found if not isinstance(fact, facts.Transient)]

    # -- agents and controller, answering at once --------------------------------------------------------------------------

    def up(self, worker: str = "W1", running: tuple[tuple[str, int], ...] = ()) -> list[Command]:
        return self(on.Received(worker, wire.Hello(1, 1, worker, "host", 1, (), running)))

    def answer(self, n: int = 1, exhausted: bool = False) -> list[Command]:
        first = self.recommended + 1
        self.recommended += n
        points = tuple(Recommendation(i, {"lr": i / 1000}, (i,)) for i in range(first, first + n))
        return self(on.Answer(points, exhausted))

    def job(self, number: int = -1) -> tuple[str, int, str]:
        """(name, fence, worker) of a running job."""
        job = self.state.jobs[self.state.running[number]]
        return job.name, job.fence, job.worker

    def seq(self, name: str) -> int:
        return self.state.jobs[name].seq + 1

    def done(self, number: int = -1, stopped: bool = False, **values: float) -> list[Command]:
        name, fence, worker = self.job(number)
        return self(on.Received(worker, wire.Done(name, fence, self.seq(name), values, 1.0, stopped)))

    def failed(self, cause: wire.Cause = "user_error", number: int = -1) -> list[Command]:
        name, fence, worker = self.job(number)
        message = wire.Failed(name, fence, self.seq(name), cause, f"because of {cause}", 1, "", 1.0)
        return self(on.Received(worker, message))

    def metric(self, number: int = -1, step: int = 1, **values: float) -> list[Command]:
        name, fence, worker = self.job(number)
        return self(on.Received(worker, wire.Metric(name, fence, self.seq(name), step, values)))

    def status(self) -> str:
        return self.state.run

    def ends(self) -> dict[str, str]:
        return {fact.job: fact.state for fact in self.journal if isinstance(fact, facts.Ended)}


def sent(commands: list[Command], kind: type[wire.Message]) -> list[wire.Message]:
    return [c.message for c in commands if isinstance(c, on.Send) and isinstance(c.message, kind)]


def of(commands: list[Command], kind: type[Command]) -> list[Command]:
    return [command for command in commands if isinstance(command, kind)]


# -- examples -----------------------------------------------------------------------------------------------------------------


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
def test_what_the_job_did_not_cause_is_tried_three_times(cause: wire.Cause) -> None:
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
    two: list[wire.Cause] = ["oom_gpu", "user_error"]
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
    assert run.state.reason == "none of 1 jobs ended with a score (W1_1_J1: because of user_error)"


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


# -- any order of events --------------------------------------------------------------------------------------------------------


class Chaos:
    """Agents that do anything their protocol allows, and some that it does not, in an order that a seed decides."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        budget = ir.Budget(
            trials=self.random.choice([3, 8]), patience=self.random.choice([None, 4]), time_s=self.random.choice([None, 50.0])
        )
        self.run = Run(
            program(budget=budget, baseline=self.random.random() < 0.7, order=self.random.choice(["arrival", "fixed"])),
            workers=("W1", "W2", "W3"),
        )
        self.said: list[tuple[str, wire.FromAgent]] = []
        self.asked = 0

    def step(self) -> None:
        run, pick = self.run, self.random.random()
        before = len(run.commands)
        worker = self.random.choice(run.workers)
        job = run.state.jobs[self.random.choice(run.state.running)] if run.state.running else None
        if pick < 0.15:
            running = ((job.name, job.fence),) if job is not None and job.worker == worker and self.random.random() < 0.8 else ()
            self.say(worker, wire.Hello(1, 1, worker, "h", 1, (), running))
        elif pick < 0.25:
            lost: list[Input] = [on.AgentLost(worker, "gone"), on.AgentCut(worker)]
            run(self.random.choice(lost))
        elif pick < 0.30 and self.said:
            self.say(*self.random.choice(self.said))
        elif pick < 0.35:
            run.now += self.random.random() * 10
            run(on.Woke())
        elif pick < 0.37:
            run(on.Interrupt())
        elif pick < 0.41:
            run.begin(frozenset(self.random.sample(run.workers, self.random.randint(0, 3))))
            self.asked = 0
        elif pick < 0.55 and self.asked:
            n = self.random.randint(0, self.asked)
            self.asked = 0
            run.answer(n, exhausted=self.random.random() < 0.05)
        elif job is not None:
            self.say(job.worker if self.random.random() < 0.95 else worker, self._about(job.name, job.fence, job.seq))
        for command in run.commands[before:]:
            if isinstance(command, on.Ask):
                assert self.asked == 0, "asked twice"
                self.asked = command.n

    def _about(self, name: str, fence: int, seq: int) -> wire.FromAgent:
        fence -= self.random.random() < 0.1
        seq += self.random.choice([1, 1, 1, 1, 1, 1, 2, 0])
        values = {"dice": self.random.choice([0.1, 0.5, 0.9, float("nan")])} if self.random.random() < 0.8 else {"loss": 1.0}
        cause: wire.Cause = self.random.choice(["lost", "user_error", "gpu_error", "timeout"])
        options: list[wire.FromAgent] = [
            wire.Accept(name, fence, 1),
            wire.Metric(name, fence, seq, seq, values),
            wire.Metric(name, fence, seq, seq, values),
            wire.Done(name, fence, seq, values, 1.0, self.random.random() < 0.3),
            wire.Failed(name, fence, seq, cause, "m", 1, "", 1.0),
        ]
        return self.random.choice(options)

    def say(self, worker: str, message: wire.FromAgent) -> None:
        self.said.append((worker, message))
        self.run(on.Received(worker, message))


def check_invariants(run: Run) -> None:
    ended: dict[str, facts.Ended] = {}
    fences: dict[str, int] = {}
    seqs: dict[tuple[str, int], int] = defaultdict(int)
    for fact in run.journal:
        name = getattr(fact, "job", None)
        assert name is None or name not in ended, "I2: a job ends once, and nothing follows"
        match fact:
            case facts.Assigned(job, _, _, _, fence):
                assert fence > fences.get(job, 0), "I3: fences strictly increase"
                fences[job] = fence
            case facts.Reported(job, fence, seq):
                assert fence == fences[job], "I3: only the newest attempt counts"
                assert seq == seqs[job, fence] + 1, "I5: no gap, no repetition"
                seqs[job, fence] = seq
            case facts.Ended(job, fence):
                assert fence == fences[job], "I3: the counted result has the newest fence"
                ended[job] = fact
    observed = [command.outcome.index for command in run.commands if isinstance(command, on.Observe)]
    if run.state.fixed_order:
        assert observed == [run.state.order[position] for position in range(run.state.shown)], "I8: each once, in their order"
    else:
        assert sorted(observed) == sorted(run.state.jobs[job].index for job in ended), "I8: each outcome once"
    decoder = msgspec.msgpack.Decoder(facts.Durable)
    stored = [decoder.decode(msgspec.msgpack.encode(fact)) for fact in run.journal]
    assert replay(stored) == durable(run.state), "I6: replay gives the durable state"
    busy = [worker.job for worker in run.state.workers if worker.job is not None]
    assert sorted(busy) == sorted(run.state.running), "a worker runs one job, a job runs on one worker"
    open_jobs = {job.name for job in run.state.jobs.values() if not job.ended}
    assert open_jobs == {*run.state.running, *run.state.retry}
    assert run.state.ended == len(ended)


@given(st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_any_order_of_events_keeps_the_invariants(seed: int) -> None:
    chaos = Chaos(seed)
    for _ in range(80):
        chaos.step()
    check_invariants(chaos.run)


@given(st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_whatever_happened_the_study_can_still_end(seed: int) -> None:
    chaos = Chaos(seed)
    for _ in range(60):
        chaos.step()
    run = chaos.run
    run.begin()
    asked = 0
    for _ in range(400):
        if run.status() != "running":
            break
        before = len(run.commands)
        for worker in run.state.workers:
            if not worker.up:
                run.up(worker.name)
        if run.state.running:
            run.done(0, dice=0.5, stopped=run.state.jobs[run.state.running[0]].stop is not None)
        for command in run.commands[before:]:
            asked = command.n if isinstance(command, on.Ask) else asked
        if run.state.asking:
            run.answer(max(asked, 1))
    assert run.status() in ("done", "failed")
    assert not run.state.running
    check_invariants(run)


def test_a_controller_is_not_asked_ahead_while_agents_connect() -> None:
    run = Run(program(budget=ir.Budget(trials=20)), workers=("W1", "W2", "W3"))
    run.up("W1")
    assert of(run.up("W2"), on.Ask) == [on.Ask(1)]
    run.answer()
    for _ in range(5):
        assert of(run(on.Woke()), on.Ask) == []
    assert len(run.state.recommended) == 2
    assert len(of(run.up("W3"), on.StartAttempt)) == 2
