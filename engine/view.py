"""A living run's second socket: who connects asks one thing (a line of JSON), gets one JSON document, and is hung up on.

Only processes of the same user are heard: the socket's folder is private, and the kernel tells whose process a peer is.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from automl_run.errors import RunError

from .admin.requests import REQUEST_LIMIT, Answer, AnyRequest, Show, parse
from .wire.server import accept_own, listen

_MAX_READERS = 16


@dataclass(slots=True)
class _Reader:
    sock: socket.socket
    heard: bytearray = field(default_factory=bytearray)
    said: bytearray | None = None


class View:
    """Answers every connection, then closes it. A slow peer never holds up the selector.

    `answer` is called when a request is whole; what it gives is sent in a later turn: what it set in motion is stored by then.
    """

    def __init__(
        self,
        path: Path,
        selector: selectors.BaseSelector,
        answer: Callable[[AnyRequest], object],
        listen: Callable[[Path], socket.socket] = listen,
    ) -> None:
        self._listener = listen(path)
        self._selector = selector
        self._answer = answer
        self._readers: dict[int, _Reader] = {}
        selector.register(self._listener, selectors.EVENT_READ, self._on_listener)

    def close(self) -> None:
        for fd, reader in list(self._readers.items()):
            if reader.said:
                # Answered in the last turn; a peer that does not take it at once has lost it.
                with contextlib.suppress(OSError):
                    reader.sock.send(reader.said)
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
            self._readers[fd] = _Reader(sock)
            self._selector.register(fd, selectors.EVENT_READ, lambda _mask, _now: self._on_ready(fd))
        yield from ()

    def _on_ready(self, fd: int) -> Iterator[Any]:
        # Not there: given up for a newer reader in this very turn.
        reader = self._readers.get(fd)
        if reader is not None:
            try:
                self._hear(fd, reader) if reader.said is None else self._say(fd, reader, reader.said)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                self._forget(fd)
        yield from ()

    def _hear(self, fd: int, reader: _Reader) -> None:
        data = reader.sock.recv(REQUEST_LIMIT)
        reader.heard += data
        line, newline, _ = reader.heard.partition(b"\n")
        if newline and len(line) < REQUEST_LIMIT:
            request = parse(bytes(line))
        elif not data or len(reader.heard) >= REQUEST_LIMIT:
            request = Answer("not a request: one line of JSON is expected", refused=True)
        else:
            return
        answer = request if isinstance(request, Answer) else self._answer(request)
        reader.said = bytearray(msgspec.json.encode(answer))
        self._selector.modify(fd, selectors.EVENT_WRITE, self._selector.get_key(fd).data)

    def _say(self, fd: int, reader: _Reader, rest: bytearray) -> None:
        del rest[: reader.sock.send(rest)]
        if not rest:
            self._forget(fd)

    def _forget(self, fd: int) -> None:
        reader = self._readers.pop(fd)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(fd)
        reader.sock.close()


def ask(path: Path, request: AnyRequest | None = None, timeout_s: float = 5.0) -> Any:
    """What the scheduler that listens at `path` answers; without a request, the summary. RunError when nobody does."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(timeout_s)
            sock.connect(str(path))
            sock.sendall(msgspec.json.encode(request if request is not None else Show()) + b"\n")
            parts = []
            while part := sock.recv(1 << 16):
                parts.append(part)
        return msgspec.json.decode(b"".join(parts))
    except (OSError, ValueError) as error:
        raise RunError(f"the scheduler of this run does not answer at {path}: {error}") from error
