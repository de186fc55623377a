"""`owner.json`: which scheduler has the run, for hosts whose locks this one may not see.

On one host the lock decides. A file system that several hosts share may keep locks to each of them, so a run of another host is
taken over only by someone who says so; its scheduler, should it live after all, sees that and ends.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import msgspec

from automl_run.errors import InputError, RunError

from .files import write_whole
from .identity import boot_id, host, start_time

FILE: Final = "owner.json"
#: how often the file is made fresh, and looked at
_BEAT_S: Final = 5.0


class Identity(msgspec.Struct, frozen=True):
    """`start`: see `identity.start_time`."""

    host: str
    boot_id: str
    pid: int
    start: int | None
    epoch: int


def read(folder: Path) -> Identity | None:
    """None where nobody has the run, or its file cannot be read."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Identity)
    except (OSError, msgspec.MsgspecError):
        return None


def last_beat(folder: Path) -> float | None:
    """When a scheduler that did not end in order last had the run (seconds since 1970), to a few seconds; None: unknown."""
    try:
        return (folder / FILE).stat().st_mtime
    except OSError:
        return None


def told(folder: Path) -> str:
    """` (process 12 of host a)`, or ""."""
    owner = read(folder)
    return "" if owner is None else f" (process {owner.pid} of host {owner.host})"


def refuse_foreign(folder: Path) -> None:
    """InputError when the last scheduler ran on another host and did not end in order."""
    owner = read(folder)
    if owner is None or owner.host == host() or owner.boot_id == boot_id() != "":
        return
    try:
        age = max(0.0, time.time() - (folder / FILE).stat().st_mtime)
    except OSError:
        age = 0.0
    raise InputError(
        f"the run in {folder} belongs to the host {owner.host} (process {owner.pid}), heard of {age:.0f} s ago; "
        f"if nothing of it runs there any more:  automl-run resume {folder} --take-over"
    )


class Owner:
    """This process as the run's owner, from now to `release`. OSError when that cannot be written."""

    def __init__(self, folder: Path, epoch: int) -> None:
        self._folder = folder
        self._me = Identity(host(), boot_id(), os.getpid(), start_time(os.getpid()), epoch)
        self._looked_at: float | None = None
        write_whole(folder / FILE, msgspec.json.format(msgspec.json.encode(self._me), indent=2) + b"\n", sync=True)

    def beat(self, now: float) -> None:
        """Every few seconds makes the file fresh. RunError when another scheduler has taken the run over."""
        if self._looked_at is not None and now - self._looked_at < _BEAT_S:
            return
        self._looked_at = now
        other = read(self._folder)
        if other is not None and other != self._me:
            raise RunError(f"the run was taken over by process {other.pid} of host {other.host}; this scheduler ends")
        try:
            os.utime(self._folder / FILE)
        except OSError:
            return  # a full or lost disk: the journal will tell

    def release(self) -> bool:
        """False when the run is another scheduler's by now: what lies in its folder is not ours to tidy."""
        other = read(self._folder)
        if other == self._me:
            (self._folder / FILE).unlink(missing_ok=True)
        return other is None or other == self._me
