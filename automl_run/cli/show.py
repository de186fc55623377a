"""`automl-run show RUN`: the table of a run, living or ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from automl_run.cli.options import Parser
from automl_run.cli.output import put, put_json
from automl_run.cli.resume import add_run


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="automl-run show", description=__doc__)
    add_run(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="where run folders are sought")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    args = parser.parse_args(argv)

    from automl_run.engine.admin.console import read_run
    from automl_run.engine.report.table import final_table
    from automl_run.engine.run_folder import find_run

    folder = find_run(args.run, out=args.out, mmar=args.mmar)
    summary = read_run(folder)
    put_json(summary) if args.json else put(final_table(summary, folder))
    return 0
