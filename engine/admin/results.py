"""Ends of attempts that are on the disk, and that no scheduler has heard of."""

from __future__ import annotations

from pathlib import Path

from automl_run.dsl.ir import Objective
from automl_run.engine.agent.folders import attempt_dir
from automl_run.engine.agent.outcome import Outcome, read_outcome
from automl_run.engine.core.state import Job, State
from automl_run.engine.wire.messages import Done, Failed

#: These say that the attempt did not get to its end.
_UNFINISHED = ("lost", "preempted")


class Results:
    """What the attempts of the run in `folder` have left behind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, state: State, name: str) -> Done | Failed | None:
        """The end of the newest attempt of a running job, as its agent would have told it; None if it did not get there."""
        job = state.jobs[name]
        outcome = read_outcome(attempt_dir(self._folder, name, job.fence), name, job.fence)
        return None if outcome is None else end_of(outcome, job, state.objectives)


def end_of(outcome: Outcome, job: Job, objectives: tuple[Objective, ...]) -> Done | Failed | None:
    """What `outcome` means for `job`; None if the attempt did not get to its end."""
    if outcome.cause in _UNFINISHED or (outcome.stopped and job.stop is None):
        return None
    return as_message(outcome, job, objectives)


def as_message(outcome: Outcome, job: Job, objectives: tuple[Objective, ...]) -> Done | Failed:
    """The next message of the attempt. What it reported may never have arrived: the outcome has it too."""
    seq = job.seq + 1
    if outcome.cause is not None:
        text, code, tail = outcome.message, outcome.code, outcome.tail
        return Failed(outcome.job, outcome.fence, seq, outcome.cause, text, code, tail, outcome.seconds)
    directions = {objective.metric: objective.direction for objective in objectives}
    best: dict[str, float] = {}
    for metric, (least, greatest, last) in outcome.reported.items():
        direction = directions.get(metric)
        best[metric] = last if direction is None else greatest if direction == "maximize" else least
    return Done(outcome.job, outcome.fence, seq, {**best, **outcome.values}, outcome.seconds, outcome.stopped)
