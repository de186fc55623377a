"""What the commands for a living run share: the argument RUN, and one request to its scheduler."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from automl_run.cli.options import Parser
from automl_run.cli.output import put
from automl_run.cli.resume import add_run

if TYPE_CHECKING:
    from automl_run.engine.admin.requests import AnyRequest


def run_parser(name: str, about: str | None, *, json: bool = False) -> Parser:
    """RUN, and where a run_id is sought."""
    parser = Parser(prog=f"automl-run {name}", description=about)
    add_run(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="where run folders are sought")
    if json:
        parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def folder_of(args: Namespace) -> Path:
    from automl_run.engine.run_folder import find_run

    return find_run(args.run, out=args.out, mmar=args.mmar)


def operate(args: Namespace, request: AnyRequest) -> int:
    """Asks the run's scheduler, and prints what it did."""
    from automl_run.engine.admin.console import operate

    put(operate(folder_of(args), request))
    return 0


def worker_command(name: str, about: str | None, argv: Sequence[str]) -> Namespace:
    """RUN WORKER."""
    parser = run_parser(name, about)
    parser.add_argument("worker", metavar="WORKER", help="its name, for example W1")
    return parser.parse_args(argv)


def summary_of(args: Namespace) -> dict[str, object]:
    from automl_run.engine.admin.console import read_run

    return read_run(folder_of(args))
