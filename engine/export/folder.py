"""A folder that is there whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from automl_run.engine import journal
from automl_run.errors import InputError


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to be filled, which becomes `out` when the block ends well, and is removed else.

    InputError where `out` is no place for one, or cannot be made.
    """
    refuse_place(out)
    out = out.absolute()  # the working directory may change meanwhile
    temporary = out.parent / f".{out.name}.{os.getpid()}"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
    except OSError as error:
        raise InputError(f"{out} cannot be made: {error.strerror or error}") from error
    try:
        yield temporary
        # Not `replace`: what somebody put there meanwhile is not ours to remove. An empty folder would be replaced.
        refuse_place(out)
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def refuse_place(out: Path) -> None:
    """InputError where there is something at `out`, and within the folder of a run, whose jobs' files come and go."""
    whole = out.expanduser().absolute()
    run = next((folder for folder in (whole.resolve(), *whole.resolve().parents) if (folder / journal.FILE).is_file()), None)
    if run is not None:
        raise InputError(f"{out} lies in the folder of the run {run.name}, which removes what is there; choose another place")
    if out.exists() or out.is_symlink():
        raise InputError(f"{out} exists: nothing is overwritten; choose another place")
