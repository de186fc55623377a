"""The journal: the facts of one run in SQLite, the only durable truth.

One connection, exclusive: WAL without a shared-memory file, every commit synced. A run folder has one scheduler, held by a `flock`
on `lock`, which the kernel drops with the process; SQLite's own locks would not tell a second scheduler from a slow reader.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

import msgspec

from automl_run.errors import JournalError

from . import owner
from .core.facts import SCHEMA, AnyFact, Durable, Transient

FILE: Final = "journal.db"
LOCK: Final = "lock"
#: What a start that was killed before its journal was whole leaves behind: such a folder holds no run.
LEFTOVERS: Final = frozenset({LOCK, f"{FILE}.new"})
#: A `show` holds the lock for as long as it reads.
_PATIENCE_S: Final = 1.0
#: "amlj": tells our file from any other SQLite file.
_APPLICATION_ID: Final = 0x616D6C6A
_DECODER: Final = msgspec.msgpack.Decoder(Durable)


class JournalGone(JournalError):
    """The file of an open journal is not in its place any more: nothing can be resumed there."""


class Ledger(Protocol):
    """What a scheduler needs of a journal."""

    def append(self, facts: Sequence[AnyFact]) -> None: ...


class Journal:
    """Open for writing; the run is locked until `close`. Use from one thread."""

    def __init__(self, db: sqlite3.Connection, lock_fd: int, path: Path) -> None:
        self._db = db
        self._lock_fd = lock_fd
        self._path = path
        self._file = _identity(path)

    @staticmethod
    def create(folder: Path, first: Sequence[AnyFact] = ()) -> Journal:
        """A new journal in `folder` that holds `first`: whole, or not there. JournalError if there is one, or another scheduler."""
        path = folder / FILE
        lock_fd = _lock(folder)
        try:
            if path.exists():
                raise JournalError(f"{path} exists already")
            _write_new(path, _rows(first))
            return Journal(_connect(path), lock_fd, path)
        except BaseException:
            os.close(lock_fd)
            raise

    @staticmethod
    def open(folder: Path) -> Journal:
        """The journal of an earlier run. JournalError when it is missing, foreign, damaged, of another version or in use."""
        path = _existing(folder)
        lock_fd = _lock(folder)
        try:
            return Journal(_connect(path), lock_fd, path)
        except BaseException:
            os.close(lock_fd)
            raise

    @staticmethod
    def read(folder: Path) -> Journal:
        """As `open`, for reading only: several may read at once, and from a place that cannot be written."""
        path = _existing(folder)
        writable = os.access(folder, os.W_OK) and os.access(path, os.W_OK)
        if not writable and path.with_name(f"{FILE}-wal").exists():
            raise JournalError(f"{path} was not closed in order, and cannot be read where it cannot be written")
        lock_fd = _lock(folder, shared=True)
        try:
            return Journal(_connect(path, immutable=not writable), lock_fd, path)
        except BaseException:
            os.close(lock_fd)
            raise

    def append(self, facts: Sequence[AnyFact]) -> None:
        """Stores the durable ones of `facts` in one synced transaction. JournalError when that fails: then nothing is stored."""
        rows = _rows(facts)
        if not rows:
            return
        # SQLite would go on writing to a file that has no name any more.
        if _identity(self._path) != self._file:
            raise JournalGone(f"{self._path} was removed, moved or replaced while the run went on")
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


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def in_use(folder: Path) -> bool:
    """True while a scheduler holds the run."""
    try:
        fd = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _existing(folder: Path) -> Path:
    path = folder / FILE
    if not path.is_file():
        raise JournalError(f"{folder} is no run folder: it has no {FILE}")
    return path


def _lock(folder: Path, *, shared: bool = False) -> int:
    path = folder / LOCK
    try:
        fd = os.open(path, (os.O_RDONLY if shared and path.exists() else os.O_RDWR | os.O_CREAT) | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise JournalError(f"{folder} cannot be locked: {error.strerror}") from error
    until = time.monotonic() + (0.0 if shared else _PATIENCE_S)
    while True:
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() >= until:
                os.close(fd)
                raise JournalError(f"another scheduler runs in {folder}{owner.told(folder)}") from error
            time.sleep(0.02)
        else:
            return fd


def _rows(facts: Sequence[AnyFact]) -> list[tuple[bytes]]:
    return [(msgspec.msgpack.encode(fact),) for fact in facts if not isinstance(fact, Transient)]


def _write_new(path: Path, rows: list[tuple[bytes]]) -> None:
    """Made beside its place and renamed: whoever finds a journal finds all of its beginning."""
    temporary = path.with_name(f"{FILE}.new")
    try:
        temporary.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=OFF")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("BEGIN")
            db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            db.execute(f"PRAGMA user_version={SCHEMA}")
            db.execute("CREATE TABLE facts (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT")
            db.executemany("INSERT INTO facts (body) VALUES (?)", rows)
            db.execute("COMMIT")
        temporary.rename(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except (sqlite3.Error, OSError) as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise JournalError(f"the journal cannot be made in {path.parent}: {error}") from error


def _connect(path: Path, *, immutable: bool = False) -> sqlite3.Connection:
    """The journal at `path`, which must be locked. JournalError when it is foreign, damaged or of another version."""
    _refuse_foreign(path)
    db: sqlite3.Connection | None = None
    try:
        if immutable:
            db = sqlite3.connect(f"file:{quote(str(path.absolute()))}?immutable=1", uri=True, isolation_level=None)
        else:
            db = sqlite3.connect(path, isolation_level=None)
            # Before WAL: with an exclusive lock SQLite needs no shared-memory file, which network file systems cannot give.
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if application != _APPLICATION_ID:
            raise JournalError(f"{path} is no journal of automl-run")
        if version != SCHEMA:
            raise JournalError(f"{path} has version {version}, not {SCHEMA}")
    except sqlite3.Error as error:
        if db is not None:
            db.close()
        # Operational: the disk, not what the file holds.
        disk = isinstance(error, sqlite3.OperationalError)
        raise JournalError(
            f"{path} {'cannot be opened' if disk else 'is no journal of automl-run, or it is damaged'}: {error}"
        ) from error
    except JournalError:
        if db is not None:
            db.close()
        raise
    return db


def _refuse_foreign(path: Path) -> None:
    """JournalError for a file that is not ours, before SQLite sees it: to switch a database to WAL already writes to it."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror}") from error
    if not header.startswith(b"SQLite format 3\0") or int.from_bytes(header[68:72], "big") != _APPLICATION_ID:
        raise JournalError(f"{path} is no journal of automl-run, or it is damaged")
