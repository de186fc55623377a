"""What MMARExecutor's `msg_destination` asks for: the output of jobs on the console too, line by line."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from automl_run.dsl.ir import Study
from automl_run.engine import events
from automl_run.engine.agent.folders import LOG_FILE, attempt_dir
from automl_run.engine.events import Event

#: Of one job in one look.
_CHUNK: Final = 1 << 16


@dataclass(slots=True)
class _Followed:
    job: str
    fence: int
    read: int = 0
    rest: bytes = b""


class JobOutput:
    """An observer, to be `look`ed with now and then. `console` None: stderr, looked up each time, as a live table takes it over."""

    def __init__(self, run: Path, console: TextIO | None = None) -> None:
        self._run = run
        self._console = console
        self._followed: dict[str, _Followed] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case events.JobStarted(job=job, fence=fence):
                self._followed[job] = _Followed(job, fence)
            case events.JobEnded(job=job) | events.JobRetried(job=job) if job in self._followed:
                followed = self._followed.pop(job)
                while self._read(followed):
                    pass
                if followed.rest:
                    self._print(followed, followed.rest)
            case _:
                pass

    def look(self) -> None:
        """Prints the lines that are new."""
        for followed in self._followed.values():
            self._read(followed)

    def _read(self, followed: _Followed) -> bool:
        """False when there is nothing more."""
        try:
            with (attempt_dir(self._run, followed.job, followed.fence) / LOG_FILE).open("rb") as file:
                if file.seek(0, 2) < followed.read:
                    followed.read = 0  # a new file since the last look
                file.seek(followed.read)
                data = file.read(_CHUNK)
        except OSError:
            return False
        followed.read += len(data)
        *lines, followed.rest = (followed.rest + data).split(b"\n")
        for line in lines:
            self._print(followed, line)
        return len(data) == _CHUNK

    def _print(self, followed: _Followed, line: bytes) -> None:
        print(f"{followed.job} | {line.decode(errors='replace')}", file=self._console or sys.stderr, flush=True)


def wanted(study: Study) -> bool:
    """Whether the study's executor says so."""
    return study.executor is not None and study.executor.args.get("msg_destination") in ("console", "both")
