"""trace.log: one JSON object a line; on the console the same as text."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import msgspec

from automl_run.dsl.legacy.cli_settings import TraceTo

from .events import Event
from .report.aside import Aside
from .report.lines import Lines


class Trace:
    """Writes events; with `engine` also facts and messages. A full disk ends the trace, not the run."""

    def __init__(self, path: Path, to: TraceTo = "file", *, engine: bool = False, console: TextIO | None = None) -> None:
        self._file = path.open("a", encoding="utf-8") if to in ("file", "both") else None
        self._on_console = to in ("console", "both")
        self._console = console
        # A console that takes nothing for a while must not hold up the run; one that was given, a test's, is written to at once.
        self._aside = Aside(self._print) if self._on_console and console is None else None
        self._engine = engine
        self._lines = Lines()
        self._last = 0.0

    def event(self, event: Event, at: float) -> None:
        text = self._lines(event) if self._on_console else ""
        self._write(at, {"event": type(event).__name__, **msgspec.to_builtins(event)}, text)

    def engine(self, kind: str, value: msgspec.Struct, at: float, **more: str) -> None:
        """A fact, or a message `sent` or `received`; nothing unless the engine is traced."""
        if self._engine:
            data = msgspec.to_builtins(value)
            data.pop("program", None)
            if "at" in data:
                # The line has its own: when it was written.
                data["fact_at"] = data.pop("at")
            self._write(at, {"engine": kind, **more, **data}, f"{kind} {' '.join(more.values())} {_short(data)}")

    def close(self) -> None:
        if self._aside is not None:
            self._aside.close()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, at: float, record: Mapping[str, object], text: str) -> None:
        # What is told of one tick has several times, a moment apart; lines are in order.
        self._last = max(self._last, at)
        moment = datetime.fromtimestamp(self._last, UTC)
        try:
            if self._file is not None:
                self._file.write(json.dumps({"at": moment.isoformat(timespec="milliseconds"), **record}) + "\n")
                self._file.flush()
            if self._on_console:
                line = f"{moment.astimezone():%H:%M:%S} {text}"
                self._print(line) if self._aside is None else self._aside(line)
        except OSError:
            with contextlib.suppress(OSError):  # what was not written is not written now either
                self.close()
            self._file, self._on_console = None, False

    def _print(self, line: str) -> None:
        # Looked up each time: a live table takes stderr over, to print above itself.
        print(line, file=self._console or sys.stderr, flush=True)


def _short(values: Mapping[str, object]) -> str:
    return " ".join(f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items())
