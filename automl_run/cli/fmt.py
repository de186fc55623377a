"""`automl-run fmt FILE...`: programs in the one layout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from automl_run.cli.options import Parser
from automl_run.cli.output import put
from automl_run.cli.rewrite import read_text, replace_file
from automl_run.dsl.diagnostics import Diagnostic, render_all
from automl_run.dsl.format import format_source
from automl_run.dsl.source import Source
from automl_run.errors import InputError, ProgramError


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="automl-run fmt", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE", help="an .automl program, or - for standard input")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if something would change")
    parser.add_argument("--stdout", action="store_true", help="print the text instead of writing it into the file")
    args = parser.parse_args(argv)
    sources = [_source(name) for name in args.files]
    changed: list[tuple[Source, str]] = []
    failed: list[Diagnostic] = []
    for source in sources:
        formatted = format_source(source)
        failed += formatted.diagnostics
        if formatted.text is not None and (args.stdout or source.name == "-" or formatted.text != source.text):
            changed.append((source, formatted.text))
    if failed:  # of all files, and none is written
        raise ProgramError(failed, render_all(failed, {source.name: source for source in sources}))
    if args.check:
        different = [source for source, text in changed if text != source.text]
        for source in different:
            put(f"{source.name}: would change")
        return 1 if different else 0
    for source, text in changed:
        if args.stdout or source.name == "-":
            put(text.removesuffix("\n")) if text else None
        else:
            replace_file(Path(source.name), text)
            put(f"{source.name}: formatted", sys.stderr)
    return 0


def _source(name: str) -> Source:
    if name == "-":
        return Source(name, sys.stdin.read())
    if Path(name).suffix == ".json":
        raise InputError(f"`{name}` is a Clara JSON config; `fmt` formats .automl programs")
    return Source(name, read_text(Path(name)))
