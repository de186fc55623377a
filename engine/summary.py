"""The summary of a run, `summary.json`: what programs, `show` and the reports read.

Unknown keys are left alone and most fields have defaults, so that a reader shows newer and older runs.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from automl_run.dsl.evaluate import Undefined, target_values
from automl_run.dsl.ir import Value
from automl_run.errors import InputError

from .core import repetition
from .core.state import Job as StudyJob
from .core.state import Recommended, State, Verdict, WorkerState, better
from .files import BEST, WEIGHTS, WITH_WEIGHTS


class ObjectiveEntry(msgspec.Struct, frozen=True):
    name: str
    direction: Literal["maximize", "minimize"] = "maximize"


class Repeated(msgspec.Struct, frozen=True):
    """What a score is one number of: the `how` (mean, median, min) of `jobs`. `scores`: those of the one job that has the model."""

    how: str
    jobs: list[str]
    scores: dict[str, float] = {}


class Best(msgspec.Struct, frozen=True):
    """What `best.json` says. `path`: the folder of the best model; `weights`: the file in it that the scores are of, "" where
    the job's own code says what it keeps. `repeated`: only where a recommendation has several jobs. `pruned`: stopped by a pruner,
    for want of any that was done: the scores are the last ones, the weights those of its best validation.
    """

    job: str
    index: int = 0
    score: float | None = None
    scores: dict[str, float] = {}
    params: dict[str, Value] = {}
    seed: int = 0
    path: str = ""
    weights: str = ""
    repeated: Repeated | None = None
    pruned: bool = False


class Span(msgspec.Struct, frozen=True):
    """One attempt of `job`, from `start` to `end` in seconds since 1970, None: it runs. `how`: a state, or why it runs again."""

    job: str
    attempt: int
    worker: str
    start: float
    end: float | None = None
    how: str = "running"


class Worker(msgspec.Struct, frozen=True):
    """`state`: off (no scheduler lives), starting, idle, busy, suspended, broken. `jobs`: how many it had; `job`: what it runs.

    `suspensions`: (from, to) in seconds since 1970, to None while it lasts.
    """

    name: str
    gpus: list[int] = []
    state: str = "off"
    job: str | None = None
    jobs: int = 0
    timeline: list[Span] = []
    suspensions: list[tuple[float, float | None]] = []


class Job(msgspec.Struct, frozen=True):
    """`score`: of the first objective, None without one; `scores`: of every objective, {} without.

    `params`: target path -> value, active parameters only. `attempts`: how often it was started. `step`, `reported`: its newest
    report, and the best values of the metrics so far. `worker`: of the newest attempt; `start`, `end`: seconds since 1970.
    """

    name: str
    index: int
    state: str
    cause: str | None = None
    message: str = ""
    score: float | None = None
    scores: dict[str, float] = {}
    params: dict[str, Value] = {}
    seconds: float | None = None
    gpus: list[int] = []
    seed: int = 0
    attempts: int = 1
    step: int | None = None
    reported: dict[str, float] = {}
    worker: str = ""
    start: float | None = None
    end: float | None = None
    timeline: list[Span] = []
    #: of a recommendation that is repeated: which repetition this is, from 0, and its fold, from 0
    repetition: int | None = None
    fold: int | None = None

    @property
    def is_baseline(self) -> bool:
        return self.index == 0


class Recommendation(Job, frozen=True):
    """A recommendation that is repeated, as one row: `name` is the job that stands for it, `score` what `each` come to.

    `jobs`: its jobs that have started; `each`: their scores; `spread`: the standard deviation of those, None for fewer than two.
    """

    jobs: list[str] = []
    each: list[float | None] = []
    spread: float | None = None


class Summary(msgspec.Struct, frozen=True):
    """A run. `jobs` in the order of their index. `keep`: how many folders of jobs stay, None for all.

    `gpu_hours`: of all attempts, for each the GPUs of its worker times how long it had them. `recommendations`: only where each has
    several jobs; `best` is one of these then, with the job that stands for it.
    """

    run_id: str
    state: str
    reason: str = ""
    digest: str = ""
    objectives: list[ObjectiveEntry] = []
    best: Best | None = None
    jobs: list[Job] = []
    seconds: float | None = None
    gpu_hours: float = 0.0
    workers: list[Worker] = []
    keep: int | None = None
    recommendations: list[Recommendation] = []

    @property
    def rows(self) -> Sequence[Job]:
        """One for each recommendation that has been tried."""
        return self.recommendations or self.jobs

    @property
    def objective(self) -> ObjectiveEntry:
        """The first objective; a run that never learnt its own has a nameless one."""
        return self.objectives[0] if self.objectives else ObjectiveEntry("score")

    @property
    def baseline(self) -> Job | None:
        return next((row for row in self.rows if row.is_baseline), None)

    @property
    def paths(self) -> list[str]:
        """The target paths of all jobs, in the order in which they first appear."""
        return list(dict.fromkeys(path for job in self.jobs for path in job.params))

    def better(self, a: float, b: float) -> bool:
        return better(a, b, self.objective.direction)


def read_summary(data: Mapping[str, object]) -> Summary:
    """InputError for a document that is not a run's summary."""
    try:
        return msgspec.convert(data, Summary)
    except msgspec.ValidationError as error:
        raise InputError(f"not the summary of a run: {error}") from error


