"""Output that nobody takes holds up nothing."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest

from automl_run.dsl import ir
from automl_run.engine.report.aside import Aside
from automl_run.engine.report.live import LiveTable
from automl_run.engine.run import RunOptions, run_study
from automl_run.engine.testing.in_process import ThreadLauncher


def study(base: Path, trials: int) -> ir.Program:
    (base / "train_aside.py").write_text("def trial(params, report):\n    return params['lr']\n")
    found = ir.Study(
        name="study",
        target=ir.Spec("Python", {"function": "train_aside:trial"}),
        objectives=(ir.Objective("dice", "maximize"),),
        controller=ir.Spec("Random"),
        budget=ir.Budget(trials=trials),
        workers=(ir.Worker(),),
    )
    lr = ir.Param("lr", ir.Real(0.0, 1.0), ("train.lr",), (0.5,))
    return ir.Program(found, (lr,), ir.MapNode({"lr": ir.Read("lr")}), digest="d1", base_dir=str(base))


def full_pipe() -> tuple[int, int]:
    """A pipe that takes nothing more, until somebody reads."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(writing, b"x" * size)
        except BlockingIOError:
            continue
    os.set_blocking(writing, True)
    return reading, writing


def test_a_run_ends_although_nobody_reads_its_output(tmp_path: Path) -> None:
    reading, writing = full_pipe()
    launcher = lambda folder: ThreadLauncher(folder, lambda assign, report: {"dice": 0.5})  # noqa: E731
    stream = os.fdopen(writing, "w")
    aside = Aside(LiveTable(stream, live=False))
    result = run_study(study(tmp_path, 5), RunOptions(launcher=launcher), aside)
    assert (result.exit_code, len(result.summary["jobs"])) == (0, 5)
    aside.close(timeout_s=0.0)
    os.close(reading)  # the thread that waits gets an error, and ends
    aside.close()
    with contextlib.suppress(BrokenPipeError):
        stream.close()


def test_everything_is_taken_in_order_before_the_end() -> None:
    taken: list[int] = []
    with Aside(taken.append) as aside:
        for number in range(1000):
            aside(number)
    assert taken == list(range(1000))


def test_what_waits_is_bounded_and_the_newest_stays() -> None:
    go_on, taken = threading.Event(), list[int]()

    def take(number: int) -> None:
        go_on.wait()
        taken.append(number)

    with Aside(take, depth=3) as aside:
        for number in range(10):
            aside(number)
        go_on.set()
    assert taken[-3:] == [7, 8, 9]
    assert len(taken) <= 4


def test_an_error_reaches_the_next_caller() -> None:
    raised = threading.Event()

    def take(number: int) -> None:
        raised.set()
        raise LookupError(number)

    aside = Aside(take)
    aside(1)
    raised.wait()
    aside.close()
    with pytest.raises(LookupError):
        aside(2)
