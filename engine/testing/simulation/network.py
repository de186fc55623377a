"""Stream sockets whose frames are late, lost, doubled or out of order.

A real Unix socket loses nothing unless it breaks. This one is harsher: what is dropped is dropped at once, and the connection
breaks a little later, as it would over any network; doubled and swapped frames need no break at all.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from .world import World


@dataclass(slots=True)
class Rates:
    """Chance per frame."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0
    #: chance per call of `send` that only a part is taken
    partial: float = 0.0


CALM = Rates()


class SimSocket:
    """One end. `on_data` and `on_end`: for a peer that is no actor of its own."""

    def __init__(self, world: World, rates: Rates) -> None:
        self._world, self._rates = world, rates
        self.fd = world.new_fd(self)
        self.peer: SimSocket | None = None
        self.inbox = bytearray()
        self.ended = False
        self.closed = False
        self.on_data: Callable[[bytes], None] | None = None
        self.on_end: Callable[[], None] | None = None
        #: called with each frame sent, before anything can go wrong with it: a spy, or a crash point
        self.on_send: Callable[[bytes], None] | None = None
        self.held_until = 0.0
        self._started = bytearray()
        self._last_arrival = 0.0

    # -- what the engine calls ---------------------------------------------------------------------------------------------

    def setblocking(self, flag: bool) -> None:
        pass

    def settimeout(self, timeout_s: float | None) -> None:
        pass

    def fileno(self) -> int:
        return -1 if self.closed else self.fd

    def getsockopt(self, *_: int) -> bytes:
        return struct.pack("3i", 1, 0, 0)

    def send(self, data: bytes | bytearray) -> int:
        if self.closed or self.peer is None or self.peer.closed:
            raise BrokenPipeError
        size = len(data)
        if size > 1 and self._world.chance(self._rates.partial):
            size = self._world.random.randrange(1, size)
            self._world.faults["partial send"] += 1
        self._started += data[:size]
        while len(self._started) >= 4:
            (length,) = struct.unpack_from(">I", self._started)
            if len(self._started) < 4 + length:
                break
            frame = bytes(self._started[: 4 + length])
            del self._started[: 4 + length]
            self._send_frame(frame)
        return size

    def recv(self, size: int, flags: int = 0) -> bytes:
        if self.inbox:
            if len(self.inbox) > 1 and self._world.chance(self._rates.partial):
                size = self._world.random.randrange(1, len(self.inbox))
            data = bytes(self.inbox[:size])
            del self.inbox[:size]
            return data
        if self.ended or self.closed:
            return b""
        raise BlockingIOError

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._world.pollables.pop(self.fd, None)
        peer = self.peer
        if peer is not None and not peer.closed:
            self._world.after(max(self._last_arrival - self._world.now, 0.0) + 1e-4, peer._end)

    def readable(self) -> bool:
        return bool(self.inbox) or self.ended

    def writable(self) -> bool:
        return True

    # -- what the world does -----------------------------------------------------------------------------------------------

    def send_raw(self, data: bytes) -> None:
        """Bytes that are no frames, in order, at once."""
        if not self.closed and self.peer is not None and not self.peer.closed:
            self._arrive_after(1e-4, data)

    def cut(self) -> None:
        """Breaks the connection for both: what is under way is lost."""
        for end in (self, self.peer):
            if end is not None and not end.closed:
                end.inbox.clear()
                end._end()
        if self.peer is not None:
            self.peer.peer = None
        self.peer = None

    def hold(self, until: float) -> None:
        """Nothing arrives in either direction before `until`."""
        for end in (self, self.peer):
            if end is not None:
                end.held_until = max(end.held_until, until)

    def _send_frame(self, frame: bytes) -> None:
        if self.on_send is not None:
            self.on_send(frame)
        world, rates = self._world, self._rates
        delay = world.random.expovariate(1 / 0.002)
        if world.chance(rates.delay):
            world.faults["delay"] += 1
            delay += world.random.uniform(0.1, 4.0)
        if world.chance(rates.drop):
            world.faults["drop"] += 1
            world.after(world.random.uniform(0.01, 3.0), self.cut)
            return
        if world.chance(rates.reorder):
            world.faults["reorder"] += 1
            self._deliver_at(world.now + delay + world.random.uniform(0.05, 1.0), frame)
        else:
            self._arrive_after(delay, frame)
        if world.chance(rates.duplicate):
            world.faults["duplicate"] += 1
            self._deliver_at(world.now + delay + world.random.uniform(0.0, 3.0), frame)

    def _arrive_after(self, delay_s: float, data: bytes) -> None:
        self._last_arrival = max(self._last_arrival, self._world.now + delay_s, self.held_until) + 1e-6
        self._deliver_at(self._last_arrival, data)

    def _deliver_at(self, at: float, data: bytes) -> None:
        peer = self.peer

        def deliver() -> None:
            if peer is None or peer.closed or self.peer is not peer or peer.ended:
                return
            if peer.on_data is not None:
                peer.on_data(data)
            else:
                peer.inbox += data

        self._world.after(max(at, self.held_until) - self._world.now, deliver)

    def _end(self) -> None:
        if not self.closed and not self.ended:
            self.ended = True
            if self.on_end is not None:
                self.on_end()


def pair(world: World, rates: Rates = CALM) -> tuple[SimSocket, SimSocket]:
    one, two = SimSocket(world, rates), SimSocket(world, rates)
    one.peer, two.peer = two, one
    return one, two


def as_socket(end: SimSocket | SimListener) -> socket.socket:
    return cast(socket.socket, end)


class SimListener:
    def __init__(self, world: World) -> None:
        self._world = world
        self.fd = world.new_fd(self)
        self.waiting: list[SimSocket] = []
        self.closed = False

    def fileno(self) -> int:
        return self.fd

    def setblocking(self, flag: bool) -> None:
        pass

    def accept(self) -> tuple[SimSocket, None]:
        if not self.waiting:
            raise BlockingIOError
        return self.waiting.pop(0), None

    def readable(self) -> bool:
        return bool(self.waiting)

    def writable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True
        self._world.pollables.pop(self.fd, None)
        for end in self.waiting:
            end.close()
