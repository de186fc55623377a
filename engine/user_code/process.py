"""The process of user code as the session sees it: started, spoken to without ever waiting, killed."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from automl_run.errors import InputError

from . import messages as m
from .host import DUMP_SIGNAL

_CHUNK = 1 << 16
#: Between the end of a process's socket and its own.
_LAST_BREATH_S = 2.0


#: How a process ended that was killed from outside.
KILLED: Final = "signal SIGKILL"


class HostProcess:
    """A child in a session of its own. `unanswered`: what it was sent and has not dealt with, oldest first.

    `doing`: the user code that it was in when it was last heard.
    """

    def __init__(self, folder: Path, output: IO[bytes]) -> None:
        mine, its = socket.socketpair()
        command = [sys.executable, "-P", "-m", "automl_run.engine.user_code.host", str(its.fileno()), str(os.getpid())]
        with its:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[its.fileno()],
                start_new_session=True,
                cwd=folder,
            )
        mine.setblocking(False)
        self._sock = mine
        self._stream = m.Stream()
        self._unsent = bytearray()
        self.eof = False
        self.unanswered: deque[m.ToHost] = deque()
        self.doing: m.Calling | None = None
        #: what the `Done` that was received last is about
        self.dealt_with: m.ToHost | None = None

    def fileno(self) -> int:
        return self._sock.fileno()

    @property
    def wants_write(self) -> bool:
        return bool(self._unsent)

    def send(self, message: m.ToHost) -> None:
        self.unanswered.append(message)
        self._unsent += m.encode(message)
        self.flush()

    def flush(self) -> None:
        with contextlib.suppress(BlockingIOError, InterruptedError, ConnectionError):
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]

    def receive(self) -> Iterator[m.FromHost | None]:
        """What is here now; None at last when the process has ended, or says what no host says."""
        while True:
            try:
                data = self._sock.recv(_CHUNK)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self.eof = True
                yield None
                return
            self._stream.feed(data)
            try:
                while (message := self._stream.next_from_host()) is not None:
                    match message:
                        case m.Calling():
                            self.doing = message
                        case m.Done():
                            self.doing = None
                            self.dealt_with = self.unanswered.popleft()
                        case _:
                            pass
                    yield message
            except ValueError:
                yield None
                return

    def wait(self, timeout_s: float) -> None:
        """Until there is something to receive, or to send."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN | (select.POLLOUT if self._unsent else 0))
        if poll.poll(max(0.0, timeout_s) * 1000) and self._unsent:
            self.flush()

    def dump(self) -> None:
        """Makes it write to its log where it is."""
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(DUMP_SIGNAL)

    def kill(self) -> str:
        """How it ended, if it had; what it started in its session is killed with it."""
        self._sock.close()
        # Not reaped before its group is killed: until then the number is nobody else's.
        ended = self._wait_unreaped(_LAST_BREATH_S) if self.eof else False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        code = self._child.wait()
        if not ended:
            return "it was killed"
        return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"

    def _wait_unreaped(self, timeout_s: float) -> bool:
        fd = os.pidfd_open(self._child.pid)
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            return bool(poll.poll(timeout_s * 1000))
        finally:
            os.close(fd)


def converse(
    host: HostProcess, message: m.Load | m.Determine, output: IO[bytes], limit_s: float, clock: Callable[[], float]
) -> list[m.FromHost]:
    """All that the host says to `message`. InputError, with what it printed to `output`, when it fails, ends, or takes too long."""

    def refuse(text: str) -> InputError:
        output.seek(0)
        lines = output.read().decode(errors="replace").rstrip().splitlines()[-20:]
        return InputError(text + "".join(f"\n  | {line}" for line in lines))

    heard: list[m.FromHost] = []
    host.send(message)
    until = clock() + limit_s
    while host.unanswered:
        host.wait(until - clock())
        for said in host.receive():
            match said:
                case m.Failed(text):
                    raise refuse(text)
                case None:
                    where = f" in `{host.doing.what}`" if host.doing else ""
                    raise refuse(f"the process of user code ended{where}: {host.kill()}")
                case _:
                    heard.append(said)
        if clock() >= until and host.unanswered:
            what = f"`{host.doing.what}`" if host.doing else "user code"
            raise refuse(f"{what} did not return within {limit_s:g} s")
    return heard
