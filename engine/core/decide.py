"""`decide(state, input, now) -> (facts, each with the state after it, and commands)`: every decision of the scheduler, pure.

One tick of the shell is: decide, commit the facts, then carry out the commands. So nothing is sent that was not stored.
"""

from __future__ import annotations

import hashlib
import math
from typing import Final, assert_never

from automl_run.engine.controllers.base import Recommendation
from automl_run.engine.wire import messages as wire

from . import causes, ending, facts, pruning, repetition
from . import inputs as on
from .ends import Ends
from .facts import AnyFact
from .inputs import Command, Input
from .state import Job, State

#: How long the first assignment waits for all agents.
START_TOGETHER_S: Final = 10.0


def decide(state: State, input: Input, now: float) -> tuple[list[tuple[State, AnyFact]], list[Command]]:
    """What happened and what to do, given that `input` arrived at `now` (seconds since 1970). Does not change `state`.

    Each fact comes with the state that it is applied in.
    """
    decision = _Decision(state, now)
    match input:
        case on.Began():
            decision.begin(input)
        case on.Received(worker, message):
            decision.receive(worker, message)
        case on.AgentCut(worker):
            if state.worker(worker) is not None:
                decision.add(facts.WorkerDown(worker))
        case on.AgentLost(worker, reason):
            decision.lose_agent(worker, reason)
        case on.AgentBroken(worker, reason):
            decision.lose_agent(worker, reason, for_good=True)
        case on.Answer(recommendations, exhausted):
            decision.answer(recommendations, exhausted)
        case on.ControllerFailed(message):
            if state.lost is None:
                decision.add(facts.ControllerLost(f"the controller failed: {message}"))
        case on.StopWork(reason):
            decision.stop_study("failed" if state.best is None and state.objectives else "done", reason)
        case on.CannotRun():
            decision.cannot_run(input)
        case on.Found(found):
            decision.found(found)
        case on.Suspend() | on.ResumeWorker() | on.AbortJob():
            decision.operate(input)
        case on.Interrupt():
            decision.interrupt()
        case on.Held(reason):
            decision.add(facts.Held(reason))
        case on.Woke():
            pass
        case _:
            assert_never(input)
    decision.go_on()
    return decision.told, decision.commands


def job_seed(study_seed: int, key: tuple[int, ...]) -> int:
    """31 bits that depend on the study's seed and the recommendation's key only."""
    text = ":".join(str(part) for part in (study_seed, *key))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFF_FFFF


