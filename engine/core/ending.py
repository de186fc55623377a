"""When a study is over, and with what word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from automl_run.engine.controllers.base import Outcome
from automl_run.engine.words import counted

from . import pruning
from .causes import EXPLANATION, FIRST_ALIKE, IN_A_ROW
from .state import State, better

How: TypeAlias = Literal["done", "failed"]


def outcome(state: State, index: int) -> Outcome:
    """What the controller is told of a recommendation that has ended."""
    verdict = state.recommended[index].verdict
    if verdict is None:
        raise ValueError(f"recommendation {index} has not ended")
    return Outcome(index, verdict.state, verdict.scores, pruning.pruned_at(state, index))


def room(state: State) -> int | None:
    """How many more recommendations the budget allows; None: any number."""
    return None if state.trials is None else max(0, state.trials - len(state.recommended))


def after_job(state: State) -> tuple[How, str] | None:
    """Why the study stops now that one more recommendation has ended, or None."""
    if state.program is None:
        return None
    what = "job" if state.repeat is None else "recommendation"
    failures = state.failures
    if not state.succeeded and len(failures) >= FIRST_ALIKE and len(set(failures[:FIRST_ALIKE])) == 1:
        why = EXPLANATION.get(failures[0], failures[0])
        return "failed", f"the first {FIRST_ALIKE} {what}s failed alike: {why}{_last_message(state)}"
    if len(failures) >= IN_A_ROW:
        return "failed", f"{IN_A_ROW} {what}s in a row failed{_last_message(state)}"
    budget = state.program.study.budget
    best = state.best_verdict
    if best is not None and best.state == "done" and best.scores and budget.target is not None:
        score = best.scores[0]
        if score == budget.target or better(score, budget.target, state.objectives[0].direction):
            who = best.job if state.repeat is None else f"recommendation {state.jobs[best.job].index}"
            return "done", f"{who} reached the target of {budget.target:g} with {score:g}"
    if budget.patience is not None and best is not None and state.since_best >= budget.patience:
        return "done", f"no better score in {counted(state.since_best, what)}"
    return None


def spent(state: State, now: float) -> str | None:
    """Which budget of time is spent at `now`, or None."""
    for left, what in _times(state, now):
        if left <= 0:
            return f"the {what} is spent"
    return None


def seconds_left(state: State, now: float) -> float | None:
    """How soon, at the earliest, a budget of time will be spent; None: no time that is known."""
    return min((left for left, _ in _times(state, now)), default=None)


def _times(state: State, now: float) -> Iterator[tuple[float, str]]:
    """For each budget of time the seconds that are left while what runs runs on, and its name."""
    if state.program is None:
        return
    budget = state.program.study.budget
    if budget.time_s is not None:
        yield budget.time_s - state.elapsed(now), f"time budget of {budget.time_s:g} s"
    if budget.gpu_hours is not None:
        left, gpus = budget.gpu_hours * 3600 - state.gpu_seconds(now), sum(len(state.jobs[name].gpus) for name in state.running)
        if gpus or left <= 0:
            yield left / max(1, gpus), f"budget of {budget.gpu_hours:g} GPU hours"


def _last_message(state: State) -> str:
    failed = [job for job in state.jobs.values() if job.state == "failed"]
    newest = max(failed, key=lambda job: job.number, default=None)
    return f" ({newest.name}: {newest.message})" if newest is not None and newest.message else ""


def at_the_end(state: State) -> tuple[How, str]:
    """The verdict when there is nothing left to run."""
    if state.best is None and state.objectives:
        return "failed", f"none of {counted(state.ended, 'job')} ended with a score{_last_message(state)}"
    if room(state) == 0:
        return "done", f"the budget of {counted(state.trials or 0, 'trial')} is spent"
    return "done", "the controller has nothing more to try"
