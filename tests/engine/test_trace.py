"""What a run tells of itself: trace.log, and the timeline of its summary."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from studies import study, threads

from automl_run.dsl import ir
from automl_run.engine import events
from automl_run.engine.admin import console
from automl_run.engine.admin.requests import ResumeWorker, Suspend
from automl_run.engine.run import RunResult, run_study
from automl_run.engine.testing.in_process import Report
from automl_run.engine.trace import Trace
from automl_run.engine.wire import messages as wire
from automl_run.errors import JobError


def traced(base: Path, **options: Any) -> RunResult:
    """Two workers, eight jobs; one is suspended for a while, one job is tried again, one fails."""

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        if assign.job.endswith("_J3") and assign.fence == 1:
            console.operate(base / "runs" / "a", Suspend("W2"))
            raise JobError("gpu_error", "Xid 79")
        if assign.job.endswith("_J6"):
            console.operate(base / "runs" / "a", ResumeWorker("W2"))
            raise JobError("user_error", "no such layer")
        report(1, dice=0.25)
        return {"dice": 0.5}

    return run_study(study(base, budget=ir.Budget(trials=8), workers=(ir.Worker(), ir.Worker())), threads(job, **options))


def lines_of(result: RunResult) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (result.folder / "trace.log").read_text(encoding="utf-8").splitlines()]
    moments = [datetime.fromisoformat(line["at"]) for line in lines]
    assert all(a <= b for a, b in pairwise(moments))
    assert all(moment.tzinfo is not None for moment in moments)
    return lines


def test_the_trace_has_a_line_of_json_for_every_event(tmp_path: Path) -> None:
    result = traced(tmp_path)
    lines = lines_of(result)
    assert all("event" in line for line in lines)
    count = Counter(line["event"] for line in lines)
    assert (count["RunStarted"], count["RunEnded"], count["JobEnded"], count["JobStarted"], count["JobRetried"]) == (1, 1, 8, 9, 1)
    changes = [(line["worker"], line["state"]) for line in lines if line["event"] == "WorkerChanged"]
    assert [change for change in changes if change[1] in ("suspended", "resumed")] == [("W2", "suspended"), ("W2", "resumed")]
    assert {change[0] for change in changes if change[1] == "up"} == {"W1", "W2"}
    failed = next(line for line in lines if line["event"] == "JobEnded" and line["state"] == "failed")
    assert (failed["cause"], failed["message"]) == ("user_error", "no such layer")


def test_the_engines_trace_has_its_facts_and_messages(tmp_path: Path) -> None:
    lines = lines_of(traced(tmp_path, engine_trace=True))
    engine = [line for line in lines if "engine" in line]
    kinds = {line["engine"] for line in engine}
    assert kinds == {"fact", "sent", "received"}
    assert {"Assigned", "Ended", "Suspended", "Unsuspended", "WorkerUp"} <= {
        line["f"] for line in engine if line["engine"] == "fact"
    }
    assert {"Assign", "Ack"} <= {line["t"] for line in engine if line["engine"] == "sent"}
    assert {"Hello", "Done", "Metric"} <= {line["t"] for line in engine if line["engine"] == "received"}
    assert all(line["worker"] in ("W1", "W2") for line in engine if line["engine"] != "fact")
    assert not any("program" in line for line in engine)


def test_the_console_reads_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traced(tmp_path, trace="console")
    said = capsys.readouterr().err
    assert not (tmp_path / "runs" / "a" / "trace.log").exists()
    assert "W2 is suspended" in said
    assert "attempt 1 does not count (gpu_error: Xid 79); it will run again" in said
    assert "{" not in said


def test_a_full_disk_ends_the_trace_and_not_the_run(tmp_path: Path) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    trace = Trace(tmp_path / "trace.log", "both", console=Full())
    for _ in range(2):
        trace.event(events.Warned("x"), 1.0)
    trace.close()


def test_the_timeline_says_who_had_what_and_when(tmp_path: Path) -> None:
    summary = traced(tmp_path).summary
    spans = [span for job in summary["jobs"] for span in job["timeline"]]
    assert len(spans) == 9
    for job in summary["jobs"]:
        assert [span["attempt"] for span in job["timeline"]] == list(range(1, job["attempts"] + 1))
        assert job["timeline"][-1]["how"] == job["state"]
        assert (job["start"], job["end"], job["worker"]) == (
            job["timeline"][0]["start"],
            job["timeline"][-1]["end"],
            job["timeline"][-1]["worker"],
        )
    again = next(job for job in summary["jobs"] if job["attempts"] == 2)
    assert [span["how"] for span in again["timeline"]] == ["gpu_error", "done"]
    by_worker = [span for worker in summary["workers"] for span in worker["timeline"]]
    assert sorted(by_worker, key=str) == sorted(spans, key=str)
    for worker in summary["workers"]:
        assert all(a["end"] <= b["start"] for a, b in pairwise(worker["timeline"]))
    ((start, end),) = summary["workers"][1]["suspensions"]
    assert start <= end
    assert not any(start < span["start"] < end for span in summary["workers"][1]["timeline"])
