"""Entry point: picks the subcommand, catches the error tree once, turns outcomes into exit codes.

    0 done    1 the run failed or found nothing    2 bad input, nothing started, nothing written    130 interrupted, resumable

Only the chosen subcommand's module is imported, so that `--help`, `--version` and `check` stay free of torch.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from automl_run import __version__
from automl_run.cli.output import put, settle_streams
from automl_run.errors import AutoMLError, InputError, ProgramError

#: subcommand -> what it does, in the order the help prints them. Each is `automl_run.cli.<name>.main(argv) -> exit code`.
COMMANDS = {
    "check": "read a program, print its parameters or its mistakes",
    "fmt": "put programs into the one layout",
    "lint": "find what is allowed and hardly meant",
    "convert": "write a program in the other language, Clara's JSON or .automl",
    "explain": "tell what the code of a message means, or where the value of a path comes from",
    "plan": "print what a run would do: its parameters, its size, its jobs and what they cost",
    "diff": "tell what two programs mean differently",
    "completion": "print the completion script of a shell",
    "bench": "measure the fast transforms beside MONAI and other libraries",
    "lsp": "serve an editor that speaks the language server protocol",
    "resume": "go on with an interrupted run",
    "show": "print the table of a run, living or ended",
    "workers": "print the workers of a run, what they do and how many jobs they had",
    "summary": "print when and where each job ran, the best first",
    "export": "make a MONAI bundle of a trained model of a run",
    "ensemble": "score the mean of the best models' predictions",
    "logs": "print what a job has printed",
    "suspend": "keep new jobs from a worker",
    "resume-worker": "give jobs to a suspended worker again",
    "abort": "end a job, with what it has reached",
    "stop": "end a run, which can be resumed; also one whose scheduler is dead",
}

#: Clara's names of the same.
ALIASES = {
    "list_workers": "workers",
    "show_worker": "workers",
    "suspend_worker": "suspend",
    "resume_worker": "resume-worker",
    "abort_worker": "abort",
}

USAGE = f"""automl-run {__version__}: finds the best training recipe for medical-imaging models.

usage: automl-run FILE.automl [options]               run a search
       automl-run -m MMAR_ROOT [--set k=v ...]        run a Clara MMAR, as Clara Train did
       automl-run COMMAND ...

commands:
{chr(10).join(f"  {name:<14} {text}" for name, text in COMMANDS.items())}

`automl-run run --help` lists the options of a run, `automl-run COMMAND --help` those of a command.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code for the command line `argv` (default: the process's own)."""
    settle_streams()
    args = list(sys.argv[1:] if argv is None else argv)
    first = ALIASES.get(args[0], args[0]) if args else ""
    command, rest = (first, args[1:]) if first in COMMANDS or first == "run" else ("run", args)
    try:
        if not args or args[0] in ("-h", "--help"):
            put(USAGE.rstrip())
            return 0 if args else 2
        if args[0] == "--version":
            put(f"automl-run {__version__}")
            return 0
        return int(importlib.import_module(f"automl_run.cli.{command.replace('-', '_')}").main(rest))
    except ProgramError as error:
        print(error, file=sys.stderr)
        return 2
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except AutoMLError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        # A full disk, a lost mount: the place says more than a traceback.
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        print(str(error) or "interrupted", file=sys.stderr)
        return 130
