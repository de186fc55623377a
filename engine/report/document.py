"""What a report reads: `summary.json`, typed. Unknown keys are left alone, so that an older reader shows a newer run."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from automl_run.dsl.ir import Value
from automl_run.errors import InputError


class ObjectiveEntry(msgspec.Struct, frozen=True):
    name: str
    direction: Literal["maximize", "minimize"] = "maximize"


class Best(msgspec.Struct, frozen=True):
    """`path`: the folder of the best model."""

    job: str
    score: float | None = None
    params: dict[str, Value] = {}
    path: str = ""


class Job(msgspec.Struct, frozen=True):
    """`score`: of the first objective, None without one. `params`: target path -> value, active parameters only."""

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

    @property
    def is_baseline(self) -> bool:
        return self.index == 0


class Summary(msgspec.Struct, frozen=True):
    """A run. `jobs` in the order of their index."""

    run_id: str
    state: str
    reason: str = ""
    digest: str = ""
    objectives: list[ObjectiveEntry] = []
    best: Best | None = None
    jobs: list[Job] = []
    seconds: float | None = None

    @property
    def objective(self) -> ObjectiveEntry:
        """The first objective; a run that never learnt its own has a nameless one."""
        return self.objectives[0] if self.objectives else ObjectiveEntry("score")

    @property
    def baseline(self) -> Job | None:
        return next((job for job in self.jobs if job.is_baseline), None)

    @property
    def paths(self) -> list[str]:
        """The target paths of all jobs, in the order in which they first appear."""
        return list(dict.fromkeys(path for job in self.jobs for path in job.params))

    def better(self, a: float, b: float) -> bool:
        return a > b if self.objective.direction == "maximize" else a < b


def read_summary(data: Mapping[str, object]) -> Summary:
    """InputError for a document that is not a run's summary."""
    try:
        return msgspec.convert(data, Summary)
    except msgspec.ValidationError as error:
        raise InputError(f"not the summary of a run: {error}") from error


# -- words and numbers ----------------------------------------------------------------------------------------------------


_EMPTY_WORDS = frozenset({"name", "path", "args", "_target_"})


def short_names(paths: list[str]) -> dict[str, str]:
    """Each path's shortest ending that no other path has and that says something: `train.optimizer.args.lr` is `lr`."""
    out: dict[str, str] = {}
    for path in paths:
        parts = path.split(".")
        least = min(len(parts), 2) if parts[-1] in _EMPTY_WORDS else 1
        for count in range(least, len(parts) + 1):
            ending = ".".join(parts[-count:])
            if not any(other != path and (other == ending or other.endswith("." + ending)) for other in paths):
                break
        out[path] = ending
    return out


def value_text(value: Value) -> str:
    """A value as people write it: numbers with four digits, text without quotes, the rest as JSON."""
    if isinstance(value, float):
        return number_text(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def number_text(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.2e}" if not 1e-3 <= abs(value) < 1e6 else f"{value:.4g}"


def score_text(score: float | None) -> str:
    if score is None:
        return "–"
    return f"{score:.4f}" if 1e-3 <= abs(score) < 1e3 or score == 0 else f"{score:.5g}"


def gain_text(summary: Summary) -> str:
    """The best beside the baseline, or "" where one of them has no score."""
    baseline = summary.baseline
    if summary.best is None or summary.best.score is None or baseline is None or baseline.score is None:
        return ""
    return f"{summary.best.score - baseline.score:+.4f}".replace("-", "−")


def seconds_text(seconds: float | None, *, whole_seconds: bool = False) -> str:
    if seconds is None:
        return "–"
    if seconds < 9.95 and not whole_seconds:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def counts_text(summary: Summary) -> str:
    """`12 jobs: 9 done, 2 stopped, 1 failed`."""
    order = ("done", "stopped", "failed", "infeasible", "running", "paused", "waiting")
    states = [job.state for job in summary.jobs]
    parts = [f"{states.count(state)} {state}" for state in order if state in states]
    jobs = "1 job" if len(states) == 1 else f"{len(states)} jobs"
    return f"{jobs}: {', '.join(parts)}" if parts else "no jobs"


def state_text(job: Job) -> str:
    return f"{job.state} ({job.cause})" if job.cause else job.state


def write_text(path: Path, text: str) -> None:
    """Whole or not at all: a reader never sees half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
