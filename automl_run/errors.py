"""Every exception that leaves a public function of automl-run.

AutoMLError
├── InputError (ValueError)          the user's files or arguments are wrong; exit code 2, nothing was started
│   ├── ProgramError                 carries the diagnostics of a program
│   ├── TargetError                  what a program's target names is not there, or is of no use
│   └── RunExistsError               the run_id is used; it names `resume` and `--run-id`
├── RunError (RuntimeError)          a run failed or found nothing; exit code 1
│   ├── JournalError                 the journal is foreign, damaged or locked
│   └── JobError                     a job failed; carries its cause
└── WireError (ConnectionError)      a peer broke the protocol; its connection is dropped
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl_run.dsl.diagnostics import Diagnostic


class AutoMLError(Exception):
    """Root of the tree; the command line catches it once."""


class InputError(AutoMLError, ValueError):
    """The user's files or arguments are wrong. Nothing was started, nothing was written."""


class ProgramError(InputError):
    """A program has errors.

    `diagnostics` holds all of them, in source order. `str()` renders them with carets.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic], rendered: str) -> None:
        super().__init__(rendered)
        self.diagnostics = tuple(diagnostics)


class TargetError(InputError):
    """What a program's target names is not there, or is of no use. `argument`: which of its arguments, "" for the first."""

    def __init__(self, message: str, argument: str = "") -> None:
        super().__init__(message)
        self.argument = argument


class RunExistsError(InputError):
    """The run_id was used before."""


class RunError(AutoMLError, RuntimeError):
    """A run failed or found nothing."""


class JournalError(RunError):
    """The journal is foreign, damaged or in use."""


class JobError(RunError):
    """A job failed. `cause` is one of `automl_run.engine.core.causes`."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class WireError(AutoMLError, ConnectionError):
    """A peer broke the protocol."""
