"""What a job has printed, and what it goes on printing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from automl_run.engine.agent.folders import LOG_FILE, OLD_LOG_FILE, RESULT_FILE, attempt_dir
from automl_run.errors import InputError

_CHUNK: Final = 1 << 16
_LOOK_S: Final = 0.2


def job_named(summary: dict[str, Any], what: str, folder: Path) -> tuple[str, int]:
    """(job, newest attempt) of a job's name, its number among the recommendations, or a worker that has had one. InputError."""
    jobs = summary["jobs"]
    mine = [job for job in jobs if what in (job["name"], str(job["index"]))]
    mine += sorted((job for job in jobs if job.get("worker") == what), key=lambda job: -(job.get("start") or 0.0))
    if not mine:
        names = ", ".join(job["name"] for job in jobs[:20]) or "none yet"
        raise InputError(f"no job `{what}` in {folder}; its jobs: {names}{', ...' if len(jobs) > 20 else ''}")
    return mine[0]["name"], mine[0]["attempts"]


def printed(run_dir: Path, job: str, attempt: int) -> Iterator[bytes]:
    """The log of an attempt as it is now: the older part, then the newer one."""
    folder = attempt_dir(run_dir, job, attempt)
    for name in (OLD_LOG_FILE, LOG_FILE):
        try:
            with (folder / name).open("rb") as file:
                while data := file.read(_CHUNK):
                    yield data
        except FileNotFoundError:
            continue


class Follower:
    """Reads a log that grows and is rotated, from its beginning; `attempt` may go up between two reads."""

    def __init__(self, run_dir: Path, job: str, attempt: int) -> None:
        self._run_dir, self._job, self._attempt = run_dir, job, attempt
        self._at = 0
        self._file: tuple[int, int] | None = None
        self._older = False

    def read(self, attempt: int) -> Iterator[bytes]:
        """What is new."""
        if attempt != self._attempt:
            yield from self._rest()
            self._attempt, self._at, self._file, self._older = attempt, 0, None, False
        yield from self._rest()

    def _rest(self) -> Iterator[bytes]:
        folder = attempt_dir(self._run_dir, self._job, self._attempt)
        if self._file is None and not self._older:
            self._older = True
            yield from _from(folder / OLD_LOG_FILE, 0)
        try:
            found = (folder / LOG_FILE).stat()
        except OSError:
            return
        if self._file is not None and self._file != (found.st_dev, found.st_ino):
            # Rotated: what was being read is the older part now.
            yield from _from(folder / OLD_LOG_FILE, self._at)
            self._at = 0
        self._file = found.st_dev, found.st_ino
        for data in _from(folder / LOG_FILE, self._at):
            self._at += len(data)
            yield data


def _from(path: Path, at: int) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(at)
            while data := file.read(_CHUNK):
                yield data
    except FileNotFoundError:
        return


def has_ended(run_dir: Path, job: str, attempt: int) -> bool:
    """True when this attempt has left its result; the job may be tried again."""
    return (attempt_dir(run_dir, job, attempt) / RESULT_FILE).exists()


def nap() -> None:
    time.sleep(_LOOK_S)
