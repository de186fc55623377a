"""When a study is over, and with what word."""

from __future__ import annotations

from typing import Literal, TypeAlias

from automl_run.engine.controllers.base import Outcome
from automl_run.engine.words import counted

from .causes import EXPLANATION, FIRST_ALIKE, IN_A_ROW
from .state import Job, State, better

How: TypeAlias = Literal["done", "failed"]


def outcome(job: Job) -> Outcome:
    """What the controller is told of an ended job."""
    if job.state == "waiting" or job.state == "running":
        raise ValueError(f"{job.name} has not ended")
    return Outcome(job.index, job.state, job.scores)


def room(state: State) -> int | None:
    """How many more recommendations the budget allows; None: any number."""
    return None if state.trials is None else max(0, state.trials - len(state.recommended))


def after_job(state: State) -> tuple[How, str] | None:
    """Why the study stops now that one more job has ended, or None."""
    if state.program is None:
        return None
    failures = state.failures
    if not state.succeeded and len(failures) >= FIRST_ALIKE and len(set(failures[:FIRST_ALIKE])) == 1:
        why = EXPLANATION.get(failures[0], failures[0])
        return "failed", f"the first {FIRST_ALIKE} jobs failed alike: {why}{_last_message(state)}"
    if len(failures) >= IN_A_ROW:
        return "failed", f"{IN_A_ROW} jobs in a row failed{_last_message(state)}"
    budget = state.program.study.budget
    best = state.jobs[state.best] if state.best else None
    if best is not None and best.state == "done" and best.scores and budget.target is not None:
        score = best.scores[0]
        if score == budget.target or better(score, budget.target, state.objectives[0].direction):
            return "done", f"{best.name} reached the target of {budget.target:g} with {score:g}"
    if budget.patience is not None and best is not None and state.since_best >= budget.patience:
        return "done", f"no better score in {counted(state.since_best, 'job')}"
    return None


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
