"""`automl-run convert IN OUT`: a program in the other language.

    convert config_train.json search.automl     Clara's JSON as .automl, complete
    convert --overlay a.json search.automl      only the searches, over `use "a.json"`
    convert search.automl config_train.json     .automl as Clara's JSON, as far as it can say it
    convert -m MMAR_ROOT search.automl          an MMAR with its AutoML config and --set

The second name `-` means stdout, and the language that the first is not in. What is written was read again and means the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from automl_run.cli.options import Parser, is_legacy
from automl_run.cli.output import put
from automl_run.cli.read import add_source, program_of, read
from automl_run.dsl.diagnostics import render_all
from automl_run.dsl.ir import Program
from automl_run.dsl.load import Checked
from automl_run.errors import InputError, ProgramError


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="automl-run convert", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_source(parser, legacy=is_legacy(argv))
    parser.add_argument("output", metavar="OUT", help="the new file: .automl, .json, or - for stdout")
    parser.add_argument("--overlay", action="store_true", help="write the searches only, over the JSON file kept as base")
    parser.add_argument(
        "--legacy", choices=("strict", "lower"), default="strict",
        help="what Clara's JSON cannot say: list it and write nothing (strict), or make lists and grids of values (lower)",
    )  # fmt: skip
    parser.add_argument("--grid", type=int, default=8, metavar="N", help="values that stand for a range with --legacy=lower")
    parser.add_argument("--automlconf-out", type=Path, metavar="FILE", help="write the study as Clara's AutoML config, too")
    parser.add_argument("--force", action="store_true", help="overwrite OUT")
    args = parser.parse_args(_reordered(argv))
    if args.grid < 2:
        raise InputError("--grid is a number of values from 2")
    source = args.file if "file" in args else None
    to_json = _wants_json(args.output, source)
    if args.overlay and to_json:
        raise InputError("--overlay writes .automl over a JSON file")
    out = None if args.output == "-" else Path(args.output)
    for path in (out, args.automlconf_out):
        if path is not None and path.exists() and not args.force:
            raise InputError(f"{path} exists; --force overwrites it")
    if source is not None and not to_json and (study := _study_alone(source)) is not None:
        _write(out, study)
        return 0
    checked, _ = read(args)
    program = program_of(checked)
    if to_json:
        training, automl = _json(checked, program, args)
        _write(out, training)
        if args.automlconf_out is not None:
            _write(args.automlconf_out, automl)
    else:
        _write(out, _automl(program, args, source, out))
    return 0


def _reordered(argv: Sequence[str]) -> list[str]:
    """`-m ROOT --set a=1 b=2 OUT`: the list after --set would swallow OUT."""
    args = list(argv)
    if not is_legacy(argv) or "--set" not in args:
        return args
    loose = [at for at, arg in enumerate(args) if at and (arg == "-" or (arg.endswith((".automl", ".json")) and "=" not in arg))]
    after = [at for at in loose if args[at - 1] not in ("-m", "--automlconf", "--automlconf-out", "--grid")]
    return [args[at] for at in after] + [arg for at, arg in enumerate(args) if at not in after]


def _wants_json(output: str, source: Path | None) -> bool:
    suffix = Path(output).suffix
    if output == "-":
        return source is not None and source.suffix == ".automl"
    if suffix not in (".json", ".automl"):
        raise InputError(f"`{output}`: the new file is called .automl or .json")
    return suffix == ".json"


def _study_alone(source: Path) -> str | None:
    """The text for a config_automl.json, which is a study without a configuration; None for any other file."""
    from automl_run.dsl.load import check_automl_config

    if source.suffix != ".json" or not source.is_file():
        return None
    checked = check_automl_config(source)
    if checked is None:
        return None
    from automl_run.dsl.to_automl import to_automl

    return to_automl(program_of(checked))


def _automl(program: Program, args: argparse.Namespace, source: Path | None, out: Path | None) -> str:
    from automl_run.dsl.overlay import overlay
    from automl_run.dsl.to_automl import to_automl

    folder = Path.cwd() if out is None else out.parent
    if not args.overlay:
        return to_automl(program, folder=folder)
    if source is None:
        root = Path(args.mmar)
        name = str(program.variables.get("trainconf", "config_train.json"))
        source = root / "config" / name
    if source.suffix != ".json":
        raise InputError("--overlay keeps a JSON file as the base; this is an .automl file")
    return overlay(program, source, folder)


def _json(checked: Checked, program: Program, args: argparse.Namespace) -> tuple[str, str]:
    from automl_run.dsl.legacy.convert import convert, diagnostics
    from automl_run.dsl.legacy.spans import written_at

    found = convert(program, mode=args.legacy, grid=args.grid)
    spans = written_at(checked.layers)
    losses = found.losses + (found.study_losses if args.automlconf_out is not None and args.legacy == "strict" else ())
    if losses:
        errors = diagnostics(losses, spans, "lost")
        raise ProgramError(errors, render_all(errors, checked.sources))
    notes = diagnostics(found.lowered, spans, "coarser")
    if args.automlconf_out is not None:
        notes += diagnostics(found.study_losses, spans, "dropped")
    if notes:
        print(render_all(notes, checked.sources), file=sys.stderr)
    return _text(found.training), _text(found.automl)


def _text(document: Mapping[str, object]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _write(path: Path | None, text: str) -> None:
    if path is None:
        put(text.rstrip("\n"))
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
