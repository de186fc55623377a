"""`show` of a living run: its scheduler gives a snapshot to whoever connects to its second socket."""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from automl_run.errors import RunError

from .wire.server import accept_own, listen

_MAX_READERS = 16


class View:
    """Answers every connection with one JSON document, then closes it. A slow reader never holds up the selector."""

    def __init__(self, path: Path, selector: selectors.BaseSelector, snapshot: Callable[[], object]) -> None:
        self._listener = listen(path)
        self._selector = selector
        self._snapshot = snapshot
        self._readers: dict[int, tuple[socket.socket, bytearray]] = {}
        selector.register(self._listener, selectors.EVENT_READ, self._on_listener)

    def close(self) -> None:
        for fd in list(self._readers):
            self._forget(fd)
        self._selector.unregister(self._listener)
        self._listener.close()

    def _on_listener(self, _mask: int, _now: float) -> Iterator[Any]:
        sock = accept_own(self._listener)
        if sock is not None:
            if len(self._readers) >= _MAX_READERS:
                self._forget(next(iter(self._readers)))
            sock.setblocking(False)
            fd = sock.fileno()
            self._readers[fd] = sock, bytearray(json.dumps(self._snapshot()).encode())
            self._selector.register(fd, selectors.EVENT_WRITE, lambda _mask, _now: self._on_writable(fd))
        yield from ()

    def _on_writable(self, fd: int) -> Iterator[Any]:
        if fd not in self._readers:
            # Given up for a newer reader in this very turn.
            return
        sock, rest = self._readers[fd]
        try:
            del rest[: sock.send(rest)]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            rest.clear()
        if not rest:
            self._forget(fd)
        yield from ()

    def _forget(self, fd: int) -> None:
        sock, _ = self._readers.pop(fd)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(fd)
        sock.close()


def ask(path: Path, timeout_s: float = 5.0) -> Any:
    """The snapshot from the scheduler that listens at `path`. RunError when nobody does."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(timeout_s)
            sock.connect(str(path))
            parts = []
            while part := sock.recv(1 << 16):
                parts.append(part)
        return json.loads(b"".join(parts))
    except (OSError, ValueError) as error:
        raise RunError(f"the scheduler of this run does not answer at {path}: {error}") from error
