"""`automl-run plan FILE`: what a run would do: parameters, size, workers, jobs and what they cost. Nothing is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from automl_run.cli.options import Parser, is_legacy
from automl_run.cli.output import put, put_json
from automl_run.cli.read import add_source, program_of, read
from automl_run.dsl.ast import Quantity
from automl_run.dsl.elaborate.expressions import base_value
from automl_run.dsl.parser import parse_expr
from automl_run.dsl.plan import plan, render
from automl_run.dsl.source import Source
from automl_run.errors import InputError, ProgramError


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="automl-run plan", description=__doc__)
    add_source(parser, legacy=is_legacy(argv))
    parser.add_argument("--job-time", metavar="TIME", help="how long one job takes, such as 10min: gives the cost")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    args = parser.parse_args(argv)
    job_s = None if args.job_time is None else seconds(args.job_time)
    checked, _ = read(args)
    if args.json:
        put_json(asdict(plan(checked.unwrap(), job_s)))
        return 0
    put(render(plan(program_of(checked), job_s)))
    return 0


def seconds(text: str) -> float:
    """`10min` in seconds. InputError."""
    try:
        expr = parse_expr(Source("--job-time", text))
    except ProgramError:
        expr = None
    if isinstance(expr, Quantity):
        value, dimension = base_value(expr)
        if dimension == "time" and value > 0:
            return float(value)
    raise InputError(f"`--job-time {text}` is no time: write it like 30s, 10min or 2h")
