"""`automl-run export RUN --bundle OUT`, whatever the run trained."""

from __future__ import annotations

from pathlib import Path

from automl_run.engine.report.wording import score_text

from .source import trained


def export_bundle(run: Path, out: Path, job: str | None = None) -> str:
    """Makes the bundle; says what it is. InputError for a run whose jobs are no bundles, or a job without a model."""
    found = trained(run, job)
    if found.spec.target.name == "Mmar":
        from .mmar_bundle import export

        export(found, out)
    else:
        from .own_bundle import export as export_own

        export_own(found, out)
    goal = found.summary.objective
    return f"{out}: the model of {found.job.name}, {goal.name} {score_text(found.job.score)}"
