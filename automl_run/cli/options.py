"""Arguments that several subcommands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from automl_run.cli.output import put
from automl_run.dsl.legacy.cli_settings import TRACES
from automl_run.errors import InputError


class Parser(argparse.ArgumentParser):
    """argparse, with `InputError` instead of an exit, so that a wrong option is reported like every other wrong input."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise InputError(f"{message}\nusage: {self.format_usage().removeprefix('usage: ').strip()}")

    def print_help(self, file: object = None) -> None:
        put(self.format_help().rstrip())


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """What both forms of a run take."""
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where run folders go (default: runs/ beside the file, automl/ in an MMAR)"
    )
    parser.add_argument("--trace", choices=TRACES, default=None, help="where trace.log goes (default: file)")
    parser.add_argument("--engine-trace", action="store_true", help="trace the engine's messages too")
    parser.add_argument(
        "--allow-module", dest="allow_modules", action="append", default=[], metavar="MODULE",
        help="a module outside the MMAR's custom/ that components may come from; repeatable",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout, everything else on stderr")


def split_pair(text: str) -> tuple[str, str]:
    """`PATH=EXPR`, `PATH ~ DOMAIN` and `PATH=~ DOMAIN` as a pair; a domain keeps its `~`. InputError for anything else."""
    sign = next((char for char in text if char in "=~"), "")
    path, _, value = text.partition(sign) if sign else ("", "", "")
    if not path.strip():
        raise InputError(f"`--set {text}` is neither PATH=EXPR nor PATH ~ DOMAIN, for example --set study.budget.trials=40")
    return path.strip(), f"~ {value.strip()}" if sign == "~" else value.strip()


def whole_number(text: str) -> int:
    """An argument that counts something, from 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is no whole number from 1")
    return number


def is_legacy(argv: Sequence[str]) -> bool:
    """True for Clara's form, the one with `-m MMAR_ROOT`."""
    return any(arg.startswith("-m") for arg in argv)
