"""The table of a run for the terminal: every job, then the best beside the baseline, and where things lie."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from automl_run.engine.files import REPORT
from automl_run.engine.summary import Job, Recommendation, Summary, read_summary

from .wording import (
    counts_text,
    each_text,
    gain_text,
    gpu_hours_text,
    parameters_text,
    repeated_text,
    score_text,
    seconds_text,
    short_names,
    state_text,
    value_text,
)

_PLAIN_WIDTH = 120
_MAX_FAILURES = 5
#: The colour of a job's state, here and in the live table.
STATE_STYLES: Mapping[str, str] = {
    "done": "green",
    "failed": "red",
    "infeasible": "red",
    "stopped": "yellow",
    "paused": "yellow",
    "running": "cyan",
    "waiting": "dim",
}


def final_table(summary: Mapping[str, object], folder: Path, *, color: bool | None = None, width: int | None = None) -> str:
    """The run as text, to be printed. `color` None: iff standard output is a terminal and NO_COLOR is unset."""
    if color is None:
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    if width is None:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _PLAIN_WIDTH
    console = Console(
        file=io.StringIO(), force_terminal=color, no_color=not color, width=max(width, 60), highlight=False, legacy_windows=False
    )
    print_summary(console, read_summary(summary), folder)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip("\n").split("\n"))


def print_summary(console: Console, summary: Summary, folder: Path) -> None:
    if summary.rows:
        console.print(_jobs(summary, console.width))
    head = f"Run [bold]{escape(summary.run_id)}[/bold] {escape(summary.state)}"
    spent = f", {gpu_hours_text(summary.gpu_hours)}" if summary.gpu_hours else ""
    console.print(f"{head} after {seconds_text(summary.seconds)}{spent}; {counts_text(summary)}")
    if summary.reason:
        console.print(escape(summary.reason), style="red" if summary.state == "failed" else None)
    failed = [job for job in summary.rows if job.message.strip() and job.state in ("failed", "infeasible")]
    for job in failed[:_MAX_FAILURES]:
        console.print(f"  {job.name}: {job.message.strip().splitlines()[0]}", style="red", markup=False, soft_wrap=True)
    if len(failed) > _MAX_FAILURES:
        console.print(f"  ... and {len(failed) - _MAX_FAILURES} more; each job's log.txt has the rest", style="red")
    if summary.best is None:
        console.print("No job has a score.")
    else:
        console.print(_best(summary))
    for what, path in _places(summary, folder):
        # Not wrapped: a path is to be copied.
        console.print(f"{what:<12}{escape(path)}", soft_wrap=True)


def _places(summary: Summary, folder: Path) -> list[tuple[str, str]]:
    places = [("Best model", summary.best.path)] if summary.best is not None and summary.best.path else []
    if (folder / REPORT).exists():
        places.append(("Report", str(folder / REPORT)))
    places.append(("Run folder", str(folder)))
    return places


def _jobs(summary: Summary, width: int) -> Table:
    """A column for each parameter if they fit into `width`, else one column for all."""
    names = short_names(summary.paths)
    rows = summary.rows
    heads = ["#", "job", "state", summary.objective.name, *(entry.name for entry in summary.objectives[1:]), "time"]
    heads += ["repetitions"] if summary.recommendations else []
    fixed = [_fixed_cells(summary, job) for job in rows]
    columns = {path: [value_text(job.params[path]) if path in job.params else "" for job in rows] for path in names}
    widths = [max(map(cell_len, texts)) for texts in zip(heads, *fixed, strict=True)]
    widths += [max(map(cell_len, (names[path], *texts))) for path, texts in columns.items()]
    table = new_table()
    for head in heads:
        table.add_column(Text(head), justify="left" if head in ("job", "state") else "right", no_wrap=True)
    if sum(widths) + 3 * len(widths) > width and columns:
        table.add_column("parameters", overflow="fold")
        rest = [[Text(parameters_text(job.params, names))] for job in rows]
    else:
        for path in columns:
            table.add_column(Text(names[path]), no_wrap=True)
        rest = [[Text(texts[i]) for texts in columns.values()] for i in range(len(fixed))]
    for job, cells, more in zip(rows, fixed, rest, strict=True):
        shown = [Text(text) for text in cells]
        shown[2].stylize(STATE_STYLES.get(job.state, ""))
        table.add_row(*shown, *more, style="bold" if _is_best(summary, job) else "")
    return table


def _fixed_cells(summary: Summary, job: Job) -> list[str]:
    scores = [job.score, *(job.scores.get(entry.name) for entry in summary.objectives[1:])]
    name = job.name + (" *" if _is_best(summary, job) else "")
    each = [each_text(job.each)] if isinstance(job, Recommendation) else []
    return [str(job.index), name, state_text(job), *map(score_text, scores), seconds_text(job.seconds), *each]


def _is_best(summary: Summary, job: Job) -> bool:
    return summary.best is not None and summary.best.job == job.name


def new_table(*, expand: bool = False) -> Table:
    """The look of all our tables."""
    return Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", expand=expand)


def _best(summary: Summary) -> Table:
    best, baseline = summary.best, summary.baseline
    assert best is not None
    names = short_names(list(best.params))
    table = new_table()
    table.add_column(Text(f"best: {best.job}"))
    table.add_column("found", style="green")
    table.add_column("baseline")
    gain = gain_text(summary)
    before = score_text(baseline.score) if baseline is not None else "not run"
    table.add_row(
        Text(summary.objective.name, "bold"), Text(f"{score_text(best.score)}{f' ({gain})' if gain else ''}", "bold"), before
    )
    if best.repeated is not None:
        own = best.repeated.scores.get(summary.objective.name)
        table.add_row(Text(f"  {repeated_text(best.repeated)}; this job:"), score_text(own), "")
    old = baseline.params if baseline is not None else {}
    for path, value in best.params.items():
        was = Text(value_text(old[path])) if path in old else Text("–")
        table.add_row(Text(names[path]), Text(value_text(value)), was)
    return table
