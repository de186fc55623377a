"""What the engine and a running command say to each other: its printed lines, its reports, and the request to stop."""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Final, Protocol, TypeAlias, runtime_checkable

from automl_run.errors import JobError

from .base import Report, Result
from .child_output import ChildOutput
from .failures import cause_of_status
from .last_words import last_words
from .launcher_report import first_to_fail
from .metric_lines import Lines, Patterns, metric_line
from .missing_module import other_python
from .oom_kills import oom_kill_count
from .script_channel import ScriptChannel

#: From SIGTERM to the command's kill.
_TERM_GRACE_S: Final = 10.0
#: What says why a program failed is near its end; an error of long before may have been dealt with.
_END_CHARS: Final = 8192
_SIGNALS: Final = frozenset(getattr(signal, f"SIG{name}") for name in ("HUP", "INT", "QUIT", "ABRT", "BUS", "KILL", "SEGV", "TERM"))


@runtime_checkable
class _Stoppable(Protocol):
    """A report that can be waited on for a request to stop."""

    @property
    def stop_asked(self) -> bool: ...

    def fileno(self) -> int: ...


class Conversation:
    """Reads what the command says until it has ended; tells it to stop when the job should.

    A script that uses `automl_run.report` hears of it there, any other by SIGTERM. SIGTERM for this process goes to both.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], report: Report, channel: ScriptChannel, patterns: Mapping[str, str] | None = None
    ) -> None:
        self._process = process
        self._report = report
        self._stoppable = report if isinstance(report, _Stoppable) else None
        self._channel = channel
        self._patterns = Patterns(patterns or {})
        self._lines = Lines(every=bool(patterns))
        self._final: dict[str, float] = {}
        assert process.stdout is not None
        self._output = ChildOutput(process.stdout.fileno())
        #: whether it was asked to stop
        self.told = False
        #: whether the command said any metric
        self.heard = False
        self._kill_at: float | None = None
        self._oom_kills = oom_kill_count()

    def run(self) -> Result:
        before = also_on_sigterm(self._on_sigterm)
        try:
            self._converse()
        finally:
            self._signal(signal.SIGKILL)
            code = self._process.wait()
            if before is not None:
                signal.signal(signal.SIGTERM, before)
        if code != 0 and not self.told:
            tail = self._output.tail
            # A shell says so that what it ran was ended by a signal.
            killed = 128 - code if code - 128 in _SIGNALS else code
            said = last_words(tail)
            end = f"{tail[-_END_CHARS:]}\n{said}"
            cause, message = cause_of_status(first_to_fail(killed, tail), end, oom_kill_count() - self._oom_kills)
            # What stands last before a death from outside is not its reason.
            if said and cause not in ("lost", "preempted"):
                message += f": {said}{other_python(said)}"
            raise JobError(cause, f"the command failed: {message}")
        return self._final or None

    def _converse(self) -> None:
        assert self._process.stdout is not None
        pidfd = os.pidfd_open(self._process.pid)
        with self._process.stdout as output, selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ, self._read_output)
            selector.register(self._channel.fd, selectors.EVENT_READ, self._read_channel)
            if self._stoppable is not None and self._stoppable.fileno() >= 0:
                selector.register(self._stoppable.fileno(), selectors.EVENT_READ, self._read_stop)
            # Its end, not the end of its output, is what counts: something it left behind may hold the output open.
            selector.register(pidfd, selectors.EVENT_READ, None)
            if self._stoppable is not None and self._stoppable.stop_asked:
                self._tell_to_stop()
            try:
                while True:
                    ready = self._wait(selector)
                    if any(key.fd == pidfd for key in ready):
                        break
                    for key in ready:
                        if not key.data(key.fd):
                            selector.unregister(key.fileobj)
                while self._read():
                    pass
                self._take_line(self._lines.end())
                self._read_channel(self._channel.fd)
            finally:
                os.close(pidfd)

    def _wait(self, selector: selectors.BaseSelector) -> list[selectors.SelectorKey]:
        timeout_s = None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())
        ready = [key for key, _ in selector.select(timeout_s)]
        if not ready and self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._signal(signal.SIGKILL)
            self._kill_at = math.inf
        return ready

    # -- what it says -----------------------------------------------------------------------------------------------------

    def _read_output(self, fd: int) -> bool:
        """False at the end of the output."""
        return self._read() != b""

    def _read(self) -> bytes | None:
        data = self._output.read()
        for line in self._lines.cut(data or b""):
            self._take_line(line)
        return data

    def _take_line(self, line: str) -> None:
        ours = metric_line(line)
        if ours is not None:
            self._take(*ours)
            return
        for step, values in self._patterns.find(line):
            self._take(step, values)

    def _read_channel(self, fd: int) -> bool:
        for said in self._channel.hear():
            if said.progress is not None:
                self._report.progress(*said.progress)
            elif said.metrics is not None:
                self._take(said.step, dict(said.metrics))
        return True

    def _take(self, step: int | None, values: dict[str, float]) -> None:
        self.heard |= bool(values)
        if step is None:
            self._final |= values
        elif self._report(step, **values):
            self._tell_to_stop()

    # -- what it is told --------------------------------------------------------------------------------------------------

    def _read_stop(self, fd: int) -> bool:
        if self._stoppable is not None and self._stoppable.stop_asked:
            self._tell_to_stop()
            return False
        return self._stoppable is not None and self._stoppable.fileno() == fd

    def _tell_to_stop(self) -> None:
        if not self.told:
            self.told = True
            self._channel.ask_to_stop()
            if not self._channel.used:
                self._terminate()

    def _on_sigterm(self, before: Callable[[int, FrameType | None], object], number: int, frame: FrameType | None) -> None:
        """The end is near: nothing waits for a next report any more. `before` interrupts what was asked to stop already."""
        if not self.told:
            before(number, frame)
            # The report notes that the job heard of it.
            self.told = self._stoppable is None or self._stoppable.stop_asked
        self._channel.ask_to_stop()
        self._terminate()
        self._channel.wake()

    def _terminate(self) -> None:
        if self._kill_at is None:
            self._kill_at = time.monotonic() + _TERM_GRACE_S
            self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        """To the command's whole group; its leader's id is valid until it is waited for."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


_Plain: TypeAlias = Callable[[int, FrameType | None], object]


def also_on_sigterm(tell: Callable[[_Plain, int, FrameType | None], None]) -> _Plain | None:
    """Lets `tell` have SIGTERM, with the handler that is there; that handler, or None where signals are not ours to handle."""
    if threading.current_thread() is not threading.main_thread():
        return None
    before = signal.getsignal(signal.SIGTERM)
    if not callable(before):
        return None
    signal.signal(signal.SIGTERM, lambda number, frame: tell(before, number, frame))
    return before
