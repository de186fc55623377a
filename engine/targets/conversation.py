"""What the engine and a running command say to each other: its printed lines, and signals."""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final, Protocol, TypeAlias, runtime_checkable

from automl_run.errors import JobError

from .base import Report, Result
from .failures import cause_of_status

_PREFIX: Final = b"automl:"
#: From the request to stop to the command's kill.
_TERM_GRACE_S: Final = 10.0
_CHUNK: Final = 64 * 1024
_MAX_LINE: Final = 64 * 1024
_TAIL_BYTES: Final = 4096
_MAX_QUOTE: Final = 300


@runtime_checkable
class _Stoppable(Protocol):
    """A report that can be waited on for a request to stop."""

    @property
    def stop_asked(self) -> bool: ...

    def fileno(self) -> int: ...


class Conversation:
    """Reads what the command prints until it has ended; tells it to stop when the job should."""

    def __init__(self, process: subprocess.Popen[bytes], report: Report) -> None:
        self._process = process
        self._report = report
        self._stoppable = report if isinstance(report, _Stoppable) else None
        self._final: dict[str, float] = {}
        self._line = b""
        self._tail = b""
        self._kill_at: float | None = None

    def run(self) -> Result:
        before = _forward_sigterm(self._on_sigterm)
        try:
            self._converse()
        finally:
            self._signal(signal.SIGKILL)
            code = self._process.wait()
            if before is not None:
                signal.signal(signal.SIGTERM, before)
        if code != 0 and self._kill_at is None:
            tail = self._tail.decode(errors="replace")
            cause, message = cause_of_status(code, tail)
            last = next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "")
            raise JobError(cause, f"the command failed: {message}{': ' + last[:_MAX_QUOTE] if last else ''}")
        return self._final or None

    def _converse(self) -> None:
        assert self._process.stdout is not None
        pidfd = os.pidfd_open(self._process.pid)
        with self._process.stdout as output, selectors.DefaultSelector() as selector:
            os.set_blocking(output.fileno(), False)
            selector.register(output, selectors.EVENT_READ, self._read_output)
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
                while self._read(output.fileno()):
                    pass
                self._take_line(self._line)
            finally:
                os.close(pidfd)

    def _wait(self, selector: selectors.BaseSelector) -> list[selectors.SelectorKey]:
        timeout_s = None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())
        ready = [key for key, _ in selector.select(timeout_s)]
        if not ready and self._kill_at is not None:
            self._signal(signal.SIGKILL)
            self._kill_at = math.inf
        return ready

    def _read_output(self, fd: int) -> bool:
        """False at the end of the output."""
        return self._read(fd) != b""

    def _read(self, fd: int) -> bytes | None:
        """What is there now; b"" at the end of the output, None before it."""
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return None
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._take_line(line)
        # A progress bar may never end its line.
        self._line = self._line[-_MAX_LINE:]
        return data

    def _take_line(self, line: bytes) -> None:
        if not line.lstrip().startswith(_PREFIX):
            return
        step, values = metric_line(line.decode(errors="replace"))
        if step is None:
            self._final |= values
        elif self._report(step, **values):
            self._tell_to_stop()

    def _read_stop(self, fd: int) -> bool:
        if self._stoppable is not None and self._stoppable.stop_asked:
            self._tell_to_stop()
            return False
        return self._stoppable is not None and self._stoppable.fileno() == fd

    def _on_sigterm(self) -> None:
        if self._stoppable is not None and self._stoppable.stop_asked:
            self._tell_to_stop()

    def _tell_to_stop(self) -> None:
        if self._kill_at is None:
            self._kill_at = time.monotonic() + _TERM_GRACE_S
            self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        """To the command's whole group; the shell's own id is valid until it is waited for."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


_Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None


def _forward_sigterm(tell: Callable[[], None]) -> _Handler:
    """Lets `tell` hear of SIGTERM after the handler that is there; that handler, or None where signals are not ours to handle."""
    if threading.current_thread() is not threading.main_thread():
        return None
    before = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        if callable(before):
            before(number, frame)
        tell()

    if callable(before):
        signal.signal(signal.SIGTERM, handle)
        return before
    return None


def metric_line(line: str) -> tuple[int | None, dict[str, float]]:
    """`automl: step=3 dice=0.81` as (3, {"dice": 0.81}); without a step they are final values. JobError for anything else."""
    step: int | None = None
    values: dict[str, float] = {}
    for word in line.strip().removeprefix(_PREFIX.decode()).split():
        name, equals, text = word.partition("=")
        try:
            if not equals or not name:
                raise ValueError
            if name == "step":
                step = int(text)
            else:
                values[name] = float(text)
        except ValueError:
            example = "automl: step=3 dice=0.81"
            raise JobError(
                "user_error", f"cannot read `{word}` in the metric line {line.strip()[:200]!r}; a line is like `{example}`"
            ) from None
    return step, values
