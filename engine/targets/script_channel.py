"""The engine's side of `script.py`: the pipe that takes a script's messages, and the memory that tells it to stop."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from automl_run.errors import JobError

from .script import BEFORE_ALL, NEVER, REPORT, STOP, STOP_MEMORY

_CHUNK: Final = 64 * 1024
#: Our own message to ourselves.
_WAKE: Final = b"{}"


@dataclass(frozen=True, slots=True)
class Said:
    """One message. `step` None: final values. `progress`: a text for the eye, and a fraction 0..1."""

    step: int | None = None
    metrics: Mapping[str, float] | None = None
    progress: tuple[str, float | None] | None = None


class ScriptChannel:
    """Open from before the command starts until it has ended. `fd` becomes readable when there is something to `hear`."""

    def __init__(self) -> None:
        self.fd, self._write_end = os.pipe()
        for fd in (self.fd, self._write_end):
            os.set_blocking(fd, False)
        self._memory = os.memfd_create("automl-stop")
        os.pwrite(self._memory, STOP_MEMORY.pack(0, BEFORE_ALL, NEVER), 0)
        self._rest = b""
        #: whether the script uses this channel, and hears of a stop by it
        self.used = False

    def environment(self) -> dict[str, str]:
        return {REPORT: f"/proc/{os.getpid()}/fd/{self._write_end}", STOP: f"/proc/{os.getpid()}/fd/{self._memory}"}

    def hear(self) -> Iterator[Said]:
        """Everything that is there. JobError for what no script of ours can have said."""
        while True:
            try:
                data = os.read(self.fd, _CHUNK)
            except BlockingIOError:
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self.used |= line != _WAKE
                message = _read(line)
                if message is not None:
                    yield message

    def ask_to_stop(self) -> None:
        os.pwrite(self._memory, STOP_MEMORY.pack(1, 0, 0)[:8], 0)

    def wake(self) -> None:
        """Makes `fd` readable: a signal alone does not end a wait."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._write_end, _WAKE + b"\n")

    def close(self) -> None:
        for fd in (self.fd, self._write_end, self._memory):
            os.close(fd)


def _read(line: bytes) -> Said | None:
    try:
        message = json.loads(line)
        if "progress" in message:
            return Said(progress=(str(message["progress"]), message["fraction"]))
        if "metrics" in message:
            return Said(message["step"], {str(name): float(value) for name, value in message["metrics"].items()})
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise JobError("user_error", f"{line[:200]!r} is no message of a script: {error}") from None
