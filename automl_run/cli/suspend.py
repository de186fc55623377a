"""`automl-run suspend RUN WORKER`: no more jobs for this worker; what runs there goes on."""

from __future__ import annotations

from collections.abc import Sequence

from automl_run.cli.admin import operate, worker_command


def main(argv: Sequence[str]) -> int:
    args = worker_command("suspend", __doc__, argv)

    from automl_run.engine.admin.requests import Suspend

    return operate(args, Suspend(args.worker))
