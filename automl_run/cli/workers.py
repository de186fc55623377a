"""`automl-run workers RUN`: its workers, what they do, and how many jobs they had."""

from __future__ import annotations

from collections.abc import Sequence

from automl_run.cli.admin import run_parser, summary_of
from automl_run.cli.output import put, put_json
from automl_run.errors import InputError


def main(argv: Sequence[str]) -> int:
    parser = run_parser("workers", __doc__, json=True)
    parser.add_argument("worker", nargs="?", metavar="WORKER", help="only this one, for example W1")
    args = parser.parse_args(argv)

    from msgspec.structs import replace

    from automl_run.engine.admin.tables import workers_table
    from automl_run.engine.summary import as_json, read_summary

    summary = read_summary(summary_of(args))
    if args.worker is not None:
        only = [worker for worker in summary.workers if worker.name == args.worker]
        if not only:
            raise InputError(f"no worker `{args.worker}`; workers: {', '.join(worker.name for worker in summary.workers)}")
        summary = replace(summary, workers=only)
    if args.json:
        put_json({"workers": as_json(summary)["workers"]})
    else:
        put(workers_table(summary))
    return 0
