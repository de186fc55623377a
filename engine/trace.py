"""trace.log: one JSON object a line; on the console the same as text."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TextIO

import msgspec

from . import events
from .events import Event

TraceTo = Literal["file", "console", "both"]


class Trace:
    """Writes events; with `engine` also facts and messages. A full disk ends the trace, not the run."""

    def __init__(self, path: Path, to: TraceTo = "file", *, engine: bool = False, console: TextIO | None = None) -> None:
        self._file = path.open("a", encoding="utf-8") if to in ("file", "both") else None
        self._console = (console or sys.stderr) if to in ("console", "both") else None
        self._engine = engine

    def event(self, event: Event, at: float) -> None:
        self._write(at, {"event": type(event).__name__, **asdict(event)}, describe(event))

    def engine(self, kind: str, value: msgspec.Struct, at: float, **more: str) -> None:
        """A fact, or a message `sent` or `received`; nothing unless the engine is traced."""
        if self._engine:
            data = msgspec.to_builtins(value)
            data.pop("program", None)
            self._write(at, {"engine": kind, **more, **data}, f"{kind} {' '.join(more.values())} {_short(data)}")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, at: float, record: Mapping[str, object], text: str) -> None:
        moment = datetime.fromtimestamp(at, UTC)
        try:
            if self._file is not None:
                self._file.write(json.dumps({"at": moment.isoformat(timespec="milliseconds"), **record}) + "\n")
                self._file.flush()
            if self._console is not None:
                print(f"{moment.astimezone():%H:%M:%S} {text}", file=self._console, flush=True)
        except OSError:
            self._file = self._console = None


def describe(event: Event) -> str:
    """One line for people."""
    match event:
        case events.RunStarted(run_id, folder, workers, _, trials, resumed):
            who = ", ".join(f"{name} ({'GPU ' + ','.join(map(str, gpus)) if gpus else 'CPU'})" for name, gpus in workers)
            more = f", {resumed} jobs ended before" if resumed else ""
            return f"run {run_id} in {folder}: {who}; {'no limit of' if trials is None else trials} trials{more}"
        case events.JobStarted(job, index, worker, _, params, fence):
            again = f", attempt {fence}" if fence > 1 else ""
            name = "baseline" if index == 0 else f"recommendation {index}"
            return f"{job} started on {worker} ({name}{again}): {_short(params)}"
        case events.MetricReported(job, step, values):
            return f"{job} step {step}: {_short(values)}"
        case events.Progressed(job, text, fraction):
            return f"{job}: {text}" + (f" ({fraction:.0%})" if fraction is not None else "")
        case events.JobRetried(job, _, cause, message):
            return f"{job} will be tried again ({cause}: {message})"
        case events.JobEnded(job, _, state, cause, message, score, _, seconds, best):
            value = f", score {score:.6g}{' (best so far)' if best else ''}" if score is not None else ""
            why = f" ({cause}{': ' + message if message else ''})" if cause else ""
            return f"{job} {state}{why}{value}, {seconds:.1f} s"
        case events.Warned(message):
            return f"warning: {message}"
        case events.RunEnded(state, reason):
            return f"run {state}: {reason}"


def _short(values: Mapping[str, object]) -> str:
    return " ".join(f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items())
