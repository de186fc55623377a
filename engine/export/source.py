"""A trained job of a run: its configuration, its weights and its score, wherever in the run folder they lie."""

from __future__ import annotations

import contextlib
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from automl_run.dsl.ir import Value
from automl_run.engine import journal
from automl_run.engine.admin.console import read_run
from automl_run.engine.admin.logs import job_named
from automl_run.engine.agent.folders import JobSpec, attempt_dir, read_job_spec
from automl_run.engine.core.apply import replay
from automl_run.engine.core.repetition import aggregate
from automl_run.engine.files import BEST, WEIGHTS, WITH_WEIGHTS
from automl_run.engine.summary import Job, Recommendation, Summary, read_summary
from automl_run.errors import InputError


@dataclass(frozen=True, slots=True)
class Trained:
    """`folder` holds `config/` and the weights."""

    summary: Summary
    job: Job
    spec: JobSpec
    folder: Path
    config: dict[str, Value]

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS

    @property
    def root(self) -> Path:
        """The folder that the target names."""
        return self.spec.root


def trained(folder: Path, name: str | None = None) -> Trained:
    """The job of the run in `folder` that is called or numbered `name`, or its best. InputError if it has left no model."""
    found = read_run(folder)
    summary = read_summary(found)
    if name is not None:
        name, _ = job_named(found, name, folder)
    elif summary.best is not None:
        name = summary.best.job
    else:
        raise InputError(f"no job of {folder} has a score")
    job = next(job for job in summary.jobs if job.name == name)
    return _trained(folder, summary, job)


@dataclass(frozen=True, slots=True)
class Best:
    """`rows`: the best rows of a run's table, the best first. `groups`: their models, those together that validate on one list.

    Each fold of a cross-validation is a group of its own; all else is one. `aggregate` makes one number of the groups'.
    """

    summary: Summary
    rows: Sequence[Job]
    groups: Sequence[Sequence[Trained]]
    aggregate: Callable[[Sequence[float]], float]


def best_trained(folder: Path, count: int) -> Best:
    """The `count` best rows that are done and still have their models. InputError if there is none."""
    summary = read_summary(read_run(folder))
    sign = -1.0 if summary.objective.direction == "maximize" else 1.0
    scored = [row for row in summary.rows if row.score is not None and row.state == "done"]
    if not scored:
        raise InputError(f"no job of {folder} has a score")
    rows: list[Job] = []
    reason: InputError | None = None
    groups: dict[int | None, list[Trained]] = {}
    for row in sorted(scored, key=lambda row: (sign * (row.score or 0.0), row.index)):
        names = row.jobs if isinstance(row, Recommendation) else [row.name]
        try:
            found = [_trained(folder, summary, job) for job in summary.jobs if job.name in names]
        except InputError as error:
            reason = reason or error
            continue
        rows.append(row)
        for member in found:
            groups.setdefault(member.job.fold, []).append(member)
        if len(rows) == count:
            break
    if not rows:
        raise InputError(f"no job of {folder} has a model to average: {reason}")
    return Best(summary, rows, list(groups.values()), _aggregate(folder, summary.objective.direction))


def _aggregate(folder: Path, direction: str) -> Callable[[Sequence[float]], float]:
    with contextlib.closing(journal.Journal.read(folder)) as store:
        repeat = replay(store.facts()).repeat
    return statistics.fmean if repeat is None else partial(aggregate, repeat, direction=direction)


def _trained(folder: Path, summary: Summary, job: Job) -> Trained:
    spec = read_job_spec(folder / job.name)
    if spec is None:
        raise InputError(f"{folder / job.name} has no job.json that can be read: the job never started, or its folder was removed")
    if spec.target.name not in WITH_WEIGHTS:
        raise InputError(f"a job of {spec.target.name} trains what its own code says: only an MMAR or a bundle has a model here")
    place = attempt_dir(folder, job.name, job.attempts)
    if not (place / WEIGHTS).is_file() and summary.best is not None and summary.best.job == job.name:
        place = folder / BEST
    if not (place / WEIGHTS).is_file():
        kept = f": the study keeps the best {summary.keep}" if summary.keep is not None else ""
        raise InputError(f"{job.name} has no model: there is no {folder / job.name / WEIGHTS}{kept}")
    file = place / "config" / spec.config_name
    try:
        config = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    return Trained(summary, job, spec, place, config)
