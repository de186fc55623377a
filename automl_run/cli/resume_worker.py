"""`automl-run resume-worker RUN WORKER`: a suspended worker gets jobs again."""

from __future__ import annotations

from collections.abc import Sequence

from automl_run.cli.admin import operate, worker_command


def main(argv: Sequence[str]) -> int:
    args = worker_command("resume-worker", __doc__, argv)

    from automl_run.engine.admin.requests import ResumeWorker

    return operate(args, ResumeWorker(args.worker))
