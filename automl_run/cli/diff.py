"""`automl-run diff A B`: what two programs mean differently. Exit code 0: the same, 1: not the same, 2: one cannot be read.

A and B are programs (.automl, Clara's .json), MMARs or run folders.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from automl_run.cli.options import Parser
from automl_run.cli.output import put, put_json
from automl_run.dsl.diff import diff, document, render
from automl_run.dsl.ir import Program
from automl_run.dsl.load import check, load_mmar
from automl_run.errors import InputError


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="automl-run diff", description=__doc__)
    parser.add_argument("before", type=Path, metavar="A")
    parser.add_argument("after", type=Path, metavar="B")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    args = parser.parse_args(argv)
    before, after = _program(args.before), _program(args.after)
    found = diff(before, after)
    if args.json:
        put_json(document(before, after))
    else:
        put(render(found))
    return 1 if found else 0


def _program(path: Path) -> Program:
    stored = path / "program.msgpack"
    if stored.is_file():
        try:
            return Program.from_bytes(stored.read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(f"{stored} cannot be read: {error}") from error
    if (path / "config").is_dir():
        return load_mmar(path).unwrap()
    if not path.is_file():
        raise InputError(f"no program `{path}`: a file, an MMAR or a run folder is needed")
    return check(path).unwrap()
