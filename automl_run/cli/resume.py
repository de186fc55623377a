"""`automl-run resume RUN`: go on with an interrupted run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from automl_run.cli.options import Parser, add_run_options, split_pair
from automl_run.cli.output import put, put_json


def add_run(parser: Parser) -> None:
    """The argument RUN and where it is sought."""
    parser.add_argument("run", metavar="RUN", help="a run folder, or a run_id sought in --out, ./runs and the MMAR's automl/")
    parser.add_argument("-m", dest="mmar", type=Path, metavar="MMAR_ROOT", help="the MMAR whose automl/ is searched for a run_id")


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="automl-run resume", description=__doc__)
    add_run(parser)
    parser.add_argument("--workers", metavar="SPEC", help="other workers than before")
    parser.add_argument("--set", dest="pairs", action="append", default=[], metavar="study.budget.trials=N", help="a larger budget")
    add_run_options(parser)
    args = parser.parse_args(argv)

    from automl_run.dsl.legacy import parse_workers
    from automl_run.engine.report.live import LiveTable
    from automl_run.engine.report.table import final_table
    from automl_run.engine.run import RunOptions, resume_study
    from automl_run.engine.run_folder import find_run

    folder = find_run(args.run, out=args.out, mmar=args.mmar)
    options = RunOptions(
        workers=parse_workers(args.workers) if args.workers is not None else None,
        trace=args.trace or "file",
        engine_trace=args.engine_trace,
        allow_modules=tuple(args.allow_modules),
        budget=dict(split_pair(pair) for pair in args.pairs),
    )
    table = LiveTable(stream=sys.stderr if args.json else sys.stdout, lines=options.trace in (None, "file"))
    result = resume_study(folder, options, table)
    put_json(result.summary) if args.json else put(final_table(result.summary, result.folder))
    return result.exit_code
