"""Ends: of attempts, of jobs, of recommendations that have several, and of the study."""

from __future__ import annotations

from collections.abc import Mapping

from automl_run.dsl.evaluate import Undefined, unacceptable_because
from automl_run.dsl.evaluate import scores as scores_of
from automl_run.dsl.ir import Repeat
from automl_run.engine.wire import messages as wire

from . import causes, ending, facts, pruning, repetition
from . import inputs as on
from .decision import Decision
from .state import Job


class Ends(Decision):
    """Every job ends exactly once, and what it is part of with the last of them."""

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

    def stop_study(self, how: ending.How, reason: str) -> None:
        if self.state.stopping is None and self.state.run == "running":
            self.add(facts.Stopping(how, reason, self.now))
            self._stop_running("budget" if how == "done" else "abort")

    def _stop_running(self, why: causes.StopWhy) -> None:
        for name in self.state.running:
            job = self.state.jobs[name]
            if job.stop is None:
                self.add(facts.StopAsked(name, job.fence, why))
                self._send(job.worker, wire.Stop(name, job.fence, why))
