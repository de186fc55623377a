"""The journal: the facts of one run in SQLite, the only durable truth.

One connection, exclusive: WAL without a shared-memory file, every commit synced. A run folder has one scheduler, held by a `flock`
on `lock`, which the kernel drops with the process; SQLite's own locks would not tell a second scheduler from a slow reader.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from automl_run.errors import JournalError

from .core.facts import SCHEMA, AnyFact, Durable, Transient

FILE: Final = "journal.db"
LOCK: Final = "lock"
#: "amlj": tells our file from any other SQLite file.
_APPLICATION_ID: Final = 0x616D6C6A
_DECODER: Final = msgspec.msgpack.Decoder(Durable)


class Journal:
    """Open for writing; the run is locked until `close`. Use from one thread."""

    def __init__(self, db: sqlite3.Connection, lock_fd: int) -> None:
        self._db = db
        self._lock_fd = lock_fd

    @staticmethod
    def create(folder: Path) -> Journal:
        """A new journal in `folder`. JournalError if there is one, or another scheduler."""
        return _open(folder, new=True)

    @staticmethod
    def open(folder: Path) -> Journal:
        """The journal of an earlier run. JournalError when it is missing, foreign, damaged, of another version or in use."""
        return _open(folder, new=False)

    def append(self, facts: Sequence[AnyFact]) -> None:
        """Stores the durable ones of `facts` in one synced transaction. JournalError when that fails: then nothing is stored."""
        rows = [(msgspec.msgpack.encode(fact),) for fact in facts if not isinstance(fact, Transient)]
        if not rows:
            return
        try:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO facts (body) VALUES (?)", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise JournalError(f"the journal cannot be written: {error}") from error

    def facts(self) -> Iterator[Durable]:
        """All facts, oldest first. JournalError on one that cannot be read."""
        try:
            for number, body in self._db.execute("SELECT number, body FROM facts ORDER BY number"):
                try:
                    yield _DECODER.decode(body)
                except (msgspec.DecodeError, msgspec.ValidationError) as error:
                    raise JournalError(f"fact {number} of the journal is damaged: {error}") from error
        except sqlite3.Error as error:
            raise JournalError(f"the journal cannot be read: {error}") from error

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        os.close(self._lock_fd)


def in_use(folder: Path) -> bool:
    """True while a scheduler holds the run."""
    try:
        fd = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _lock(folder: Path) -> int:
    fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise JournalError(f"another scheduler runs in {folder}") from error
    return fd


def _open(folder: Path, *, new: bool) -> Journal:
    path = folder / FILE
    if path.exists() == new:
        raise JournalError(f"{path} exists already" if new else f"{folder} is no run folder: it has no {FILE}")
    try:
        lock_fd = _lock(folder)
    except OSError as error:
        raise JournalError(f"{folder} cannot be locked: {error}") from error
    try:
        db = sqlite3.connect(path, isolation_level=None)
        try:
            # Before WAL: with an exclusive lock SQLite needs no shared-memory file, which network file systems cannot give.
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            if new:
                db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
                db.execute(f"PRAGMA user_version={SCHEMA}")
                db.execute("CREATE TABLE facts (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT")
            (application,) = db.execute("PRAGMA application_id").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            db.close()
            raise JournalError(f"{path} is no journal of automl-run, or it is damaged: {error}") from error
        if application != _APPLICATION_ID or version != SCHEMA:
            db.close()
            what = "is no journal of automl-run" if application != _APPLICATION_ID else f"has version {version}, not {SCHEMA}"
            raise JournalError(f"{path} {what}")
    except BaseException:
        os.close(lock_fd)
        raise
    return Journal(db, lock_fd)
