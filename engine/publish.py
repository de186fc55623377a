"""From stored facts to what people see: events, the trace, summary.json, best/, and which job folders are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from automl_run.dsl.ir import Value

from . import events
from .core import facts, pruning, repetition
from .core.facts import AnyFact
from .core.state import Job, State
from .events import Event, Observer
from .files import SUMMARY, WITH_WEIGHTS
from .retention import Retention, forget_checkpoints
from .run_folder import RunFolder
from .summary import as_json, best_of, job_scores, params_of, repetition_text, summarize
from .trace import Trace
from .wire.messages import Progress


class Publisher:
    """Called with every fact after its commit, in order. Never raises for what an observer or a full disk does."""

    def __init__(self, folder: RunFolder, trace: Trace, observer: Observer, clock: Callable[[], float]) -> None:
        self._folder = folder
        self.trace = trace
        self._observer: Observer | None = observer
        self._clock = clock
        self._params: dict[int, dict[str, Value]] = {}
        self._retention = Retention(folder.path)
        self._noted_silence = False

    @property
    def root(self) -> Path:
        """The run's folder."""
        return self._folder.path

    def params(self, state: State, index: int) -> dict[str, Value]:
        if index not in self._params:
            self._params[index] = params_of(state, index)
        return self._params[index]

    def summary(self, state: State, *, live: bool) -> dict[str, Any]:
        return as_json(summarize(state, self._folder.path, self._clock() if live else None, live=live))

    def write_summary(self, state: State) -> dict[str, Any]:
        summary = self.summary(state, live=False)
        self._folder.write_json(SUMMARY, summary)
        return summary

    def restore(self, state: State) -> None:
        """Brings best/ and the job folders up to what the journal says: a scheduler may have been killed between the two."""
        job = state.jobs[state.best] if state.best is not None else None
        if job is not None and self._folder.best_job() != job.name and self._folder.job(job.name).is_dir():
            self._set_best(state, job)
        self._retention.restore(state)

    def _set_best(self, state: State, job: Job) -> None:
        best = best_of(state, self._folder.path)
        if best is None:
            return
        try:
            self._folder.set_best(job.name, job.fence, as_json(best))
        except OSError as error:
            self.warn(f"best/ cannot be written: {error}")

    # -- events ----------------------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        self.trace.event(event, self._clock())
        if self._observer is not None:
            observer = self._observer
            try:
                observer(event)
            except Exception as error:
                self._observer = None
                self.warn(f"the observer failed and is switched off: {type(error).__name__}: {error}")

    def warn(self, message: str) -> None:
        self.tell(events.Warned(message))

    def note(self, message: str) -> None:
        """Worth a line in the trace only."""
        self._trace_only(events.Warned(message))

    def _trace_only(self, event: Event) -> None:
        self.trace.event(event, self._clock())

    def progress(self, state: State, message: Progress) -> None:
        job = state.jobs.get(message.job)
        if job is not None and job.fence == message.fence and self._observer is not None:
            self.tell(events.Progressed(message.job, message.text, message.fraction))

    def fact(self, state: State, fact: AnyFact, now: float) -> None:
        """`state`: with `fact` applied."""
        self.trace.engine("fact", fact, now)
        match fact:
            case facts.EpochStarted():
                workers = tuple((worker.name, worker.gpus) for worker in state.workers)
                objectives = tuple((o.metric, o.direction) for o in state.objectives)
                folder = str(self._folder.path)
                jobs = None if state.trials is None else state.trials * repetition.count(state.repeat)
                self.tell(events.RunStarted(state.run_id, folder, workers, objectives, jobs, state.ended))
                for worker in state.workers:
                    if worker.suspended_at is not None:
                        how = f"automl-run resume-worker {folder} {worker.name}"
                        self.warn(f"{worker.name} is suspended since an earlier time, and gets no jobs; to change that: {how}")
            case facts.Suspended(name):
                self.tell(events.WorkerChanged(name, "suspended"))
            case facts.Unsuspended(name):
                self.tell(events.WorkerChanged(name, "resumed"))
            case facts.WorkerUp(name):
                self._trace_only(events.WorkerChanged(name, "up"))
            case facts.WorkerDown(name):
                self._trace_only(events.WorkerChanged(name, "down"))
            case facts.Assigned(name, _, index, worker, fence):
                job = state.jobs[name]
                which = repetition_text(state, job)
                self.tell(events.JobStarted(name, index, worker, job.gpus, self.params(state, index), fence, which))
            case facts.Reported(name, _, _, step, values):
                self.tell(events.MetricReported(name, step, values))
            case facts.AttemptEnded(name, fence, _, cause, message):
                self.tell(events.JobRetried(name, fence, cause, message))
            case facts.Ended():
                self._ended(state, fact)
            case facts.Concluded():
                self._concluded(state, fact)
            case facts.WorkerBroken(_, reason):
                self.warn(reason)
            case facts.Held(why):
                self.warn(why or "the disk has room again: jobs are started")
            case facts.RunEnded(how, reason):
                self.tell(events.RunEnded(how, reason))
            case _:
                pass

    def _ended(self, state: State, fact: facts.Ended) -> None:
        job = state.jobs[fact.job]
        is_best = state.best == fact.job and state.repeat is None
        if is_best:
            self._set_best(state, job)
        scores = job_scores(state, job)
        score = job.scores[0] if job.scores else None
        which = repetition_text(state, job)
        self.tell(
            events.JobEnded(
                job.name, job.index, fact.state, fact.cause, fact.message, score, scores, fact.seconds, is_best, which
            )
        )  # fmt: skip
        if fact.state == "done":
            self._note_silence(state, job)
        if (fact.state == "done" or fact.cause == "pruned") and self._has_own_checkpoints(state):
            forget_checkpoints(self._folder.job(job.name))
        if state.repeat is None:
            self._retention.ended(state, job.index)

    def _note_silence(self, state: State, job: Job) -> None:
        """A pruner that has nothing to go by is no mistake, but hardly what was meant."""
        if self._noted_silence or job.curve or not pruning.is_judged(state, job):
            return
        self._noted_silence = True
        self.warn(
            f"{job.name} never reported `{state.objectives[0].metric}` on its way: a pruner stops only jobs that do; "
            "see docs/pruning.md"
        )

    def _has_own_checkpoints(self, state: State) -> bool:
        """Whether the engine wrote them, and not code of the user's, who may want them."""
        target = state.program.study.target if state.program else None
        return target is not None and target.name in WITH_WEIGHTS

    def _concluded(self, state: State, fact: facts.Concluded) -> None:
        """A recommendation with several jobs has ended."""
        job = state.jobs[fact.model]
        is_best = state.best == fact.model
        if is_best:
            self._set_best(state, job)
        known = state.recommended[fact.index]
        each = tuple(job.scores[0] if job.scores else None for job in (state.jobs[name] for name in known.jobs))
        scores = job_scores(state, known.verdict) if known.verdict is not None else {}
        score = fact.scores[0] if fact.scores else None
        self.tell(
            events.RecommendationEnded(fact.index, job.name, fact.state, fact.cause, fact.message, score, scores, each, is_best)
        )
        self._retention.ended(state, fact.index)