def as_json(summary: Summary | Best) -> dict[str, Any]:
    """As plain data, for JSON."""
    return cast("dict[str, Any]", msgspec.to_builtins(summary))


# -- from the state of a study --------------------------------------------------------------------------------------------


def params_of(state: State, index: int) -> dict[str, Value]:
    """Target path -> value of a recommendation."""
    if state.program is None:
        return {}
    try:
        return target_values(state.program, state.recommended[index].point)
    except Undefined:
        return {}


def job_scores(state: State, ended: StudyJob | Verdict) -> dict[str, float]:
    """Objective -> value that counts; {} for a job, or a recommendation, without a score."""
    if ended.scores is None:
        return {}
    return {objective.metric: score for objective, score in zip(state.objectives, ended.scores, strict=True)}


def repetition_text(state: State, job: StudyJob) -> str:
    """`fold 1/5`, `seed 7`, both, or "" where nothing is repeated."""
    repeat = state.repeat
    if repeat is None:
        return ""
    fold = repetition.fold(repeat, job.repetition)
    parts = [f"fold {fold + 1}/{repeat.folds}"] if fold is not None else []
    return ", ".join([*parts, f"seed {job.seed}"] if repeat.seeds else parts)


def best_of(state: State, folder: Path) -> Best | None:
    """None while no job has a score."""
    verdict = state.best_verdict
    if state.best is None or verdict is None:
        return None
    job = state.jobs[state.best]
    target = state.program.study.target if state.program else None
    return Best(
        job=job.name,
        index=job.index,
        score=verdict.scores[0] if verdict.scores else None,
        scores=job_scores(state, verdict),
        params=params_of(state, job.index),
        seed=job.seed,
        path=str(folder / BEST),
        weights=WEIGHTS if target is not None and target.name in WITH_WEIGHTS else "",
        repeated=_repeated(state, job),
        pruned=job.cause == "pruned",
    )


def _repeated(state: State, best: StudyJob) -> Repeated | None:
    if state.repeat is None:
        return None
    jobs = repetition.counted(state, state.recommended[best.index])
    return Repeated(state.repeat.score, [job.name for job in jobs], job_scores(state, best))


def summarize(state: State, folder: Path, now: float | None, *, live: bool) -> Summary:
    """Jobs in the order of their recommendation's index. `now` None: the run is over since its newest fact.

    A run without a scheduler that has not ended is `paused`: it can be resumed.
    """
    jobs = sorted(state.jobs.values(), key=lambda job: (job.index, job.repetition))
    spans = {job.name: _spans(job, live) for job in jobs}
    rows = [_job(state, job, live, now, spans[job.name]) for job in jobs]
    by_worker: dict[str, list[Span]] = {}
    for span in sorted((span for each in spans.values() for span in each), key=lambda span: span.start):
        by_worker.setdefault(span.worker, []).append(span)
    at = state.last_at if now is None else now
    return Summary(
        run_id=state.run_id,
        state="paused" if state.run == "running" and not live else state.run,
        reason=state.reason,
        digest=state.digest,
        objectives=[ObjectiveEntry(objective.metric, objective.direction) for objective in state.objectives],
        best=best_of(state, folder),
        jobs=rows,
        recommendations=_recommendations(state, {row.name: row for row in rows}) if state.repeat is not None else [],
        seconds=round(state.elapsed(at), 3),
        gpu_hours=round(state.gpu_seconds(at) / 3600, 4),
        workers=[_worker(worker, live, by_worker.get(worker.name, [])) for worker in state.workers],
        keep=state.program.study.keep if state.program else None,
    )


