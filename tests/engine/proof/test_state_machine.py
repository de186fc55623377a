"""The core against a model that is a dozen lines long: what a job is, counted by hand."""

from __future__ import annotations

from dataclasses import dataclass

from core_run import Run, program
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from proof_scale import count, record

from automl_run.dsl import ir
from automl_run.engine.core import inputs as on
from automl_run.engine.core.causes import Cause
from automl_run.engine.wire import messages as wire

WORKERS = ("W1", "W2", "W3")


@dataclass
class Model:
    """A job: how its newest attempt was numbered, how often it was lost, how it ended."""

    fence: int
    lost: int = 0
    reports: int = 0
    best: float | None = None
    end: tuple[str, float | None] | None = None


class CoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.run = Run(program(budget=ir.Budget(trials=12)), workers=WORKERS)
        self.jobs: dict[str, Model] = {}
        for worker in WORKERS:
            self.run.up(worker)
        self.look()

    def look(self) -> None:
        """Takes over what was assigned, and answers the controller's question."""
        if self.run.state.asking:
            self.run.answer(min(3, 12 - len(self.run.state.recommended)) or 1)
        for name in self.run.state.running:
            job = self.run.state.jobs[name]
            known = self.jobs.setdefault(name, Model(job.fence))
            if known.fence != job.fence:
                assert job.fence == known.fence + 1, "attempts are numbered without a gap"
                known.fence, known.reports, known.best = job.fence, 0, None

    @property
    def live(self) -> bool:
        state = self.run.state
        return state.run == "running" and state.stopping is None and bool(state.running)

    def pick(self, number: int) -> tuple[str, int, str, Model]:
        name, fence, worker = self.run.job(number % len(self.run.state.running))
        return name, fence, worker, self.jobs[name]

    def lose(self, known: Model, cause: str) -> None:
        known.lost += 1
        if cause not in ("lost", "preempted", "gpu_error") or known.lost >= 3:
            known.end = ("failed", None)

    @precondition(lambda self: self.live)
    @rule(number=st.integers(0, 9), value=st.sampled_from([0.1, 0.5, 0.9]), twice=st.booleans())
    def report(self, number: int, value: float, twice: bool) -> None:
        name, fence, worker, known = self.pick(number)
        known.reports += 1
        known.best = value if known.best is None else max(known.best, value)
        for _ in range(1 + twice):
            self.run(on.Received(worker, wire.Metric(name, fence, known.reports, known.reports, {"dice": value})))
        self.look()

    @precondition(lambda self: self.live)
    @rule(number=st.integers(0, 9), value=st.one_of(st.none(), st.sampled_from([0.2, 0.6])), twice=st.booleans())
    def done(self, number: int, value: float | None, twice: bool) -> None:
        name, fence, worker, known = self.pick(number)
        if value is None and known.best is None:
            value = 0.3
        known.end = ("done", known.best if value is None else value)
        for _ in range(1 + twice):
            self.run(on.Received(worker, wire.Done(name, fence, known.reports + 1, {} if value is None else {"dice": value}, 1.0)))
        self.look()

    @precondition(lambda self: self.live)
    @rule(number=st.integers(0, 9), cause=st.sampled_from(["user_error", "gpu_error", "lost"]))
    def fail(self, number: int, cause: Cause) -> None:
        name, fence, worker, known = self.pick(number)
        self.lose(known, cause)
        self.run(on.Received(worker, wire.Failed(name, fence, known.reports + 1, cause, "m", 1, "", 1.0)))
        self.look()

    @precondition(lambda self: self.live)
    @rule(number=st.integers(0, 9))
    def agent_dies(self, number: int) -> None:
        _, _, worker, known = self.pick(number)
        self.lose(known, "lost")
        self.run(on.AgentLost(worker, "killed"))
        self.run.up(worker)
        self.look()

    @precondition(lambda self: self.live)
    @rule(number=st.integers(0, 9), back=st.integers(1, 3))
    def stale(self, number: int, back: int) -> None:
        """Words of an older attempt change nothing."""
        name, fence, worker, known = self.pick(number)
        self.run(on.Received(worker, wire.Done(name, fence - back, known.reports + 1, {"dice": 1.0}, 1.0)))

    @precondition(lambda self: self.run.status() == "running")
    @rule()
    def scheduler_dies(self) -> None:
        """All agents live, and connect with what they run."""
        running = dict.fromkeys(WORKERS, ()) | {
            self.run.state.jobs[name].worker: ((name, self.run.state.jobs[name].fence),) for name in self.run.state.running
        }
        self.run.begin(frozenset(WORKERS))
        for worker in WORKERS:
            self.run.up(worker, running[worker])
        self.look()

    @rule()
    def time_passes(self) -> None:
        self.run.now += 1.0
        self.run(on.Woke())
        self.look()

    @invariant()
    def the_table_is_the_models(self) -> None:
        for name, known in self.jobs.items():
            job = self.run.state.jobs[name]
            if known.end is None:
                # A study that stopped early may end what waits to be tried again.
                assert not job.ended or self.run.state.stopping is not None or self.run.status() != "running"
                continue
            state, score = known.end
            assert (job.state, job.scores) == (state, None if score is None else (score,)), name


EXAMPLES = count("PROOF_EXAMPLES", quick=15, proof=200, soak=5000)


def test_the_core_is_the_model() -> None:
    run_state_machine_as_test(CoreMachine, settings=settings(max_examples=EXAMPLES, stateful_step_count=50, deadline=None))
    record("state machine", examples=EXAMPLES, steps=50)
