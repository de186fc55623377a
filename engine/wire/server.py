"""The scheduler's end: a Unix socket in a private folder, the handshake, and the deadlines of frames."""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import shutil
import socket
import stat
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from automl_run.errors import RunError, WireError

from .connection import Connection
from .frames import HELLO_LIMIT, decode_from_agent
from .messages import PROTOCOL, FromAgent, Hello, Reject, ToAgent

HANDSHAKE_S: Final = 5.0
FRAME_S: Final = 10.0
_MAX_STRANGERS: Final = 64
#: So long a folder of sockets may be there before anybody listens.
_BEGINNING_S: Final = 60.0


def private_root() -> Path:
    """Where the sockets of all runs of this user are."""
    return Path(f"/tmp/automl-{os.getuid()}")


def private_folder() -> Path:
    """A new folder `/tmp/automl-<uid>/<8 hex>/`, ours alone. RunError when someone else sits on its place.

    Under /tmp, not under the run folder: the address of a Unix socket has at most 108 bytes.
    """
    root = private_root()
    with contextlib.suppress(FileExistsError):
        root.mkdir(mode=0o700)
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise RunError(f"{root} must be a folder that belongs to you alone (mode 0700)")
    _sweep(root)
    while True:
        folder = root / secrets.token_hex(4)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder


def _sweep(root: Path) -> None:
    """Removes what schedulers that were killed have left: folders of sockets on which nobody listens."""
    for folder in root.glob("[0-9a-f]" * 8):
        with contextlib.suppress(OSError):
            if time.time() - folder.lstat().st_mtime > _BEGINNING_S and not any(map(_is_heard, folder.iterdir())):
                shutil.rmtree(folder)


