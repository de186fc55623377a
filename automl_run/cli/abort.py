"""`automl-run abort RUN WORKER|JOB`: ends one job, with what it has reached; its worker gets the next one."""

from __future__ import annotations

from collections.abc import Sequence

from automl_run.cli.admin import operate, run_parser


def main(argv: Sequence[str]) -> int:
    parser = run_parser("abort", __doc__)
    parser.add_argument("what", metavar="WORKER|JOB", help="a job, or the worker whose job it is: W1_2_J3 or W1")
    args = parser.parse_args(argv)

    from automl_run.engine.admin.requests import Abort

    return operate(args, Abort(args.what))
