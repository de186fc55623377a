"""Clara's tables of a run, as text: workers, and the summary."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path

from automl_run.engine.report.wording import score_text
from automl_run.engine.summary import Job, Summary


def workers_table(summary: Summary) -> str:
    """`NAME | GPUS | STATE | JOBS`: what runs now stands beside the number of jobs."""
    rows = [
        [
            worker.name,
            ",".join(map(str, worker.gpus)) or "cpu",
            worker.state,
            str(worker.jobs) + (f" ({worker.job})" if worker.job else ""),
        ]
        for worker in summary.workers
    ]
    return _table(["NAME", "GPUS", "STATE", "JOBS"], rows)


def summary_table(summary: Summary, folder: Path) -> str:
    """`START | END | ROOT | SCORE | WORKER`, the best first, then those without a score; ROOT is the folder of the job."""
    sign = -1.0 if summary.objective.direction == "maximize" else 1.0

    def rank(job: Job) -> tuple[bool, bool, float, int]:
        return job.score is None, job.state == "stopped", sign * job.score if job.score is not None else math.inf, job.index

    rows = [
        [
            _moment(job.start),
            _moment(job.end) if job.end is not None else job.state,
            str(folder / job.name),
            score_text(job.score) if job.score is not None else job.state,
            job.worker,
        ]
        for job in sorted(summary.jobs, key=rank)
    ]
    kept = "all" if summary.keep is None else str(summary.keep)
    return f"Top MMARs to keep: {kept}\n{_table(['START', 'END', 'ROOT', 'SCORE', 'WORKER'], rows)}"


def _moment(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _table(heads: list[str], rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [heads, *rows]]
    return "\n".join(line.rstrip() for line in lines)