def _spans(job: StudyJob, live: bool) -> list[Span]:
    """The attempts of a job, oldest first; one whose scheduler is gone has no end that anybody knows."""
    spans = [Span(job.name, span.fence, span.worker, round(span.start, 3), round(span.end, 3), span.how) for span in job.spans]
    if job.state == "running":
        how = "running" if live else "unknown"
        spans.append(Span(job.name, job.fence, job.worker, round(job.assigned_at, 3), None, how))
    return spans


def _worker(worker: WorkerState, live: bool, spans: list[Span]) -> Worker:
    if not live:
        state = "off"
    elif worker.broken is not None:
        state = "broken"
    elif worker.suspended_at is not None:
        state = "suspended"
    elif worker.job is not None:
        state = "busy"
    else:
        state = "idle" if worker.up else "starting"
    suspensions: list[tuple[float, float | None]] = [(round(start, 3), round(end, 3)) for start, end in worker.suspensions]
    if worker.suspended_at is not None:
        suspensions.append((round(worker.suspended_at, 3), None))
    return Worker(
        worker.name, list(worker.gpus), state, worker.job if live else None, worker.jobs, spans, suspensions
    )  # fmt: skip


def _job(state: State, job: StudyJob, live: bool, now: float | None, spans: list[Span]) -> Job:
    seconds = job.seconds
    if job.state == "running" and live and now is not None:
        seconds = max(0.0, now - job.assigned_at)
    return Job(
        name=job.name,
        index=job.index,
        state="waiting" if job.state == "running" and not live else job.state,
        cause=job.cause if job.ended else None,
        message=job.message if job.ended else "",
        score=job.scores[0] if job.scores else None,
        scores=job_scores(state, job),
        params=params_of(state, job.index),
        seconds=round(seconds, 3),
        gpus=list(job.gpus),
        seed=job.seed,
        attempts=job.fence,
        step=job.last_step,
        reported=dict(job.best),
        worker=job.worker,
        start=spans[0].start if spans else None,
        end=spans[-1].end if spans and job.ended else None,
        timeline=spans,
        repetition=None if state.repeat is None else job.repetition,
        fold=repetition.fold(state.repeat, job.repetition),
    )


def _recommendations(state: State, rows: Mapping[str, Job]) -> list[Recommendation]:
    started = (known for known in state.recommended.values() if known.jobs)
    return [_recommendation(state, known, [rows[name] for name in known.jobs]) for known in sorted(started, key=lambda r: r.index)]


def _recommendation(state: State, known: Recommended, rows: Sequence[Job]) -> Recommendation:
    verdict = known.verdict
    scores = [row.score for row in rows if row.score is not None]
    going_on = "running" if any(row.state == "running" for row in rows) else "waiting"
    return Recommendation(
        name=verdict.job if verdict is not None else rows[0].name,
        index=known.index,
        state=verdict.state if verdict is not None else going_on,
        cause=verdict.cause if verdict is not None else None,
        message=verdict.message if verdict is not None else "",
        score=verdict.scores[0] if verdict is not None and verdict.scores else None,
        scores=job_scores(state, verdict) if verdict is not None else {},
        params=rows[0].params,
        seconds=round(sum(row.seconds or 0.0 for row in rows), 3),
        attempts=sum(row.attempts for row in rows),
        jobs=[row.name for row in rows],
        each=[row.score for row in rows],
        spread=statistics.stdev(scores) if len(scores) > 1 else None,
    )
