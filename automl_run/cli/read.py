"""From arguments to a checked program: the step that `check` and `run` share."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace as replaced
from pathlib import Path

from msgspec.structs import replace

from automl_run.cli.options import split_pair
from automl_run.dsl.diagnostics import Diagnostic, render_all
from automl_run.dsl.digest import digest
from automl_run.dsl.elaborate.support import unsupported
from automl_run.dsl.ir import Program
from automl_run.dsl.legacy import Settings, parse_settings
from automl_run.dsl.load import Checked, check, load_mmar
from automl_run.errors import InputError, ProgramError, TargetError


def add_source(parser: argparse.ArgumentParser, *, legacy: bool) -> None:
    """The program's arguments, in the form with FILE or in Clara's form."""
    if legacy:
        parser.add_argument("-m", dest="mmar", type=Path, required=True, metavar="MMAR_ROOT", help="root of the MMAR")
        parser.add_argument("--automlconf", metavar="F", help="AutoML config in the MMAR's config/ (default: config_automl.json)")
        parser.add_argument(
            "--set", dest="pairs", nargs="*", action="extend", default=[], metavar="K=V",
            help="run_id, workers, trainconf, traceout, engTrace, a dotted config path, or any {K}; a later one wins",
        )  # fmt: skip
    else:
        parser.add_argument(
            "file", type=Path, metavar="FILE", help="an .automl program or a Clara training config with `search` sections"
        )
        parser.add_argument(
            "--set",
            dest="pairs",
            action="append",
            default=[],
            metavar="PATH=EXPR",
            help="a value, or with `PATH ~ DOMAIN` a search, on top of the file; repeatable",
        )


def read(args: argparse.Namespace) -> tuple[Checked, Settings]:
    """The checked program and the legacy settings (empty ones for the form with FILE).

    Raises InputError for wrong arguments; what is wrong in files is in the diagnostics.
    """
    if "mmar" in args:
        settings = parse_settings(args.pairs)
        return load_mmar(args.mmar, automlconf=args.automlconf, settings=settings), settings
    return check(args.file, sets=[split_pair(pair) for pair in args.pairs]), parse_settings([])


def runnable(checked: Checked) -> Program:
    """As `program_of`, for a run: what the engine does not carry out (AM199) is an error, before anything is written."""
    refused = [replaced(found, severity="error", label="") for found in checked.diagnostics if found.code == "AM199"]
    if checked.program is not None and refused:
        raise ProgramError(refused, render_all(refused, checked.sources))
    return program_of(_without_classes(checked))


def placed(checked: Checked, error: TargetError) -> InputError:
    """`error` with its place, where the program says its target itself."""
    span = checked.places.get(f"target.{error.argument}") or checked.places.get("target.")
    if span is None:
        return error
    found = Diagnostic("AM405", str(error), span)
    return ProgramError([found], render_all([found], checked.sources))


def accelerated(program: Program) -> Program:
    """`program` as if its study said `accelerate = true`. InputError where that means nothing."""
    faster = replace(program, study=replace(program.study, accelerate=True))
    for found in unsupported(faster):
        if found.key == "accelerate":
            raise InputError(f"--accelerate: {found}")
    return replace(faster, digest=digest(faster))


def program_of(checked: Checked) -> Program:
    """The program; warnings and notes are printed to stderr. ProgramError when there are errors."""
    if checked.ok and checked.diagnostics:
        print(checked.rendered(), file=sys.stderr)
    return checked.unwrap()


def _without_classes(checked: Checked) -> Checked:
    """Without the notes on unknown classes where the run itself looks for each class before it begins, and says so."""
    target = checked.program.study.target if checked.program is not None else None
    if target is None or target.name not in ("Mmar", "Bundle"):
        return checked
    return replaced(checked, diagnostics=tuple(found for found in checked.diagnostics if found.code != "AM131"))
