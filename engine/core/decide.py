"""`decide(state, input, now) -> (facts, each with the state after it, and commands)`: every decision of the scheduler, pure.

One tick of the shell is: decide, commit the facts, then carry out the commands. So nothing is sent that was not stored.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Final, assert_never

from automl_run.dsl.evaluate import Undefined, unacceptable_because
from automl_run.dsl.evaluate import scores as scores_of
from automl_run.dsl.ir import Repeat
from automl_run.engine.controllers.base import Recommendation
from automl_run.engine.wire import messages as wire

from . import causes, ending, facts, pruning, repetition
from . import inputs as on
from .apply import apply
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


class _Decision:
    """Facts and commands so far; `state` has the facts applied already."""

    def __init__(self, state: State, now: float) -> None:
        self.state = state
        self.now = now
        #: when the attempt had ended that is told of later
        self.ended_at: float | None = None
        self.told: list[tuple[State, AnyFact]] = []
        self.commands: list[Command] = []

    def add(self, fact: AnyFact) -> None:
        self.state = apply(self.state, fact)
        self.told.append((self.state, fact))

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

    def stop_study(self, how: ending.How, reason: str) -> None:
        if self.state.stopping is None and self.state.run == "running":
            self.add(facts.Stopping(how, reason, self.now))
            self._stop_running("budget" if how == "done" else "abort")

    def _stop_running(self, why: causes.StopWhy) -> None:
        for name in self.state.running:
            job = self.state.jobs[name]
            if job.stop is None:
                self.add(facts.StopAsked(name, job.fence, why))
                self.commands.append(on.Send(job.worker, wire.Stop(name, job.fence, why)))

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

    def _send(self, worker: str, message: wire.ToAgent) -> None:
        self.commands.append(on.Send(worker, message))

    def _age(self, job: Job) -> float:
        return max(0.0, self.now - job.assigned_at)

    # -- ends of attempts and jobs ---------------------------------------------------------------------------------------

    def _done(self, job: Job, message: wire.Done) -> None:
        if message.stopped and job.stop == "drain":
            self._void(job, message.seq, "preempted", "the run was interrupted", counted=False)
            return
        if message.stopped and job.stop is None:
            # Nobody here asked: its agent was told to end, by a batch system for example.
            self._fail(job, message.seq, "preempted", "its worker was told to end", None, "", message.seconds)
            return
        values = {**job.best, **message.values}
        judged = {"seconds": message.seconds, **values}
        missing = [name for name in self.state.metrics if name not in judged]
        scores, wrong = (None, "") if missing else self._judge(job, judged)
        if message.stopped:
            scores = pruning.scores(job) if job.stop == "pruned" else scores
            text = wrong or job.stop_reason
            self._end(job, message.seq, "stopped", None if wrong else scores, values, job.stop, text, message.seconds)
        elif missing:
            text = f"never reported `{missing[0]}`; it reported {self._reported(values, missing[0])}"
            first = not self.state.objectives_seen
            self._end(job, message.seq, "failed", None, values, "user_error", f"it {text}", message.seconds, 0)
            if first:
                self.stop_study("failed", f"{job.name} {text}")
        elif scores is None:
            self._end(job, message.seq, "failed", None, values, "user_error", wrong, message.seconds, 0)
        elif wrong:
            self._end(job, message.seq, "infeasible", None, values, "infeasible", wrong, message.seconds)
        else:
            self._end(job, message.seq, "done", scores, values, None, "", message.seconds)

    def _reported(self, values: Mapping[str, float], missing: str) -> str:
        """The names of `values`; instead of none, how `missing` can be reported."""
        target = None if self.state.program is None else self.state.program.study.target
        if values:
            return ", ".join(f"`{name}`" for name in sorted(values))
        if target is None or target.name not in causes.HOW_TO_REPORT:
            return "nothing"
        # A pattern for it is there, so its author knows the other ways.
        patterns = target.args.get("metrics")
        if isinstance(patterns, dict) and missing in patterns:
            return f"nothing: no line that it printed has what `metrics` looks for, `{patterns[missing]}`"
        return f"nothing: {causes.HOW_TO_REPORT[target.name].format(missing)}"

    def _judge(self, job: Job, values: Mapping[str, float]) -> tuple[tuple[float, ...] | None, str]:
        """The scores of `values`, and what makes them unacceptable; no scores where an expression has no value."""
        program = self.state.program
        if program is None:
            return (), ""
        point = self.state.recommended[job.index].point
        try:
            return scores_of(program, point, values), unacceptable_because(program, point, values) or ""
        except Undefined as undefined:
            return None, str(undefined)

    def _fail(self, job: Job, seq: int, cause: str, text: str, code: int | None, tail: str, seconds: float) -> None:
        """A failed attempt: void if it was interrupted, a stopped job if it was to stop, else tried again or a failure."""
        is_final = job.stop in causes.FINAL
        if self.state.draining and not is_final and (job.stop in ("drain", "abort") or cause in ("lost", "preempted")):
            self._void(job, seq, "preempted", "the run was interrupted", counted=False)
        elif job.stop is not None:
            judged = {"seconds": seconds, **job.best}
            known = all(name in judged for name in self.state.metrics)
            scores, wrong = self._judge(job, judged) if known else (None, "")
            scores = pruning.scores(job) if job.stop == "pruned" else scores
            text = job.stop_reason or text
            self._end(job, seq, "stopped", None if wrong else scores, job.best, job.stop, text, seconds)
        elif cause in causes.RETRIED and job.lost + 1 < causes.MAX_ATTEMPTS:
            if cause == "preempted":
                self.add(facts.WorkerRests(job.worker, self.now + causes.REST_S))
            self._void(job, seq, cause, text, counted=True)
        else:
            self._end(job, seq, "failed", None, job.best, cause, text, seconds, code, tail)

    def _attempt_end(self) -> float:
        return self.now if self.ended_at is None else self.ended_at

    def _void(self, job: Job, seq: int, cause: str, text: str, *, counted: bool) -> None:
        self.add(facts.AttemptEnded(job.name, job.fence, seq, cause, text, counted, self._attempt_end()))

    def _end(
        self,
        job: Job,
        seq: int,
        state: facts.EndState,
        scores: tuple[float, ...] | None,
        values: Mapping[str, float],
        cause: str | None,
        text: str,
        seconds: float,
        code: int | None = None,
        tail: str = "",
    ) -> None:
        at = self._attempt_end()
        self.add(facts.Ended(job.name, job.fence, seq, state, scores, dict(values), cause, text, code, tail, seconds, at))
        if self.state.repeat is None:
            self._concluded(job.index)
        else:
            self._end_repetition(self.state.repeat, self.state.jobs[job.name])

    def _end_repetition(self, repeat: Repeat, job: Job) -> None:
        """One repetition more has ended: it may decide its recommendation, be the last of it, or neither."""
        if self.state.recommended[job.index].cut is None:
            cut = repetition.cut(self.state, repeat, job)
            if cut is not None:
                self.add(facts.Cut(job.index, *cut, self.now))
                for name in (*self.state.running, *self.state.retry):
                    self._abandon(name)
        known = self.state.recommended[job.index]
        jobs = [self.state.jobs[name] for name in known.jobs]
        if known.verdict is not None or not all(job.ended for job in jobs):
            return
        if known.cut is not None or len(jobs) == repetition.count(repeat):
            verdict = repetition.verdict(self.state, repeat, known)
            self.add(
                facts.Concluded(
                    job.index, verdict.state, verdict.scores, verdict.cause, verdict.message, verdict.job, self.now
                )
            )  # fmt: skip
            self._concluded(job.index)

    def _abandon(self, name: str) -> None:
        """Ends a repetition whose recommendation is decided without it."""
        job = self.state.jobs[name]
        if job.ended or self.state.recommended[job.index].cut is None:
            return
        if job.state == "waiting":
            text = "its recommendation was decided before it was tried again"
            self._end(job, job.seq, "stopped", None, job.best, "abandoned", text, job.seconds)
        elif job.stop is None:
            self.add(facts.StopAsked(name, job.fence, "abandoned"))
            self._send(job.worker, wire.Stop(name, job.fence, "abandoned"))

    def _concluded(self, index: int) -> None:
        if not self.state.fixed_order:
            self.commands.append(on.Observe(ending.outcome(self.state, index)))
        verdict = ending.after_job(self.state)
        if verdict is not None:
            self.stop_study(*verdict)

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
