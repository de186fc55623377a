"""`automl-run FILE.automl` and `automl-run -m MMAR_ROOT`: run a search."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from automl_run.cli.options import Parser, add_run_options, is_legacy
from automl_run.cli.output import put, put_json
from automl_run.cli.read import accelerated, add_source, placed, read, runnable
from automl_run.errors import TargetError


def main(argv: Sequence[str]) -> int:
    legacy = is_legacy(argv)
    parser = Parser(prog="automl-run", description="Run a search.")
    add_source(parser, legacy=legacy)
    if not legacy:
        parser.add_argument("--run-id", metavar="ID", help="name of this run; unique in its folder (default: the study's name)")
        parser.add_argument("--workers", metavar="SPEC", help="GPUs per worker: 0:1, or 0,1:2,3 for two with two GPUs each; cpu(4)")
    parser.add_argument(
        "--accelerate", action="store_true", help="run MONAI's pipelines fused: the same results, faster (`accelerate = true`)"
    )
    parser.add_argument(
        "--take-over", action="store_true", help="go on with the run of this run_id, even if its last scheduler was on another host"
    )
    add_run_options(parser)
    args = parser.parse_args(argv)
    checked, settings = read(args)
    program = runnable(checked)
    if args.accelerate:
        program = accelerated(program)

    # Imported late: reading and refusing a program must not wait for the engine.
    from automl_run.dsl.legacy import parse_workers
    from automl_run.engine.controllers.registry import describe
    from automl_run.engine.report.aside import Aside
    from automl_run.engine.report.live import LiveTable
    from automl_run.engine.report.table import final_table
    from automl_run.engine.run import RunOptions, resume_study, run_study, run_to_take_over

    workers = settings.workers if legacy else parse_workers(args.workers) if args.workers is not None else None
    trace = args.trace or settings.trace
    options = RunOptions(
        out=args.out,
        run_id=settings.run_id if legacy else args.run_id,
        workers=workers,
        trace=trace,
        engine_trace=args.engine_trace or settings.engine_trace,
        allow_modules=tuple(args.allow_modules),
        take_over=args.take_over,
    )
    taken_over = run_to_take_over(program, options) if args.take_over else None
    log = sys.stderr if args.json else sys.stdout
    if legacy:
        put(f"AutoML config: {args.automlconf or 'config_automl.json'}", log)
    put(f"controller {describe(program.study.controller)}", log)
    with Aside(LiveTable(stream=log, lines=trace in (None, "file"))) as table:
        try:
            result = run_study(program, options, table) if taken_over is None else resume_study(taken_over, options, table, program)
        except TargetError as error:
            raise placed(checked, error) from error
    put_json(result.summary) if args.json else put(final_table(result.summary, result.folder))
    return result.exit_code
