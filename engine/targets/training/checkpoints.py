"""The files in a job's checkpoint folder: each is whole and on the disk, or absent.

    step_000000012.pt   a complete checkpoint, after iteration 12; the newest two are kept
    best_000000008.pt   the best weights so far, for as long as one of the checkpoints names them

The one before the newest is there for the day the newest cannot be read. They are read without unpickling objects.
"""

from __future__ import annotations

import logging
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch

_log = logging.getLogger("automl_run.training")

FORMAT: Final = "automl-run checkpoint 2"
_KEPT: Final = 2
_STEP: Final = re.compile(r"step_(\d{9,})\.pt")
_BEST: Final = re.compile(r"best_\d{9,}\.pt")


class Unusable(Exception):
    """A checkpoint that cannot be continued from; the text says why."""


class Checkpoints:
    """`folder` is made when it is first written to. `identity`: what must be equal for a checkpoint to be this job's own."""

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder, self.identity = folder, identity
        #: those that this training wrote or went on from, the newest last -> the best weights that each names
        self._own: dict[Path, str | None] = {}

    def write(self, iteration: int, state: Mapping[str, object], best: str | None) -> Path:
        """Stores `state`, and removes what is not needed any more. OSError when it cannot be written."""
        path = self.folder / f"step_{iteration:09}.pt"
        save_whole(path, {"format": FORMAT, "identity": self.identity, "best": best, **state})
        self._own.pop(path, None)
        self._own[path] = best
        self._own = dict(list(self._own.items())[-_KEPT:])
        # By what was written, not by number: a training that could not go on from later ones began anew.
        for old in self._steps():
            if old not in self._own:
                old.unlink(missing_ok=True)
        named = set(self._own.values())
        for old in self.folder.iterdir():
            if (_BEST.fullmatch(old.name) and old.name not in named) or old.name.startswith(".writing."):
                old.unlink(missing_ok=True)
        return path

    def write_best(self, iteration: int, weights: Mapping[str, object]) -> str:
        """The name to give to `write`."""
        name = f"best_{iteration:09}.pt"
        save_whole(self.folder / name, weights)
        return name

    def usable(self, map_location: torch.device) -> Iterator[tuple[Path, dict[str, Any]]]:
        """This job's checkpoints, the newest first; one that is damaged or somebody else's is skipped with a warning."""
        for path in self._steps():
            try:
                yield path, self._read(path, map_location)
            except Unusable as reason:
                _log.warning("warning: %s is not used: %s", path.name, reason)

    def go_on_from(self, path: Path, best: str | None) -> None:
        """The training continues this one of `usable`: it is kept for as long as it is one of the newest."""
        self._own[path] = best

    def _read(self, path: Path, map_location: torch.device) -> dict[str, Any]:
        state = load_whole(path, map_location)
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            raise Unusable("it is no checkpoint of this version of automl-run")
        if state.get("identity") != self.identity:
            raise Unusable("it is of another job, or of other parameters")
        best = state.get("best")
        if best is not None and not (self.folder / str(best)).is_file():
            raise Unusable(f"the best weights that it names, {best}, are not there")
        return state

    def _steps(self) -> list[Path]:
        """The newest first."""
        try:
            found = [(int(match[1]), path) for path in self.folder.iterdir() if (match := _STEP.fullmatch(path.name))]
        except FileNotFoundError:
            return []
        return [path for _, path in sorted(found, reverse=True)]


def save_whole(path: Path, data: Mapping[str, object]) -> None:
    """`path` has its old content or `data`, which is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".writing.{path.name}")
    try:
        with beside.open("wb") as file:
            torch.save(dict(data), file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load_whole(path: Path, map_location: torch.device) -> Any:
    """Unusable for a file that is damaged or holds more than data."""
    try:
        # torch does not look at the sums that it wrote.
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise Unusable(f"it is damaged at {damaged}")
        return torch.load(path, map_location=map_location, weights_only=True)
    except Unusable:
        raise
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise Unusable(f"it cannot be read ({type(error).__name__}: {first[:200]})") from error
