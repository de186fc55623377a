"""The output of jobs on the console."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from small_study import small_study

from automl_run.dsl import ir
from automl_run.engine.agent.folders import JOB_FILE, LOG_FILE
from automl_run.engine.events import JobEnded, JobRetried, JobStarted
from automl_run.engine.report.job_output import JobOutput
from automl_run.engine.run import RunOptions, run_study

END = JobEnded("W1_1_J1", 1, "done", None, "", None, {}, 1.0, False)


def started(fence: int = 1) -> JobStarted:
    return JobStarted("W1_1_J1", 1, "W1", (), {}, fence)


def test_lines_as_they_come(tmp_path: Path) -> None:
    console = io.StringIO()
    output = JobOutput(tmp_path, console)
    output(started())
    output.look()
    (tmp_path / "W1_1_J1").mkdir()
    log = tmp_path / "W1_1_J1" / LOG_FILE
    log.write_bytes(b"one\ntw")
    output.look()
    assert console.getvalue() == "W1_1_J1 | one\n"
    log.write_bytes(b"one\ntwo\n\xff three")
    output.look()
    output.look()
    assert console.getvalue() == "W1_1_J1 | one\nW1_1_J1 | two\n"
    output(END)
    output(END)
    output.look()
    assert console.getvalue() == "W1_1_J1 | one\nW1_1_J1 | two\nW1_1_J1 | \N{REPLACEMENT CHARACTER} three\n"


def test_a_log_that_began_anew_and_another_attempt(tmp_path: Path) -> None:
    console = io.StringIO()
    output = JobOutput(tmp_path, console)
    folder = tmp_path / "W1_1_J1"
    (folder / "attempt_2").mkdir(parents=True)
    first = {"job": "W1_1_J1", "fence": 1, "target": {"name": "Command"}, "config_name": "c", "params": {}, "seed": 1}
    first |= {"objectives": [], "gpus": [], "threads": 1, "base_dir": "."}
    (folder / JOB_FILE).write_text(json.dumps(first))
    output(started())
    (folder / LOG_FILE).write_text("long line\n")
    output.look()
    (folder / LOG_FILE).write_text("short\n")
    output.look()
    output(JobRetried("W1_1_J1", 1, "lost", ""))
    output(started(2))
    (folder / "attempt_2" / LOG_FILE).write_text("again\n")
    output.look()
    assert [line.partition(" | ")[2] for line in console.getvalue().splitlines()] == ["long line", "short", "again"]


def test_a_study_whose_executor_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    executor = ir.Spec("MMARExecutor", {"msg_destination": "both"})
    program = small_study(tmp_path, executor=executor, workers=(ir.Worker(),), budget=ir.Budget(trials=1))
    (tmp_path / "train.py").write_text(
        "def score(params, report):\n    print('hello from', params['lr'])\n    return params['lr']\n"
    )
    run_study(program, RunOptions(run_id="a"))
    assert "W1_1_J1 | hello from 0.5" in capfd.readouterr().err
