"""Pruners: which running job is not worth its rest, decided at the report that shows it.

Pure functions of the state, so a replay has the curves and never decides again. Optuna's own pruners would need a study of its
trials for each question; the rules are shorter than that, and the tests compare them with Optuna's.

- The curve of a job grows with each report of the objective at a place beyond all before; there the job is judged, once. A job that
  is tried again is judged where it comes further than it had come.
- The baseline is judged by nobody: every table compares with it. Of a recommendation with several jobs the first one is.
- Compared with are the jobs that may still count: those that failed or are infeasible do not.
"""

from __future__ import annotations

import binascii
import math
import statistics
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from automl_run.dsl.controllers import PRUNERS, defaults
from automl_run.dsl.evaluate import Undefined
from automl_run.dsl.evaluate import scores as scores_of
from automl_run.dsl.ir import Spec

from .state import Job, State, better

_UNITS = {"epochs": "epoch", "steps": "step", "reports": "report"}


def told(state: State, job: Job, step: int, values: Mapping[str, float]) -> Job:
    """`job` after a report. One that was told to stop as pruned is where it was then, whatever it still says."""
    pruner = state.pruner
    if pruner is None or job.repetition or job.stop == "pruned":
        return job
    value = _objective(state, job, values)
    if value is None:
        return job
    job = replace(job, told=job.told + 1)
    at = job.told if _resource(pruner) == "reports" else step
    return replace(job, curve=job.curve.grown(at, value))


def _objective(state: State, job: Job, values: Mapping[str, float]) -> float | None:
    """Its value by this report alone; None where the report does not give all of it."""
    if state.program is None or len(state.objectives) != 1:
        return None
    if state.objectives[0].expr is None:
        return values.get(state.objectives[0].metric)
    try:
        (score,) = scores_of(state.program, state.recommended[job.index].point, values)
    except Undefined:
        return None
    return score if math.isfinite(score) else None


def verdict(state: State, job: Job) -> str | None:
    """Why `job` is to be stopped at the newest point of its curve; None: it goes on."""
    pruner = state.pruner
    if pruner is None or not job.curve or not is_judged(state, job):
        return None
    match pruner.name:
        case "Median":
            return _median(state, job, _whole(pruner, "startup"), _whole(pruner, "warmup"))
        case "ASHA" | "Hyperband":
            return _halving(state, job, pruner, _whole(pruner, "min"), _whole(pruner, "eta"))
        case _:
            return None


def is_judged(state: State, job: Job) -> bool:
    """Whether a pruner may stop it."""
    return state.pruner is not None and not job.repetition and state.recommended[job.index].point is not None


def is_compared(state: State, ended: Job) -> bool:
    """Whether others are compared with it."""
    return state.pruner is not None and not ended.repetition and ended.state in ("done", "stopped")


def scores(job: Job) -> tuple[float, ...] | None:
    """What a pruned job had come to."""
    return (job.curve.last[1],) if job.curve else None


def pruned_at(state: State, index: int) -> int | None:
    """The resource after which a recommendation was pruned; None for any other."""
    for name in state.recommended[index].jobs:
        job = state.jobs[name]
        if job.cause == "pruned" and job.curve:
            return job.curve.last[0]
    return None


# -- the rules ------------------------------------------------------------------------------------------------------------


def _median(state: State, job: Job, startup: int, warmup: int) -> str | None:
    """D. Golovin et al., "Google Vizier", KDD 2017, section 3.2.2, as Optuna has it: the best value so far is worse than the median
    of what the jobs that are done had at the same place."""
    at, _ = job.curve.last
    done = [other.curve for other in state.ran if other.state == "done"]
    there = [value for curve in done if (value := curve.until(at)) is not None]
    if at < warmup or len(done) < startup or not there:
        return None
    direction = state.objectives[0].direction
    best = job.curve.greatest if direction == "maximize" else job.curve.least
    middle = statistics.median(there)
    if not better(middle, best, direction):
        return None
    return f"its best of {best:g} up to {at} is worse than {middle:g}, the median of {len(there)} jobs there"


def _halving(state: State, job: Job, pruner: Spec, least: int, eta: int) -> str | None:
    """L. Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020, arXiv 1810.05934, in the form that stops:
    at each rung, min * eta ** k, a job goes on if it is among the best 1 / eta of those that have come there by now.

    With brackets (L. Li et al., "Hyperband", JMLR 18, 2018), bracket s has rungs from min * eta ** s on, and jobs of its own.
    """
    most = _limit(state, pruner)
    others, bracket = _others(state, job), 0
    if pruner.name == "Hyperband":
        if most is None:
            return None
        seed, sizes = state.program.study.seed if state.program else 0, _brackets(least, most, eta)
        bracket = _bracket(seed, job.index, sizes)
        others = (other for other in others if _bracket(seed, other.index, sizes) == bracket)
    (at, value), direction = job.curve.last, state.objectives[0].direction
    curves = [other.curve for other in others]
    for rung in _rungs(least * eta**bracket, eta, at if most is None else min(at, most - 1)):
        if rung <= job.curve.before:
            continue
        there = [found for curve in curves if (found := curve.since(rung)) is not None]
        kept = max(1, (len(there) + 1) // eta)
        if sum(better(found, value, direction) for found in there) >= kept:
            unit = _UNITS.get(_resource(pruner), "step")
            return f"{value:g} at {unit} {at} is not among the best {kept} of the {len(there) + 1} jobs that came to {rung}"
    return None


def _rungs(first: int, eta: int, last: int) -> Iterator[int]:
    rung = first
    while rung <= last:
        yield rung
        rung *= eta


def _brackets(least: int, most: int, eta: int) -> list[int]:
    """In what proportion jobs are dealt to the brackets, bracket 0, which stops the earliest, first."""
    count = len(list(_rungs(least, eta, max(least, most))))
    return [-(-count * eta ** (count - 1 - s) // (count - s)) for s in range(count)]


def _bracket(seed: int, index: int, sizes: list[int]) -> int:
    """By a hash, as Optuna does, so that it depends on nothing that happened."""
    place = binascii.crc32(f"{seed}_{index}".encode()) % sum(sizes)
    bracket = 0
    while place >= sizes[bracket]:
        place -= sizes[bracket]
        bracket += 1
    return bracket


def _limit(state: State, pruner: Spec) -> int | None:
    """Where a job's training ends anyway: what the study says, or for Hyperband how far the first job came that was done."""
    most = pruner.args.get("max")
    if isinstance(most, int):
        return most
    if pruner.name == "ASHA":
        return None
    return next((job.curve.last[0] for job in state.ran if job.state == "done" and job.curve), None)


def _others(state: State, job: Job) -> Iterator[Job]:
    """The jobs that `job` is compared with."""
    yield from state.ran
    for name in (*state.running, *state.retry):
        if name != job.name and not state.jobs[name].repetition:
            yield state.jobs[name]


def _resource(pruner: Spec) -> str:
    found = (defaults(PRUNERS, pruner.name) | pruner.args).get("resource", "steps")
    return found if isinstance(found, str) else "steps"


def _whole(pruner: Spec, name: str) -> int:
    """An argument, in the bounds that the language gives it: a program may have been made elsewhere."""
    argument = PRUNERS[pruner.name][name]
    value = pruner.args.get(name, argument.default)
    return max(int(argument.least), value) if isinstance(value, int) else int(argument.least)
