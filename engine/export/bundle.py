"""`automl-run export RUN --bundle OUT`, whatever the run trained."""

from __future__ import annotations

from pathlib import Path

from automl_run.engine.report.wording import score_text
from automl_run.errors import InputError

from .source import trained


def export_bundle(run: Path, out: Path, job: str | None = None) -> str:
    """Makes the bundle; says what it is. InputError for a run whose jobs are no bundles, or a job without a model."""
    found = trained(run, job)
    match found.spec.target.name:
        case "Mmar":
            from .mmar_bundle import export

            export(found, out)
        case "Bundle":
            from .own_bundle import export as export_own

            export_own(found, out)
        case other:
            raise InputError(f"a job of {other} trains what its own code says: only an MMAR or a bundle can be exported")
    goal = found.summary.objective
    return f"{out}: the model of {found.job.name}, {goal.name} {score_text(found.job.score)}"
