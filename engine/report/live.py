"""What a person sees while a run goes on: a live table on a terminal, else one line per event.

`LiveTable` is an observer of the run. It keeps what it was told and draws from that; rich's own thread redraws the clocks.
"""

from __future__ import annotations

import atexit
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import TextIO, assert_never

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from automl_run.engine import events
from automl_run.engine.events import Event

from .lines import Lines, progress_text
from .table import STATE_STYLES, new_table
from .wording import score_text, seconds_text

_ENDED_ROWS = 15
_PROGRESS_EVERY_S = 30.0
#: Of the columns that take what room is left: the least they need.
_LEAST = {4: 18, 5: 14}
#: On a narrow screen these go, one by one: parameters, worker, number, last report, time.
_DROPPED = (4, 2, 0, 5, 7)
#: Between two columns, and left and right of all.
_GAP, _EDGES = 3, 2


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

    `live` None: a table iff the stream is a terminal. `lines` False: no line per event, because the trace prints them.
    Thread-safe; never raises for a stream that was closed by its reader.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        live: bool | None = None,
        lines: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._is_live = stream.isatty() if live is None else live
        self._prints = lines
        self._clock = clock
        self._lock = RLock()
        self._live: Live | None = None
        self._began = clock()
        self._running: dict[str, _Row] = {}
        self._ended: deque[_Row] = deque(maxlen=_ENDED_ROWS)
        self._counts: dict[str, int] = {}
        self._best: events.JobEnded | events.RecommendationEnded | None = None
        self._baseline: float | None = None
        self._lines = Lines()

    def __call__(self, event: Event) -> None:
        with self._lock:
            line = self._take(event)
        if not self._prints:
            line = ""
        # Outside the lock: rich's thread draws, which takes it, while it holds the one that printing and closing take.
        if not self._is_live:
            if line:
                self._write(line)
            return
        if isinstance(event, events.RunStarted):
            self._open()
        if self._live is not None and line and _stays(event):
            self._live.console.print(line, markup=False, highlight=False, style=_style(event), soft_wrap=True)
        if isinstance(event, events.RunEnded):
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
        now, line = self._clock(), self._lines(event)
        match event:
            case events.RunStarted():
                self._began = now
            case events.JobStarted(job):
                self._running[job] = _Row(event, now)
            case events.MetricReported(job, step, values):
                if job in self._running:
                    self._running[job].metric = self._brief(step, values)
            case events.Progressed():
                return line if self._is_news(event, now) else ""
            case events.JobEnded(job):
                row = self._running.pop(job, None)
                if row is not None:
                    row.end = event
                    self._ended.append(row)
                self._counts[event.state] = self._counts.get(event.state, 0) + 1
                if event.best:
                    self._best = event
                if event.index == 0 and not event.repetition:
                    self._baseline = event.score
            case events.RecommendationEnded():
                if event.best:
                    self._best = event
                if event.index == 0:
                    self._baseline = event.score
            case events.JobRetried() | events.WorkerChanged() | events.Warned() | events.RunEnded():
                pass
            case _:
                assert_never(event)
        return line

    def _brief(self, step: int, values: dict[str, float]) -> str:
        """The objective alone, where it was reported: its name heads a column already."""
        shown = {self._lines.objective: values[self._lines.objective]} if self._lines.objective in values else values
        return f"step {step}: " + ", ".join(
            score_text(value) if name == self._lines.objective else f"{name} {score_text(value)}" for name, value in shown.items()
        )

    def _is_news(self, event: events.Progressed, now: float) -> bool:
        """Keeps the progress for the table; True once in a while, for a log."""
        row = self._running.get(event.job)
        if row is None:
            return False
        row.text = progress_text(event)
        if now - row.printed_at < _PROGRESS_EVERY_S:
            return False
        row.printed_at = now
        return True

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
        self._live = Live(_Drawn(self), console=console, refresh_per_second=4, transient=True, redirect_stderr=sys.stderr.isatty())
        # A run that raises leaves no hidden cursor behind.
        atexit.register(self.close)
        self._live.start()

    def draw(self, width: int = 120) -> RenderableType:
        """The table as of now, without the columns that `width` characters have no room for."""
        with self._lock:
            return Group(self._header(), self._table(width))

    def _header(self) -> RenderableType:
        run = self._lines.run
        ended = sum(self._counts.values())
        parts = [(run.run_id if run else "", "bold")]
        resumed = run.resumed if run else 0
        of = f"/{run.trials}" if run and run.trials is not None else ""
        parts.append((f"{ended + resumed}{of} jobs ended, {len(self._running)} running", ""))
        for state in ("failed", "infeasible", "stopped"):
            if self._counts.get(state):
                parts.append((f"{self._counts[state]} {state}", STATE_STYLES[state]))
        if self._best is not None:
            parts.append((f"best {self._lines.objective} {score_text(self._best.score)} ({self._best.job})", "green"))
        if self._baseline is not None:
            parts.append((f"baseline {score_text(self._baseline)}", ""))
        parts.append((seconds_text(self._clock() - self._began, whole_seconds=True), ""))
        text = Text()
        for words, style in parts:
            if text and words:
                text.append(" · ", "dim")
            text.append(words, style)
        return text

    def _table(self, width: int) -> Table:
        now = self._clock()
        rows = [*self._newest(), *self._running.values()]
        cells = [self._cells(row, now) for row in rows]
        heads = ["#", "job", "worker", "state", "parameters", "last report", self._lines.objective, "time"]
        table = new_table(expand=True)
        shown = _fitting([heads, *([str(cell) for cell in line] for line in cells)], width)
        for at in shown:
            table.add_column(
                Text(heads[at]),
                justify="right" if at in (0, 6, 7) else "left",
                ratio=_LEAST.get(at),
                no_wrap=True,
                overflow="ellipsis",
            )
        for row, line in zip(rows, cells, strict=True):
            is_best = self._best is not None and row.start.job == self._best.job
            table.add_row(*(line[at] for at in shown), style="bold" if is_best else "")
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
        heard = " · ".join(filter(None, (row.text, row.metric))) if end is None else row.metric
        report = (end.message if end is not None and end.state != "done" else "") or heard
        took = seconds_text(end.seconds) if end is not None else seconds_text(now - row.since, whole_seconds=True)
        return [
            str(row.start.index),
            row.start.job,
            row.start.worker + gpus,
            Text(shown, STATE_STYLES.get(state, "")),
            Text(" ".join(filter(None, (row.start.repetition, self._lines.parameters(row.start))))),
            Text(report.split("\n")[0], "" if end is None else "dim"),
            score_text(end.score) if end is not None else "",
            took,
        ]


class _Drawn:
    """What rich's thread draws anew each time."""

    def __init__(self, table: LiveTable) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> list[RenderableType]:
        return [self._table.draw(options.max_width)]


def _fitting(lines: Sequence[Sequence[str]], width: int) -> list[int]:
    """The columns that `lines`, the heads first, have room for."""
    widths = {at: max(map(cell_len, column)) for at, column in enumerate(zip(*lines, strict=True))} | _LEAST
    for at in _DROPPED:
        if sum(widths.values()) + _GAP * (len(widths) - 1) + _EDGES <= width:
            break
        del widths[at]
    return list(widths)


def _stays(event: Event) -> bool:
    """Whether the event's line is left above the live table."""
    match event:
        case events.RunStarted() | events.WorkerChanged() | events.Warned() | events.JobRetried():
            return True
        case events.RecommendationEnded():
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
