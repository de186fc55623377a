"""The agent's side of its warm server: starts it, hands it attempts, and does without it when it is not fit."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from .environment import warm_environment
from .orders import Graces, Kept, Order
from .warm_server import MAX_MESSAGE, Ready, Request, Started, Unfit

#: Set to anything, it makes every job import its libraries itself.
SWITCH: Final = "AUTOML_RUN_COLD"
#: For the import of its libraries.
START_S: Final = 300.0
#: For two forks.
_ANSWER_S: Final = 10.0

_ANSWERS: Final = msgspec.json.Decoder(Ready | Unfit | Started)


class WarmServer:
    """starting -> ready -> gone; `fd` is readable when that may have changed. To be closed when it is gone."""

    def __init__(self, libraries: Sequence[str], threads: int) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [
            sys.executable,
            "-P",  # a `random.py` of the user's in the current folder is no library
            "-m",
            f"{__package__}.warm_server",
            "--socket",
            str(theirs.fileno()),
            "--agent",
            str(os.getpid()),
        ]
        devices = os.environ.get("CUDA_VISIBLE_DEVICES")
        command += [] if devices is None else [f"--devices={devices}"]
        for library in libraries:
            command += ["--library", library]
        environment = warm_environment(threads, os.environ)
        with theirs:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, pass_fds=[theirs.fileno()])
        self.pid = self._process.pid
        self.starting = True
        self.ready = False
        #: why it is gone
        self.reason = ""
        #: it is gone, and another one would fare no better
        self.hopeless = False
        self._until = time.monotonic() + START_S

    @property
    def fd(self) -> int:
        return self._socket.fileno()

    def hear(self) -> None:
        """To be called when `fd` is readable."""
        answer = self._receive()
        if isinstance(answer, Ready) and self.starting:
            self.starting, self.ready = False, True
        else:
            self._give_up(answer)

    def is_late(self) -> bool:
        """True, once, when it has not become ready in time: it is gone then."""
        if not self.starting or time.monotonic() < self._until:
            return False
        self._give_up(Unfit(f"its libraries were not imported within {START_S:g} s"))
        return True

    def start(self, folder: Path, graces: Graces) -> Kept | None:
        """The keeper of the attempt in `folder`, which is prepared; None when it must be started cold: `reason` says why."""
        orders, their_orders = socket.socketpair()
        channel, their_channel = socket.socketpair()
        try:
            with their_orders, their_channel:
                request = msgspec.json.encode(Request(str(folder), graces))
                socket.send_fds(self._socket, [request], [their_orders.fileno(), their_channel.fileno()])
            answer = self._receive() if select.select([self._socket], [], [], _ANSWER_S)[0] else None
            if isinstance(answer, Started):
                kept = Kept(answer.pid, os.pidfd_open(answer.pid), orders, channel)
                kept.order(Order.GO)
                return kept
        except OSError:
            answer = None
        # A keeper that was forked all the same has not begun, and ends when it is hung up on.
        orders.close()
        channel.close()
        self._give_up(answer)
        return None

    def _receive(self) -> Ready | Unfit | Started | None:
        try:
            data = self._socket.recv(MAX_MESSAGE)
            return _ANSWERS.decode(data) if data else None
        except (OSError, msgspec.MsgspecError):
            return None

    def _give_up(self, answer: Ready | Unfit | Started | None) -> None:
        self.hopeless = isinstance(answer, Unfit)
        self._end(answer.reason if isinstance(answer, Unfit) else "it ended")

    def _end(self, reason: str) -> None:
        self.reason = reason
        self.starting = self.ready = False
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def close(self) -> None:
        self._end(self.reason)
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ANSWER_S)
