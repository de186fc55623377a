"""One end of a stream socket, non-blocking, for the scheduler and for agents alike."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from automl_run.errors import WireError

from .frames import LIMIT, FrameReader, encode
from .messages import Message

M = TypeVar("M")

_CHUNK = 64 * 1024
_READS_PER_TURN = 16
_MAX_UNSENT = 64 * 1024 * 1024


class Connection(Generic[M]):
    """Sends `Message`s and receives what `decode` makes of a body.

    Owns `sock`, which must be connected. `eof` is set once the peer closed; what it had sent is delivered first. After a WireError
    close it: the stream is not in step any more.
    """

    def __init__(self, sock: socket.socket, decode: Callable[[bytes], M], limit: int = LIMIT) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._decode = decode
        self._reader = FrameReader(limit)
        self._unsent = bytearray()
        self.eof = False

    def fileno(self) -> int:
        return self._sock.fileno()

    def trust(self) -> None:
        """Raises the frame limit: the handshake is over."""
        self._reader.limit = LIMIT

    @property
    def frame_started(self) -> bool:
        """True while an incoming frame has begun and is not complete."""
        return self._reader.started

    @property
    def wants_write(self) -> bool:
        """True while `flush` has something to send: wait for the socket to be writable, too."""
        return bool(self._unsent)

    def send(self, message: Message) -> None:
        """Queues, and sends what goes without waiting. A lost peer is no error here: `eof` tells. FrameTooLarge sends nothing."""
        frame = encode(message)
        if self.eof:
            return
        if len(self._unsent) + len(frame) > _MAX_UNSENT:
            self.eof = True
            return
        self._unsent += frame
        self.flush()

    def flush(self) -> None:
        """Sends as much of the queue as goes without waiting."""
        while self._unsent and not self.eof:
            try:
                sent = self._sock.send(self._unsent)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.eof = True
                return
            del self._unsent[:sent]

    def receive(self) -> Iterator[M]:
        """The messages that are here now; call it when the socket is readable. WireError on a bad frame."""
        for _ in range(_READS_PER_TURN):
            try:
                data = self._sock.recv(_CHUNK)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self.eof = True
                return
            self._reader.feed(data)
            while (body := self._reader.next()) is not None:
                yield self._decode(body)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.close()
        self.eof = True


__all__ = ["Connection", "WireError"]
