"""An ensemble as a table, and as data."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from rich.text import Text

from automl_run.engine.report.table import new_table
from automl_run.engine.report.wording import score_text
from automl_run.engine.summary import Job, Recommendation

from .ensemble import Ensemble


def table(found: Ensemble) -> str:
    """Each model with its score, then their mean; what is better than the best model says by how much."""
    rows, objective = found.best.rows, found.best.summary.objective
    best = rows[0].score
    shown = new_table()
    shown.add_column("model")
    shown.add_column(Text(objective.name), justify="right")
    for at, row in enumerate(rows):
        shown.add_row(Text(_title(row) + (" *" if at == 0 else "")), score_text(row.score))
    gain = "" if best is None else f" ({found.score - best:+.4f})".replace("-", "−")
    folds = f", in each of {len(found.best.groups)} folds" if len(found.best.groups) > 1 else ""
    shown.add_row(
        Text(f"mean of {sum(map(len, found.best.groups)) // len(found.best.groups)}{folds}", "bold"),
        Text(f"{score_text(found.score)}{gain}", "bold"),
    )
    console = Console(file=io.StringIO(), width=100, highlight=False, legacy_windows=False)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip("\n").split("\n"))


def _title(row: Job) -> str:
    return f"recommendation {row.index}" if isinstance(row, Recommendation) else row.name


def as_json(found: Ensemble) -> dict[str, Any]:
    """`best`: the score of the best model alone. `models`: with the jobs that were averaged for each."""
    rows = found.best.rows
    return {
        "objective": found.best.summary.objective.name,
        "models": [
            {"index": row.index, "jobs": row.jobs if isinstance(row, Recommendation) else [row.name], "score": row.score}
            for row in rows
        ],
        "best": rows[0].score,
        "score": found.score,
        "metrics": dict(found.metrics),
    }