def _is_heard(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True  # a queue that is full is somebody's
    return True


def listen(path: Path) -> socket.socket:
    """A non-blocking listening socket at `path`."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    sock.setblocking(False)
    sock.bind(str(path))
    sock.listen(128)
    return sock


def accept_own(listener: socket.socket) -> socket.socket | None:
    """The next connection of a process of this user, or None; another user's is closed."""
    try:
        sock, _ = listener.accept()
    except OSError:
        return None
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    if uid not in (os.getuid(), 0):
        sock.close()
        return None
    return sock


@dataclass(slots=True)
class _Peer:
    connection: Connection[FromAgent]
    since: float
    worker: str | None = None
    pid: int = 0
    #: when the frame that is incomplete now began; None without one
    frame_since: float | None = None
    watched: int = field(default=selectors.EVENT_READ)


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection of `worker` is gone."""

    worker: str
    reason: str


class Server:
    """Agents' connections, in a selector that the caller owns. Registered keys carry a callback `(mask, now) -> events` as data.

    `accept_hello` tells whether a Hello is welcome: None, or the code of the Reject.
    """

    def __init__(
        self,
        path: Path,
        selector: selectors.BaseSelector,
        accept_hello: Callable[[Hello], str | None],
        listen: Callable[[Path], socket.socket] = listen,
    ) -> None:
        self._listener = listen(path)
        self._selector = selector
        self._accept_hello = accept_hello
        self._peers: dict[int, _Peer] = {}
        self._by_worker: dict[str, _Peer] = {}
        selector.register(self._listener, selectors.EVENT_READ, self._on_listener)

    def send(self, worker: str, message: ToAgent) -> None:
        """Nothing happens when the worker is not connected: its next Hello settles what was lost. FrameTooLarge, WireError."""
        peer = self._by_worker.get(worker)
        if peer is not None:
            peer.connection.send(message)
            self._watch(peer)

    def drop(self, worker: str) -> None:
        """Closes the connection, without an event."""
        peer = self._by_worker.get(worker)
        if peer is not None:
            self._forget(peer)

    def check_deadlines(self, now: float) -> Iterator[Cut]:
        """Cuts peers that take too long over a handshake or a frame, or whose sending failed."""
        for peer in list(self._peers.values()):
            late = peer.worker is None and now - peer.since > HANDSHAKE_S
            slow = peer.frame_since is not None and now - peer.frame_since > FRAME_S
            if late or slow or peer.connection.eof:
                self._forget(peer)
                if peer.worker is not None:
                    yield Cut(peer.worker, "a frame was not finished in time" if slow else "its connection broke")

    def close(self) -> None:
        for peer in list(self._peers.values()):
            self._forget(peer)
        self._selector.unregister(self._listener)
        self._listener.close()

    # -- events ----------------------------------------------------------------------------------------------------------

    def _on_listener(self, _mask: int, now: float) -> Iterator[tuple[str, FromAgent] | Cut]:
        sock = accept_own(self._listener)
        if sock is not None:
            strangers = [peer for peer in self._peers.values() if peer.worker is None]
            if len(strangers) >= _MAX_STRANGERS:
                self._forget(strangers[0])
            peer = _Peer(Connection(sock, decode_from_agent, HELLO_LIMIT), now)
            self._peers[sock.fileno()] = peer
            self._selector.register(
                sock.fileno(), selectors.EVENT_READ, lambda mask, now, peer=peer: self._on_peer(peer, mask, now)
            )
        yield from ()

    def _on_peer(self, peer: _Peer, mask: int, now: float) -> Iterator[tuple[str, FromAgent] | Cut]:
        reason = "it closed its connection"
        if mask & selectors.EVENT_WRITE:
            peer.connection.flush()
        if mask & selectors.EVENT_READ:
            try:
                for message in peer.connection.receive():
                    peer.frame_since = None
                    if peer.worker is None:
                        self._handshake(peer, message)
                    elif isinstance(message, Hello):
                        raise WireError("a second Hello")
                    if peer.worker is None or peer.connection.eof:
                        break
                    yield peer.worker, message
            except WireError as error:
                reason = str(error)
                peer.connection.eof = True
            if not peer.connection.frame_started:
                peer.frame_since = None
            elif peer.frame_since is None:
                peer.frame_since = now
        if peer.connection.eof:
            known = peer.worker is not None and self._by_worker.get(peer.worker) is peer
            self._forget(peer)
            if known and peer.worker is not None:
                yield Cut(peer.worker, reason)
        else:
            self._watch(peer)

    def _handshake(self, peer: _Peer, message: FromAgent) -> None:
        """Makes the peer a worker's, or refuses it."""
        if not isinstance(message, Hello):
            raise WireError("no Hello first")
        old = self._by_worker.get(message.worker)
        if old is not None and old.pid == message.pid:
            # The same agent connects anew, and this was seen before the end of its old connection.
            self._forget(old)
        if not message.proto_min <= PROTOCOL <= message.proto_max:
            code: str | None = "protocol"
        elif message.worker in self._by_worker:
            code = "worker_taken"
        else:
            code = self._accept_hello(message)
        if code is not None:
            peer.connection.send(Reject(code))
            raise WireError(f"refused: {code}")
        peer.worker, peer.pid = message.worker, message.pid
        peer.connection.trust()
        self._by_worker[message.worker] = peer

    def _watch(self, peer: _Peer) -> None:
        """Asks the selector for what the connection needs now."""
        if peer.connection.eof or peer.connection.fileno() not in self._peers:
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.connection.wants_write else 0)
        if wanted != peer.watched:
            key = self._selector.get_key(peer.connection.fileno())
            self._selector.modify(peer.connection.fileno(), wanted, key.data)
            peer.watched = wanted

    def _forget(self, peer: _Peer) -> None:
        fd = peer.connection.fileno()
        if self._peers.pop(fd, None) is not None:
            self._selector.unregister(fd)
        if peer.worker is not None and self._by_worker.get(peer.worker) is peer:
            del self._by_worker[peer.worker]
        peer.connection.close()
