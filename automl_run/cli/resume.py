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
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="its program: only workers and budget may have changed")
    parser.add_argument("--workers", metavar="SPEC", help="other workers than before")
    parser.add_argument(
        "--set", dest="pairs", action="append", default=[], metavar="PATH=VALUE",
        help="a larger budget, for example study.budget.trials=40 or study.budget.time=12h; none is no limit; repeatable",
    )  # fmt: skip
    parser.add_argument("--take-over", action="store_true", help="even if the run's last scheduler was on another host")
    add_run_options(parser)
    args = parser.parse_args(argv)

    from automl_run.dsl.legacy import parse_workers
    from automl_run.dsl.load import check
    from automl_run.engine.report.aside import Aside
    from automl_run.engine.report.live import LiveTable
    from automl_run.engine.report.table import final_table
    from automl_run.engine.run import RunOptions, resume_study
    from automl_run.engine.run_folder import find_run

    folder = find_run(args.run, out=args.out, mmar=args.mmar)
    program = check(args.file).unwrap() if args.file is not None else None
    options = RunOptions(
        workers=parse_workers(args.workers) if args.workers is not None else None,
        trace=args.trace or "file",
        engine_trace=args.engine_trace,
        allow_modules=tuple(args.allow_modules),
        budget=dict(split_pair(pair) for pair in args.pairs),
        take_over=args.take_over,
    )
    log = sys.stderr if args.json else sys.stdout
    with Aside(LiveTable(stream=log, lines=options.trace in (None, "file"))) as table:
        result = resume_study(folder, options, table, program)
    put_json(result.summary) if args.json else put(final_table(result.summary, result.folder))
    return result.exit_code
