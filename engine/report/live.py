"""What a person sees while a run goes on: a live table on a terminal, else one line per event.

`LiveTable` is an observer of the run. It keeps what it was told and draws from that; rich's own thread redraws the clocks.
"""

from __future__ import annotations

import atexit
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import TextIO, assert_never

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from automl_run.engine import events
from automl_run.engine.events import Event

from .document import score_text, seconds_text, short_names
from .table import STATE_STYLES, new_table, parameters_text

_ENDED_ROWS = 15
_PROGRESS_EVERY_S = 30.0


@dataclass(slots=True)
class _Row:
    """A job as last heard of. `since`: when its present attempt started, on the display's clock."""

    start: events.JobStarted
    since: float
    metric: str = ""
    text: str = ""
    printed_at: float = -_PROGRESS_EVERY_S
    end: events.JobEnded | None = None


class LiveTable:
    """Made before the run and given to it as its observer; `stream` is where it writes. Call `close` if the run raises.

    `live` None: a table iff the stream is a terminal. Thread-safe; never raises for a stream that was closed by its reader.
    """

    def __init__(self, stream: TextIO, *, live: bool | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._is_live = stream.isatty() if live is None else live
        self._clock = clock
        self._lock = RLock()
        self._live: Live | None = None
        self._run: events.RunStarted | None = None
        self._began = clock()
        self._running: dict[str, _Row] = {}
        self._ended: deque[_Row] = deque(maxlen=_ENDED_ROWS)
        self._counts: dict[str, int] = {}
        self._best: events.JobEnded | None = None
        self._baseline: float | None = None
        self._paths: dict[str, None] = {}
        self._names: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        with self._lock:
            line = self._take(event)
            if not self._is_live:
                if line:
                    self._write(line)
                return
            if isinstance(event, events.RunStarted):
                self._open()
            if self._live is not None and line and _stays(event):
                self._live.console.print(line, markup=False, highlight=False, style=_style(event), soft_wrap=True)
        if isinstance(event, events.RunEnded):
            # Outside the lock: closing waits for rich's thread, which may be about to draw.
            self.close()

    def close(self) -> None:
        """Takes the table off the screen and gives the terminal back. May be called twice."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()
            atexit.unregister(self.close)

    # -- taking events in -------------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> str:
        """Remembers the event; its line as plain text, "" for none."""
        now = self._clock()
        match event:
            case events.RunStarted():
                self._run, self._began = event, now
                return _started_text(event)
            case events.JobStarted(job, index):
                self._running[job] = _Row(event, now)
                self._learn_names(event)
                again = f", attempt {event.fence}" if event.fence > 1 else ""
                kind = " (baseline)" if index == 0 else ""
                return f"{job} starts on {event.worker}{again}{kind} {self._parameters(event)}".rstrip()
            case events.MetricReported(job, step, values):
                text = f"step {step}: " + ", ".join(f"{name} {score_text(value)}" for name, value in values.items())
                if job in self._running:
                    self._running[job].metric = self._brief(step, values)
                return f"{job} {text}"
            case events.Progressed(job, text, fraction):
                return self._progress(job, text, fraction, now)
            case events.JobRetried(job, fence, cause, message):
                return f"{job} attempt {fence} does not count ({cause}{f': {message}' if message else ''}); it will run again"
            case events.JobEnded(job):
                row = self._running.pop(job, None)
                if row is not None:
                    row.end = event
                    self._ended.append(row)
                self._counts[event.state] = self._counts.get(event.state, 0) + 1
                if event.best:
                    self._best = event
                if event.index == 0:
                    self._baseline = event.score
                return self._ended_text(event)
            case events.Warned(message):
                return f"warning: {message}"
            case events.RunEnded(state, reason):
                return f"run {state}{f': {reason}' if reason else ''}"
            case _:
                assert_never(event)

    def _brief(self, step: int, values: dict[str, float]) -> str:
        """The objective alone, where it was reported: its name heads a column already."""
        shown = {self._objective: values[self._objective]} if self._objective in values else values
        return f"step {step}: " + ", ".join(
            score_text(value) if name == self._objective else f"{name} {score_text(value)}" for name, value in shown.items()
        )

    def _progress(self, job: str, text: str, fraction: float | None, now: float) -> str:
        row = self._running.get(job)
        if row is None:
            return ""
        row.text = text if fraction is None else f"{text} {fraction:.0%}".strip()
        if now - row.printed_at < _PROGRESS_EVERY_S:
            return ""
        row.printed_at = now
        return f"{job} {row.text}"

    def _learn_names(self, event: events.JobStarted) -> None:
        if not event.params.keys() <= self._paths.keys():
            self._paths.update(dict.fromkeys(event.params))
            self._names = short_names(list(self._paths))

    def _parameters(self, event: events.JobStarted) -> str:
        return parameters_text(event.params, self._names)

    def _ended_text(self, event: events.JobEnded) -> str:
        cause = f" ({event.cause})" if event.cause else ""
        score = f", {self._objective} {score_text(event.score)}" if event.score is not None else ""
        best = ", the best so far" if event.best else ""
        message = f": {event.message}" if event.message and event.state != "done" else ""
        return f"{event.job} {event.state}{cause} in {seconds_text(event.seconds)}{score}{best}{message}"

    @property
    def _objective(self) -> str:
        return self._run.objectives[0][0] if self._run is not None and self._run.objectives else "score"

    def _write(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            # Whoever read along is gone; the run goes on, and its trace has everything.
            self._is_live = False

    # -- drawing ----------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        console = Console(file=self._stream, force_terminal=True, highlight=False)
        self._live = Live(_Drawn(self), console=console, refresh_per_second=4, transient=True, redirect_stderr=False)
        # A run that raises leaves no hidden cursor behind.
        atexit.register(self.close)
        self._live.start()

    def draw(self) -> RenderableType:
        """The table as of now."""
        with self._lock:
            return Group(self._header(), self._table())

    def _header(self) -> RenderableType:
        ended = sum(self._counts.values())
        parts = [(self._run.run_id if self._run else "", "bold")]
        resumed = self._run.resumed if self._run else 0
        of = f"/{self._run.trials}" if self._run and self._run.trials is not None else ""
        parts.append((f"{ended + resumed}{of} jobs ended, {len(self._running)} running", ""))
        for state in ("failed", "infeasible", "stopped"):
            if self._counts.get(state):
                parts.append((f"{self._counts[state]} {state}", STATE_STYLES[state]))
        if self._best is not None:
            parts.append((f"best {self._objective} {score_text(self._best.score)} ({self._best.job})", "green"))
        if self._baseline is not None:
            parts.append((f"baseline {score_text(self._baseline)}", ""))
        parts.append((seconds_text(self._clock() - self._began, whole_seconds=True), ""))
        text = Text()
        for words, style in parts:
            if text and words:
                text.append(" · ", "dim")
            text.append(words, style)
        return text

    def _table(self) -> Table:
        table = new_table(expand=True)
        for name, justify in (("#", "right"), ("job", "left"), ("worker", "left"), ("state", "left")):
            table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
        table.add_column("parameters", ratio=3, no_wrap=True, overflow="ellipsis")
        table.add_column("last report", ratio=2, no_wrap=True, overflow="ellipsis")
        table.add_column(Text(self._objective), justify="right", no_wrap=True)
        table.add_column("time", justify="right", no_wrap=True)
        now = self._clock()
        for row in (*self._newest(), *self._running.values()):
            table.add_row(*self._cells(row, now), style="bold" if self._best is not None and row.end is self._best else "")
        return table

    def _newest(self) -> list[_Row]:
        """As many of the ended jobs as the screen has room for."""
        room = _ENDED_ROWS
        if self._live is not None:
            room = min(room, max(0, self._live.console.size.height - len(self._running) - 6))
        return list(self._ended)[-room:] if room else []

    def _cells(self, row: _Row, now: float) -> list[RenderableType]:
        end = row.end
        state = end.state if end is not None else "running"
        shown = f"{state} ({end.cause})" if end is not None and end.cause else state
        gpus = f" GPU {','.join(map(str, row.start.gpus))}" if row.start.gpus else ""
        report = (end.message if end is not None and end.state != "done" else "") or row.metric or row.text
        took = seconds_text(end.seconds) if end is not None else seconds_text(now - row.since, whole_seconds=True)
        return [
            str(row.start.index),
            row.start.job,
            row.start.worker + gpus,
            Text(shown, STATE_STYLES.get(state, "")),
            Text(self._parameters(row.start)),
            Text(report.split("\n")[0], "" if end is None else "dim"),
            score_text(end.score) if end is not None else "",
            took,
        ]


class _Drawn:
    """What rich's thread draws anew each time."""

    def __init__(self, table: LiveTable) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: object) -> list[RenderableType]:
        return [self._table.draw()]


def _stays(event: Event) -> bool:
    """Whether the event's line is left above the live table."""
    match event:
        case events.RunStarted() | events.Warned() | events.JobRetried():
            return True
        case events.JobEnded(state=state):
            return state in ("failed", "infeasible")
        case _:
            return False


def _style(event: Event) -> str | None:
    match event:
        case events.JobEnded():
            return "red"
        case events.Warned() | events.JobRetried():
            return "yellow"
        case _:
            return None


def _started_text(run: events.RunStarted) -> str:
    workers = ", ".join(f"{name} {'GPU ' + ','.join(map(str, gpus)) if gpus else 'CPU'}" for name, gpus in run.workers)
    goals = ", ".join(f"{direction} {name}" for name, direction in run.objectives)
    trials = f", {run.trials} jobs at most" if run.trials is not None else ""
    resumed = f", {run.resumed} jobs had ended before" if run.resumed else ""
    return f"run {run.run_id} in {run.folder}: {goals or 'best reported value'}; workers {workers}{trials}{resumed}"
