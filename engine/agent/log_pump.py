"""A job's log: what it writes goes through a pipe to its keeper, which keeps the newest 32 MiB and the 32 MiB before them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from .folders import LOG_FILE, OLD_LOG_FILE

#: `log.txt` becomes `log.1.txt` at this size, in bytes.
LIMIT: Final = 32 * 1024 * 1024
_CHUNK: Final = 65536
#: read at one go, so that a job that writes without end does not keep its keeper from everything else
_AT_ONCE: Final = 16 * _CHUNK


class LogPump:
    """`fd` becomes readable when there is something to `pump`. What the disk does not take is dropped and counted: a full disk must
    not hold up the job, nor its keeper."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self._path, self._old = folder / LOG_FILE, folder / OLD_LOG_FILE
        self._limit = limit
        self._lost = 0
        self._file = -1
        self._size = 0
        self._open()
        self.fd, self.write_end = os.pipe2(os.O_CLOEXEC)
        # Of the reading end alone: the two ends do not share it.
        os.set_blocking(self.fd, False)

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        self._size = os.fstat(self._file).st_size

    def pump(self) -> tuple[bool, bool]:
        """Moves what is there: whether there was anything, and whether that was the end, since nobody can write any more."""
        moved = 0
        while moved < _AT_ONCE:
            try:
                data = os.read(self.fd, _CHUNK)
            except BlockingIOError:
                return moved > 0, False
            if not data:
                return moved > 0, True
            self._write(data)
            moved += len(data)
        return True, False

    def drain(self, most: int = 2 * LIMIT) -> None:
        """Everything that is left. `most` bytes: a process that could not be ended may write on."""
        for _ in range(max(1, most // _AT_ONCE)):
            some, end = self.pump()
            if end or not some:
                return

    def say(self, text: str) -> None:
        """A line of the keeper's own."""
        self._write(f"automl-run: {text}\n".encode(errors="backslashreplace"))

    def _write(self, data: bytes) -> None:
        if self._lost:
            notice = f"automl-run: {self._lost} bytes of this log could not be written\n".encode()
            self._lost -= self._lost if self._put(notice) else 0
        if not self._lost and self._put(data):
            return
        self._lost += len(data)

    def _put(self, data: bytes) -> bool:
        try:
            if self._size and self._size + len(data) > self._limit:
                self._rotate()
            while data:
                written = os.write(self._file, data)
                self._size += written
                data = data[written:]
        except OSError:
            return False
        return True

    def _rotate(self) -> None:
        self._path.replace(self._old)
        os.close(self._file)
        self._open()
