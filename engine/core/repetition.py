"""Repetitions of a recommendation: `repeat { folds = 5 }` makes five jobs of it, one outcome.

Each repetition is a job of its own, so that workers share them, each is tried again by itself, and a resume finds those that had
ended. The recommendation ends (`Concluded`) with its last job: no controller hears of one repetition alone.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from automl_run.dsl.ir import Repeat

from .facts import EndState
from .state import Job, Recommended, State, Verdict, better, merit


def count(repeat: Repeat | None) -> int:
    """How many jobs each recommendation gets."""
    return 1 if repeat is None else (repeat.folds or 1) * max(1, len(repeat.seeds))


def fold(repeat: Repeat | None, repetition: int) -> int | None:
    """The fold of this repetition, from 0; all folds of one seed come before those of the next."""
    return None if repeat is None or repeat.folds is None else repetition % repeat.folds


def seed_key(repeat: Repeat | None, key: tuple[int, ...], repetition: int) -> int | tuple[int, ...]:
    """The seed that the study says for this repetition, or what its seed is derived from beside the study's."""
    if repeat is None:
        return key
    return repeat.seeds[repetition // (repeat.folds or 1)] if repeat.seeds else (*key, repetition)


def aggregate(repeat: Repeat, values: Sequence[float], direction: str) -> float:
    """One number of at least one. `direction`: of the objective that they are of."""
    match repeat.score:
        case "mean":
            return statistics.fmean(values)
        case "median":
            return statistics.median(values)
        case "min":
            return min(values)
        case "worst":
            return min(values) if direction == "maximize" else max(values)


def cut(state: State, repeat: Repeat, ended: Job) -> tuple[EndState, str | None, str] | None:
    """State, cause and message of a recommendation that `ended`, the newest of its jobs to end, decides; None: it goes on.

    A repetition that has failed, is infeasible or was stopped leaves no aggregate to be had. With `abandon`, neither does one
    after which the recommendation could not be the best any more, should all that are left be as good as the best job so far.
    """
    if ended.state != "done":
        how = ended.state
        if how == "waiting" or how == "running":
            raise ValueError(f"{ended.name} has not ended")
        return how, ended.cause, f"{ended.name}: {ended.message}" if ended.message else f"{ended.name} was not done"
    best = state.best_verdict
    if not repeat.abandon or best is None or not best.scores or best.state != "done" or not ended.scores:
        return None
    direction = state.objectives[0].direction
    names = state.recommended[ended.index].jobs
    said = [job.scores[0] for name in names if (job := state.jobs[name]).state == "done" and job.scores]
    left = count(repeat) - len(said)
    every = [job.scores[0] for job in state.jobs.values() if job.state == "done" and job.scores]
    hoped = aggregate(repeat, said + left * [max(every) if direction == "maximize" else min(every)], direction)
    if left == 0 or better(hoped, best.scores[0], direction):
        return None
    return "stopped", "pruned", f"it could reach {hoped:g} at best, the best has {best.scores[0]:g}"


def counted(state: State, recommended: Recommended) -> list[Job]:
    """The jobs that an aggregate is of: the one that a pruner stopped, those that are done, or else those with partial scores."""
    scored = [job for name in recommended.jobs if (job := state.jobs[name]).scores]
    return [job for job in scored if job.cause == "pruned"] or [job for job in scored if job.state == "done"] or scored


def verdict(state: State, repeat: Repeat, recommended: Recommended) -> Verdict:
    """The outcome of a recommendation whose jobs have ended: the aggregate of those that are done.

    One that was stopped before any was done has that of partial values, as a single job would; one that a pruner stopped, by what
    one of its jobs reported, has what that job had come to.
    """
    jobs = [state.jobs[name] for name in recommended.jobs]
    judged = counted(state, recommended)
    decided = recommended.cut
    if all(job.state == "done" for job in jobs) and len(jobs) == count(repeat):
        decided = None  # given up too late to save anything
    how = "done" if decided is None else decided.state
    scores = None
    if judged and how in ("done", "stopped"):
        columns = zip(*(job.scores for job in judged if job.scores), strict=True)
        scores = tuple(
            aggregate(repeat, column, objective.direction) for column, objective in zip(columns, state.objectives, strict=True)
        )
    direction = state.objectives[0].direction if state.objectives else "maximize"
    model = max(judged or jobs, key=lambda job: merit(job, job.repetition, direction))
    if decided is None:
        return Verdict(how, scores, None, "", model.name)
    return Verdict(how, scores, decided.cause, decided.message, model.name)
