"""Room on the disk: how much stays free of jobs (`disk_reserve`), and what is kept back for a run's own last words."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from automl_run.errors import JournalError

from .core import inputs as on
from .core.facts import AnyFact
from .journal import Ledger

#: bytes
BALLAST: Final = 4 * 1024 * 1024
_FILE: Final = ".ballast"
#: between two looks at the disk
_INTERVAL_S: Final = 1.0


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class DiskReserve:
    """Tells when the disk of `folder` has less than `reserve` bytes free, and when it has them again. `reserve` None: never."""

    def __init__(self, folder: Path, reserve: int | None, free: Callable[[Path], int] = free_bytes) -> None:
        self._folder, self._reserve, self._free = folder, reserve, free
        self._low = False
        self._looked_at: float | None = None

    def check(self, now: float) -> on.Held | None:
        """What has changed since the last call; looks once a second."""
        if self._reserve is None or (self._looked_at is not None and now - self._looked_at < _INTERVAL_S):
            return None
        self._looked_at = now
        try:
            free = self._free(self._folder)
        except OSError:
            return None
        if (free < self._reserve) == self._low:
            return None
        self._low = not self._low
        if not self._low:
            return on.Held(None)
        return on.Held(
            f"no job is started: {_gib(free)} are free on the disk of {self._folder}, "
            f"less than disk_reserve = {_gib(self._reserve)}; it goes on when there is room"
        )


class Ballast:
    """A file that takes room so that it can be given back: to the journal, when the disk has become full."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        with contextlib.suppress(OSError):  # too late: it is full already
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, BALLAST)
            except OSError:
                self._path.unlink()
            finally:
                os.close(fd)

    def drop(self) -> bool:
        """True if that made room."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True


class BallastedLedger:
    """A journal that survives a full disk once: it drops the ballast, stores what it was given, and says `on_full`."""

    def __init__(self, ledger: Ledger, ballast: Ballast, on_full: Callable[[], None]) -> None:
        self._ledger, self._ballast, self._on_full = ledger, ballast, on_full

    def append(self, facts: Sequence[AnyFact]) -> None:
        """JournalError when it cannot be stored all the same."""
        try:
            self._ledger.append(facts)
        except JournalError:
            # Whatever the reason is called (no space, a quota): if room helps, it was that.
            if not self._ballast.drop():
                raise
            self._ledger.append(facts)
            self._on_full()


def _gib(count: int) -> str:
    return f"{count / 2**30:.3g} GiB"
