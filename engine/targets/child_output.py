"""What a child of the job's process prints: passed on to the job's own output, its end kept for a message."""

from __future__ import annotations

import os
import sys
from typing import Final

_CHUNK: Final = 64 * 1024
#: Two processes of a framework whose tracebacks have a hundred frames.
_TAIL_BYTES: Final = 32 * 1024


class ChildOutput:
    """`fd` is made not to block, and stays the caller's to close."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._tail = b""

    def read(self) -> bytes | None:
        """What is there now; b"" at the end of the output, None before it."""
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return None
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        return data

    @property
    def tail(self) -> str:
        return self._tail.decode(errors="replace")