class _Decision(Ends):
    """One input."""

    # -- beginning and end of a scheduler --------------------------------------------------------------------------------

    def begin(self, began: on.Began) -> None:
        ended = {(message.job, message.fence) for message in began.found}
        over = []
        # The last sign of life: nobody worked after it.
        alive_at = max(self.state.last_at, min(began.seen_at or 0.0, self.now))
        for name in self.state.running:
            job = self.state.jobs[name]
            if (job.worker in began.alive and job.stop is None) or (job.name, job.fence) in ended:
                continue
            if job.stop in causes.FINAL:
                over.append(name)
                continue
            self.add(facts.AttemptEnded(name, job.fence, job.seq, "lost", "the scheduler ended", counted=False, at=alive_at))
        if tuple(facts.NamedWorker(w.name, w.gpus, w.threads) for w in self.state.workers) != began.workers:
            self.add(facts.WorkersSet(began.workers))
        if began.trials is not None and began.trials != self.state.trials:
            self.add(facts.TrialsSet(began.trials))
        if began.budget is not None and self.state.program is not None and began.budget != self.state.program.study.budget:
            self.add(facts.BudgetSet(began.budget))
        self.add(facts.EpochStarted(self.state.epoch + 1, self.now))
        for message in began.found:
            self.found(message)
        for name in over:
            job = self.state.jobs[name]
            text = job.stop_reason or "an operator aborted it"
            self.ended_at = max(alive_at, job.assigned_at)
            self._fail(job, job.seq, "lost", text, None, "", self.ended_at - job.assigned_at)
        self.ended_at = None
        verdict = ending.after_job(self.state)
        if verdict is not None:
            self.stop_study(*verdict)
        self.go_on()
        if self.state.run == "running":
            self.commands += [on.StartAgent(worker.name) for worker in self.state.workers]

    def interrupt(self) -> None:
        if self.state.run != "running":
            return
        self.add(facts.Interrupted(self.now))
        self._stop_running("drain")

    def operate(self, wish: on.Suspend | on.ResumeWorker | on.AbortJob) -> None:
        """What an operator wants; a wish that came too late changes nothing."""
        match wish:
            case on.Suspend(worker):
                known = self.state.worker(worker)
                if known is not None and known.suspended_at is None:
                    self.add(facts.Suspended(worker, self.now))
            case on.ResumeWorker(worker):
                known = self.state.worker(worker)
                if known is not None and known.suspended_at is not None:
                    self.add(facts.Unsuspended(worker, self.now))
            case on.AbortJob(name):
                self._abort(name)

    def _abort(self, name: str) -> None:
        job = self.state.jobs.get(name)
        if job is None or job.ended:
            return
        if job.state == "waiting":
            self._end(job, job.seq, "stopped", None, job.best, "operator", "an operator aborted it", job.seconds)
        elif job.stop is None:
            self.add(facts.StopAsked(name, job.fence, "operator"))
            self._send(job.worker, wire.Stop(name, job.fence, "operator"))

    # -- what agents say -------------------------------------------------------------------------------------------------

    def receive(self, worker: str, message: wire.FromAgent) -> None:
        match message:
            case wire.Hello():
                self._hello(worker, message)
            case wire.Accept(job, fence, pid):
                if self._current(worker, job, fence) is None:
                    self._supersede(worker, job, fence)
                elif not self.state.jobs[job].accepted:
                    self.add(facts.Accepted(job, fence, pid))
            case wire.Metric() | wire.Done() | wire.Failed():
                self._about_attempt(worker, message)
            case wire.Quarantine(reason):
                self.lose_agent(worker, reason, for_good=True)
            case wire.Progress() | wire.Pong() | wire.Bye():
                pass
            case _:
                assert_never(message)

    def _hello(self, worker: str, hello: wire.Hello) -> None:
        self.add(facts.WorkerUp(worker, hello.pid))
        self._send(worker, wire.Welcome(wire.PROTOCOL, self.state.epoch, self.state.run_id))
        alive = set(hello.running)
        for job, fence in hello.running:
            if self._current(worker, job, fence) is None:
                self._supersede(worker, job, fence)
        known = self.state.worker(worker)
        if known is not None and known.job is not None:
            current = self.state.jobs[known.job]
            if (current.name, current.fence) not in alive:
                self._fail(current, current.seq, "lost", "its agent does not know it any more", None, "", self._age(current))
            elif current.stop is not None:
                # The first time may have been said to a connection that was gone, or never made.
                self._send(worker, wire.Stop(current.name, current.fence, current.stop))

    def _about_attempt(self, worker: str, message: wire.Metric | wire.Done | wire.Failed) -> None:
        known = self.state.jobs.get(message.job)
        if known is not None and known.fence == message.fence and known.worker == worker and message.seq <= known.seq:
            # A repetition, also of the message that ended the attempt.
            self._send(worker, wire.Ack(message.job, message.fence, known.seq))
            return
        job = self._current(worker, message.job, message.fence)
        if job is None:
            self._supersede(worker, message.job, message.fence)
            return
        if message.seq != job.seq + 1:
            self.commands.append(on.Drop(worker, f"message {message.seq} of {job.name} came after {job.seq}"))
            return
        values = {} if isinstance(message, wire.Failed) else message.values
        infinite = sorted(name for name, value in values.items() if not math.isfinite(value))
        if infinite:
            # The job side promises finite values; whatever runs there instead gets a failure, not a score.
            self._end(job, message.seq, "failed", None, job.best, "diverged", f"`{infinite[0]}` is not finite", self._age(job))
            if isinstance(message, wire.Metric):
                self._send(worker, wire.Superseded(job.name, job.fence))
            else:
                self._send(worker, wire.Reject("not_finite", job.name, job.fence))
            return
        match message:
            case wire.Metric(name, fence, seq, step, reported):
                self.add(facts.Reported(name, fence, seq, step, reported))
                self._prune(job)
            case wire.Done():
                self._done(job, message)
            case wire.Failed(_, _, seq, cause, text, code, tail, seconds):
                self._fail(job, seq, cause, text, code, tail, seconds)
        self._send(worker, wire.Ack(message.job, message.fence, message.seq))

    def _prune(self, before: Job) -> None:
        """Stops a job that has just reported where its pruner says so. The request goes out before the report is acknowledged."""
        job = self.state.jobs[before.name]
        reason = pruning.verdict(self.state, job) if job.curve is not before.curve and job.stop is None else None
        if reason is not None:
            self.add(facts.StopAsked(job.name, job.fence, "pruned", reason))
            self._send(job.worker, wire.Stop(job.name, job.fence, "pruned"))

    def _current(self, worker: str, name: str, fence: int) -> Job | None:
        """The job, iff this attempt of it is the newest, runs, and runs there."""
        job = self.state.jobs.get(name)
        if job is None or job.state != "running" or job.fence != fence or job.worker != worker:
            return None
        return job

    def _supersede(self, worker: str, job: str, fence: int) -> None:
        self._send(worker, wire.Superseded(job, fence))

    def found(self, message: wire.Done | wire.Failed) -> None:
        """The end of an attempt as the disk has it: counted as if it had been heard."""
        job = self.state.jobs.get(message.job)
        if job is None or job.state != "running" or job.fence != message.fence:
            return
        # It may have lain there for a night in which nobody worked.
        self.ended_at = min(self.now, job.assigned_at + message.seconds)
        values = message.values if isinstance(message, wire.Done) else {}
        infinite = sorted(name for name, value in values.items() if not math.isfinite(value))
        if infinite:
            self._end(job, message.seq, "failed", None, job.best, "diverged", f"`{infinite[0]}` is not finite", message.seconds)
        elif isinstance(message, wire.Done):
            self._done(job, message)
        else:
            self._fail(job, message.seq, message.cause, message.message, message.code, message.tail, message.seconds)
        self.ended_at = None

    def cannot_run(self, input: on.CannotRun) -> None:
        job = self.state.jobs.get(input.job)
        if job is None or job.ended or job.fence != input.fence:
            return
        self._end(job, job.seq, input.state, None, job.best, input.cause, input.message, self._age(job))

    def lose_agent(self, worker: str, reason: str, *, for_good: bool = False) -> None:
        known = self.state.worker(worker)
        if known is None:
            return
        self.add(facts.WorkerBroken(worker, reason) if for_good else facts.WorkerDown(worker))
        if known.job is not None:
            job = self.state.jobs[known.job]
            self._fail(job, job.seq, "lost", f"its agent was lost: {reason}", None, "", self._age(job))
        if for_good:
            if all(w.broken for w in self.state.workers):
                self.stop_study("failed", f"no worker can be started: {reason}")
        elif self.state.run == "running" and self.state.stopping is None:
            self.commands.append(on.StartAgent(worker))

    # -- what to do next -------------------------------------------------------------------------------------------------

    def answer(self, recommendations: tuple[Recommendation, ...], exhausted: bool) -> None:
        self.add(facts.Answered(more=bool(recommendations), exhausted=exhausted))
        for new in recommendations:
            if new.index in self.state.recommended:
                self.stop_study("failed", f"the controller recommended number {new.index} twice")
                return
            self.add(facts.Recommended(new.index, None if new.point is None else dict(new.point), new.seed_key))

    def go_on(self) -> None:
        """Ends the run, or fills free workers and asks for what is missing."""
        state = self.state
        if state.run != "running" or state.program is None:
            return
        study = state.program.study
        spent = ending.spent(state, self.now)
        if state.stopping is None and spent is not None:
            self.stop_study("done", spent)
        for name in self.state.retry:
            self._abandon(name)
        if self.state.stopping is not None:
            for name in self.state.retry:
                job = self.state.jobs[name]
                if job.ended:
                    continue  # with another repetition of its recommendation
                self._end(
                    job, job.seq, "stopped", None, job.best, "budget", "the study ended before it was tried again", job.seconds
                )
            self._stop_running("budget" if self.state.stopping[0] == "done" else "abort")
            if not self.state.running:
                self._finish(*self.state.stopping)
            return
        room = ending.room(self.state)
        if study.baseline and 0 not in self.state.recommended and room != 0:
            self.add(facts.Recommended(0, None, (0,)))
        self._assign()
        self._ask_or_finish()

    def _ask_or_finish(self) -> None:
        state = self.state
        room = ending.room(state)
        hopeless = state.controller_waits and (not state.fixed_order or state.shown == len(state.order))
        # What was recommended and waits, for the other agents to connect for example, is for these workers already: a controller
        # that is asked early answers without the outcomes that it could have had.
        free = sum(worker.free(self.now) for worker in state.workers) - len(state.waiting) - len(state.retry)
        if state.held is not None:
            free = 0
        if state.lost is not None:
            # Hours of training may be in what runs: it goes on to its end. What waits is there for a resume.
            if not state.running and not state.retry:
                self._finish("failed", state.lost)
            return
        if state.asking:
            return
        if state.exhausted or hopeless or room == 0:
            if not state.running and not state.retry and not state.waiting:
                self._finish(*ending.at_the_end(state))
        elif free > 0 and (not state.fixed_order or self._show()):
            self.add(facts.Asking())
            n = 1 if state.fixed_order else math.ceil(free / repetition.count(state.repeat))
            self.commands.append(on.Ask(n if room is None else min(n, room)))

    def _show(self) -> bool:
        """Shows the controller what its next recommendation, number k, may depend on; False while that has not ended.

        Those are the outcomes up to number k - W with W workers, and further ones, one by one, while it cannot go on without.
        """
        state = self.state
        k = len(state.order)
        count = min(k, max(k - len(state.workers) + 1, state.shown + state.controller_waits))
        due = [state.order[position] for position in range(state.shown, count)]
        if any(state.recommended[index].verdict is None for index in due):
            return False
        if due:
            self.add(facts.Shown(count))
            self.commands += [on.Observe(ending.outcome(state, index)) for index in due]
        return True

    def _finish(self, how: ending.How, reason: str) -> None:
        self.add(facts.RunEnded(how, reason, self.now))

    def _assign(self) -> None:
        if self.state.held is not None:
            return
        awaited = any(not worker.up and worker.broken is None for worker in self.state.workers)
        if awaited and not self.state.jobs and self.state.elapsed(self.now) < START_TOGETHER_S:
            return  # the first jobs go to W1, W2, ... in this order, whichever agent is quicker to connect
        for worker in self.state.workers:
            if not worker.free(self.now):
                continue
            if self.state.retry:
                job = self.state.jobs[self.state.retry[0]]
                self._start(job.name, job.number, job.index, worker.name, job.fence + 1, job.seed, job.repetition)
            elif self.state.waiting and self.state.lost is None:
                index = self.state.waiting[0]
                number = len(self.state.jobs) + 1
                name = f"{worker.name}_{worker.jobs + 1}_J{number}"
                known = self.state.recommended[index]
                which = len(known.jobs)
                key = repetition.seed_key(self.state.repeat, known.seed_key, which)
                seed = key if isinstance(key, int) else job_seed(self._study_seed, key)
                self._start(name, number, index, worker.name, 1, seed, which)

    @property
    def _study_seed(self) -> int:
        return self.state.program.study.seed if self.state.program else 0

    def _start(self, name: str, number: int, index: int, worker: str, fence: int, seed: int, which: int) -> None:
        self.add(facts.Assigned(name, number, index, worker, fence, seed, self.now, which))
        self.commands.append(on.StartAttempt(worker, name, fence))
