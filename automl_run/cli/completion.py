"""`automl-run completion SHELL`: the completion script of a shell.

eval "$(automl-run completion bash)"                                          in ~/.bashrc
source <(automl-run completion zsh)                                           in ~/.zshrc, after compinit
automl-run completion fish > ~/.config/fish/completions/automl-run.fish
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import re
from collections.abc import Sequence

from automl_run.cli.completion_scripts import SCRIPTS, Command, Option
from automl_run.cli.options import Parser
from automl_run.cli.output import put
from automl_run.errors import AutoMLError

_OPTION = re.compile(r"^  (?:-\w(?: \S+)?, )?(--[a-z][a-z-]*)(?: (\{[^}]*\}|\S+))?(?:\s+(\S.*))?$", re.M)
_FOLDERS, _FILES = ("DIR", "MMAR_ROOT"), ("FILE", "F")


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="automl-run completion", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shell", choices=sorted(SCRIPTS), help="whose script is printed")
    args = parser.parse_args(argv)

    from automl_run.engine.journal import FILE

    put(SCRIPTS[args.shell](described(), FILE).removesuffix("\n"))
    return 0


def described() -> list[Command]:
    """Every subcommand with its options, as its own help lists them; `run` is the one without a name."""
    from automl_run.cli.main import COMMANDS

    return [_described(name, text) for name, text in {**COMMANDS, "run": "run a search"}.items()]


def _described(name: str, text: str) -> Command:
    help = _help(name)
    options = [Option(match[1], *_value(match[2] or ""), match[3] or "") for match in _OPTION.finditer(help)]
    usage = help.partition("\n\n")[0]
    if re.search(r"\bRUN\b", usage):
        takes = "run"
    elif found := re.search(r"[^-]\{([^}]*)\}\s*$", usage):
        return Command(name, text, tuple(options), "word", tuple(found[1].split(",")))
    else:
        takes = "file" if re.search(r"\b(?:FILE|OUT|A|B)\b", usage.replace("FILE]", "")) else "nothing"
    return Command(name, text, tuple(options), takes)


def _value(metavar: str) -> tuple[str, tuple[str, ...]]:
    """What an option is followed by, and the words it may be."""
    if metavar.startswith("{"):
        return "word", tuple(metavar[1:-1].split(","))
    return ("folder" if metavar in _FOLDERS else "file" if metavar in _FILES else "text" if metavar else "nothing"), ()


def _help(name: str) -> str:
    """What `automl-run NAME --help` prints; "" for a command whose extra is not installed."""
    printed = io.StringIO()
    width = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "200"  # argparse asks here how wide its lines may be
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit, ImportError, AutoMLError):
            importlib.import_module(f"automl_run.cli.{name.replace('-', '_')}").main(["--help"])
    finally:
        os.environ.pop("COLUMNS")
        if width is not None:
            os.environ["COLUMNS"] = width
    return printed.getvalue()
