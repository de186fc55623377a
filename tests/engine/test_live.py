"""The live table and its plain form."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from automl_run.engine import events
from automl_run.engine.report.live import LiveTable
from automl_run.engine.trace import Trace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


RUN = events.RunStarted("test1", "/runs/test1", (("W1", (0,)), ("W2", ())), (("dice", "maximize"),), 5, 0)


def started(number: int, index: int, fence: int = 1) -> events.JobStarted:
    params = {"train.optimizer.args.lr": 0.1 / (index + 1), "train.model.args.[bold]act": "softmax"}
    return events.JobStarted(f"W1_{number}_J{number}", index, "W1", (0,), params, fence)  # type: ignore[arg-type]


def ended(number: int, index: int, score: float | None, best: bool = False) -> events.JobEnded:
    cause = None if score is not None else "user_error"
    scores = {} if score is None else {"dice": score}
    message = "" if score is not None else "ValueError: [red]no such layer"
    return events.JobEnded(
        f"W1_{number}_J{number}", index, "failed" if score is None else "done", cause, message, score, scores, 12.0, best
    )


STORY: list[events.Event] = [
    RUN,
    started(1, 0),
    events.MetricReported("W1_1_J1", 3, {"dice": 0.5}),
    ended(1, 0, 0.61, best=True),
    events.Warned("no GPU on this host"),
    started(2, 1),
    ended(2, 1, None),
    started(3, 2),
    events.Progressed("W1_3_J3", "epoch 2", 0.4),
    events.JobRetried("W1_3_J3", 2, "lost", "its agent was lost"),
    started(3, 2, fence=2),
]


def shown(table: LiveTable, width: int = 140) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table.draw(width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_plain_is_one_line_per_event() -> None:
    stream = io.StringIO()
    table = LiveTable(stream, clock=Clock())
    for event in [*STORY, events.RunEnded("done", "the budget is spent")]:
        table(event)
    assert stream.getvalue().splitlines() == [
        "run test1 in /runs/test1: maximize dice; workers W1 GPU 0, W2 CPU, 5 jobs at most",
        "W1_1_J1 starts on W1 (baseline) lr=0.1 [bold]act=softmax",
        "W1_1_J1 step 3: dice 0.5000",
        "W1_1_J1 done in 12 s, dice 0.6100, the best so far",
        "warning: no GPU on this host",
        "W1_2_J2 starts on W1 lr=0.05 [bold]act=softmax",
        "W1_2_J2 failed (user_error) in 12 s: ValueError: [red]no such layer",
        "W1_3_J3 starts on W1 lr=0.03333 [bold]act=softmax",
        "W1_3_J3 epoch 2 40%",
        "W1_3_J3 attempt 2 does not count (lost: its agent was lost); it will run again",
        "W1_3_J3 starts on W1, attempt 2 lr=0.03333 [bold]act=softmax",
        "run done: the budget is spent",
    ]


def test_the_table_shows_jobs_best_and_baseline() -> None:
    clock = Clock()
    table = LiveTable(io.StringIO(), live=False, clock=clock)
    for event in STORY:
        table(event)
    clock.now += 75
    text = shown(table)
    head = text.splitlines()[0]
    assert "2/5 jobs ended, 1 running · 1 failed · best dice 0.6100 (W1_1_J1) · baseline 0.6100 · 1 min 15 s" in head
    assert "failed (user_error)" in text
    assert "[bold]act=softmax" in text
    running = next(line for line in text.splitlines() if "W1_3_J3" in line)
    assert "running" in running
    assert "1 min 15 s" in running


def test_a_narrow_screen_drops_columns_and_cuts_nothing() -> None:
    table = LiveTable(io.StringIO(), live=False, clock=Clock())
    for event in STORY:
        table(event)
    heads = {
        width: next(line for line in shown(table, width).splitlines() if " state" in line).split() for width in (140, 80, 60, 40)
    }
    assert heads[140] == ["#", "job", "worker", "state", "parameters", "last", "report", "dice", "time"]
    assert "parameters" not in heads[80]
    assert heads[40] == ["job", "state", "dice"]
    for width in (80, 60, 40):
        assert "W1_2_J2" in shown(table, width)
        assert "failed (user_error)" in shown(table, width)
        assert max(map(len, shown(table, width).splitlines())) <= width


def test_with_the_trace_on_the_console_each_event_is_read_once(tmp_path: Path) -> None:
    stream, console = io.StringIO(), io.StringIO()
    table = LiveTable(stream, lines=False, clock=Clock())
    trace = Trace(tmp_path / "trace.log", "both", console=console)
    for event in STORY:
        table(event)
        trace.event(event, 0.0)
    trace.close()
    assert stream.getvalue() == ""
    assert [line[9:] for line in console.getvalue().splitlines()][3] == "W1_1_J1 done in 12 s, dice 0.6100, the best so far"
    assert len(console.getvalue().splitlines()) == len((tmp_path / "trace.log").read_text().splitlines()) == len(STORY)


def test_only_the_newest_ended_jobs_are_shown() -> None:
    table = LiveTable(io.StringIO(), live=False, clock=Clock())
    table(RUN)
    for number in range(1, 101):
        table(started(number, number))
        table(ended(number, number, 0.5))
    text = shown(table)
    assert "W1_100_J100" in text
    assert "W1_85_J85" not in text
    assert "100/5 jobs ended" in text


def test_progress_is_thinned_in_plain_form() -> None:
    clock = Clock()
    stream = io.StringIO()
    table = LiveTable(stream, clock=clock)
    table(started(1, 0))
    for tick in range(100):
        clock.now += 1
        table(events.Progressed("W1_1_J1", f"batch {tick}", None))
    assert stream.getvalue().count("batch") == 4


def test_a_terminal_gets_a_table_that_goes_away_and_failures_that_stay() -> None:
    stream = io.StringIO()
    table = LiveTable(stream, live=True, clock=Clock())
    for event in STORY:
        table(event)
    table(events.RunEnded("done", ""))
    table.close()
    text = stream.getvalue()
    assert "\x1b[?25l" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert "ValueError: [red]no such layer" in text
    assert "warning: no GPU on this host" in text


def test_a_reader_that_left_does_not_end_the_run() -> None:
    table = LiveTable(Gone(), clock=Clock())
    for event in STORY:
        table(event)


def test_an_unknown_job_is_no_error() -> None:
    table = LiveTable(io.StringIO(), clock=Clock())
    table(events.MetricReported("W9_9_J9", 1, {"dice": 0.1}))
    table(events.Progressed("W9_9_J9", "x", None))
    table(ended(9, 9, 0.5))
