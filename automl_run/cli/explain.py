"""`automl-run explain AM105`: what a code means. `automl-run explain FILE PATH`: every layer that touched a path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from automl_run.cli.options import Parser, is_legacy
from automl_run.cli.output import put, put_json
from automl_run.cli.read import add_source, read
from automl_run.dsl.diagnostics import nearest
from automl_run.dsl.explanations import page, pages
from automl_run.errors import InputError


def main(argv: Sequence[str]) -> int:
    if len(argv) == 1 and not argv[0].startswith("-"):
        put(explained(argv[0]))
        return 0
    legacy = is_legacy(argv)
    parser = Parser(prog="automl-run explain", description=__doc__)
    add_source(parser, legacy=legacy)
    parser.add_argument("path", metavar="PATH", help="a place of the configuration, such as train.model.channels")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    args = parser.parse_args(argv)
    checked, _ = read(args)
    checked.unwrap()
    from automl_run.dsl.provenance import provenance, render

    found = provenance(checked, args.path)
    put_json(asdict(found)) if args.json else put(render(found))
    return 0


def explained(code: str) -> str:
    """The page of `code`. InputError if there is none."""
    found = page(code)
    if found is None:
        best = nearest(code, pages())
        raise InputError(f"there is no code `{code}`" + (f"; did you mean {best}?" if best else ""))
    return found.rendered()
