"""The folder of a run, `<out>/<run_id>/`, and what lies where in it."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Final

import msgspec

from automl_run.dsl.ir import Program
from automl_run.dsl.to_automl import text_of_program
from automl_run.errors import InputError, RunExistsError

from . import journal
from .best import write_best
from .files import BEST, BEST_INFO, ENDPOINT, PROGRAM, write_whole
from .wire.server import private_root

_MAX_RUN_ID: Final = 128


def sweep(folder: Path) -> None:
    """Removes the sockets of a scheduler that was killed; the caller has the run's lock, so nobody listens there."""
    try:
        place = Path(json.loads((folder / ENDPOINT).read_text(encoding="utf-8"))["socket"]).parent
    except (OSError, ValueError, KeyError, TypeError):
        return
    if place.parent == private_root():
        shutil.rmtree(place, ignore_errors=True)
    (folder / ENDPOINT).unlink(missing_ok=True)


class RunFolder:
    """An existing run folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    def job(self, name: str) -> Path:
        return self.path / name

    @property
    def best(self) -> Path:
        return self.path / BEST

    def best_job(self) -> str | None:
        """The job whose model `best/` is; None where there is none."""
        try:
            info = json.loads((self.best / BEST_INFO).read_bytes())
        except (OSError, ValueError):
            return None
        name = info.get("job") if isinstance(info, dict) else None
        return name if isinstance(name, str) else None

    def write_json(self, name: str, data: object) -> None:
        """Replaces the file `name` at once: a reader sees the old or the new one."""
        write_whole(self.path / name, msgspec.json.format(msgspec.json.encode(data), indent=2) + b"\n", sync=True)

    def store_program(self, program: Program) -> None:
        """`program.msgpack` for the agents; `program.automl`, as it was written or resolved from its layers, for people."""
        write_whole(self.path / PROGRAM, program.to_bytes(), sync=True)
        copy = self.path / "program.automl"
        if not copy.exists():
            # A resume elsewhere has the copy already; what no text can say stays in program.msgpack.
            text = text_of_program(program)
            if text is not None:
                write_whole(copy, text.encode(), sync=True)

    def set_best(self, job: str, fence: int, info: object) -> None:
        """Makes `best/` the model of this attempt. OSError when it cannot be written."""
        write_best(self.path, job, fence, info)


def create(out: Path, run_id: str | None, name: str) -> tuple[RunFolder, str]:
    """A new folder for `run_id`, or for the first free of `<name>`, `<name>-2`, ... RunExistsError for a used one.

    InputError for a run_id that cannot be a folder's name, or a place that cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if run_id is not None:
            return RunFolder(_make(out, check_run_id(run_id))), run_id
        number = 1
        while True:
            chosen = _as_file_name(name) + (f"-{number}" if number > 1 else "")
            with contextlib.suppress(RunExistsError):
                return RunFolder(_make(out, chosen)), chosen
            number += 1
    except OSError as error:
        raise InputError(
            f"the run folder in {out} cannot be made: {error.strerror or error}; choose another place with --out"
        ) from error


def refuse_used(out: Path, run_id: str | None) -> None:
    """RunExistsError, InputError as `create` would, with nothing written."""
    if run_id is not None and _used(out / check_run_id(run_id)):
        raise _exists(out / run_id)


def _used(path: Path) -> bool:
    try:
        return any(entry.name not in journal.LEFTOVERS for entry in path.iterdir())
    except NotADirectoryError:
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def _make(out: Path, run_id: str) -> Path:
    path = out / run_id
    if _used(path):
        raise _exists(path)
    # Not exist_ok: of two schedulers that start at once, the journal's lock lets one through.
    path.mkdir(exist_ok=True)
    return path


def _exists(path: Path) -> RunExistsError:
    return RunExistsError(
        f"run_id `{path.name}` was used before: {path} exists\n"
        f"  go on with it:  automl-run resume {path}\n"
        f"  start another:  --run-id NEW (with -m: --set run_id=NEW)"
    )


def check_run_id(run_id: str) -> str:
    """`run_id`, if it can be a folder's name; InputError else."""
    good = run_id and len(run_id.encode()) <= _MAX_RUN_ID and not run_id.startswith((".", "-")) and run_id.isprintable()
    if not good or any(char in run_id for char in "/\\"):
        raise InputError(
            f"run_id `{run_id}` cannot be a folder's name: no slashes, no leading dot or dash, at most {_MAX_RUN_ID} bytes"
        )
    return run_id


def _as_file_name(name: str) -> str:
    kept = "".join(char if char.isalnum() or char in "._-" else "_" for char in name).lstrip(".-")
    return kept[:64] or "study"


def default_out(program: Program) -> Path:
    """Where run folders go without --out: the study's `out`, `automl/` of an MMAR, else `runs/` beside the program's file."""
    base = Path(program.base_dir)
    if program.study.out is not None:
        return base / program.study.out
    target = program.study.target
    from_file = bool(program.files) and program.files[0].endswith(".automl")
    if target is not None and target.name == "Mmar" and not from_file:
        root = next(iter(target.args.values()), None)
        return (base / root if isinstance(root, str) else base) / "automl"
    return base / "runs"


def find_run(run: str, *, out: Path | None = None, mmar: Path | None = None) -> Path:
    """The folder of RUN: a run folder, or a run_id sought in `out`, ./runs and the MMAR's automl/. InputError if there is none."""
    sought = [Path(run)]
    if "/" not in run:
        sought += [place / run for place in (out, Path("runs"), mmar / "automl" if mmar else None) if place is not None]
    for place in sought:
        if (place / journal.FILE).is_file():
            return place.resolve()
    places = ", ".join(str(place) for place in sought)
    raise InputError(f"no run `{run}`: none of {places} holds a {journal.FILE}")
