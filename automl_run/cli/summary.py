"""`automl-run summary RUN`: when and where each job ran, and its score, the best first."""

from __future__ import annotations

from collections.abc import Sequence

from automl_run.cli.admin import folder_of, run_parser
from automl_run.cli.output import put, put_json


def main(argv: Sequence[str]) -> int:
    args = run_parser("summary", __doc__, json=True).parse_args(argv)

    from automl_run.engine.admin.console import read_run
    from automl_run.engine.admin.tables import summary_table
    from automl_run.engine.summary import read_summary

    folder = folder_of(args)
    found = read_run(folder)
    put_json(found) if args.json else put(summary_table(read_summary(found), folder))
    return 0
