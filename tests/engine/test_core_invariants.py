"""The pure core: any order of events against the invariants."""

from __future__ import annotations

import random
from collections import defaultdict

import msgspec
from core_run import Run, program
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_run.dsl import ir
from automl_run.engine.core import facts
from automl_run.engine.core import inputs as on
from automl_run.engine.core.apply import replay
from automl_run.engine.core.causes import Cause
from automl_run.engine.core.inputs import Input
from automl_run.engine.core.state import durable
from automl_run.engine.wire import messages as wire


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
        cause: Cause = self.random.choice(["lost", "user_error", "gpu_error", "timeout"])
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
