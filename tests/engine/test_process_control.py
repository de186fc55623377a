"""What the scheduler tells agents about watching their jobs, and what an agent does about processes that do not end."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from small_study import Recorder, in_threads, small_study

from automl_run.dsl import ir
from automl_run.dsl.load import parse
from automl_run.engine.agent.agent import Agent, Settings
from automl_run.engine.agent.effects import Effects
from automl_run.engine.run import RunOptions, run_study
from automl_run.engine.targets.measured import measured_metrics, reported_objectives
from automl_run.engine.testing.in_process import Report
from automl_run.engine.wire import messages as wire


def test_the_studys_limits_travel_to_the_agents(tmp_path: Path) -> None:
    seen: list[wire.Assign] = []

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        seen.append(assign)
        return {"dice": 0.5, "peak_memory": 1e9}

    objectives = (ir.Objective("dice", "maximize"), ir.Objective("peak_memory", "minimize"))
    study = small_study(
        tmp_path,
        objectives=objectives,
        stall_time_s=1800.0,
        budget=ir.Budget(trials=2, job_time_s=7200.0),
    )
    run_study(study, in_threads(job))
    for assign in seen:
        assert (assign.stall_time_s, assign.time_limit_s) == (1800.0, 7200.0)
        assert (assign.objectives, assign.measured) == (("dice",), ("peak_memory",))
        assert assign.shares == ()


@pytest.mark.parametrize(
    ("body", "target", "measured", "objectives"),
    [
        ("maximize dice\nensure peak_memory <= 2GiB", "Python", ("peak_memory",), ("dice",)),
        ("maximize dice\nminimize latency_ms", "Python", (), ("dice", "latency_ms")),
        ("maximize dice\nminimize latency_ms\nensure parameters < 1000", "Mmar", ("latency_ms", "parameters"), ("dice",)),
        ("minimize peak_memory", "Python", ("peak_memory",), ("peak_memory",)),
        ("minimize seconds\nmaximize dice", "Python", (), ("dice",)),
        ("maximize dice", "Mmar", (), ("dice",)),
    ],
)
def test_who_measures_what(body: str, target: str, measured: tuple[str, ...], objectives: tuple[str, ...]) -> None:
    found = parse(f"study {{\n{body}\n}}\nx ~ 0.1..1.0").study
    found = replace(found, target=ir.Spec(target, {}))
    assert measured_metrics(found) == measured
    assert reported_objectives(found) == objectives


def test_a_real_job_measures_what_the_study_reads(tmp_path: Path) -> None:
    objectives = (ir.Objective("dice", "maximize"), ir.Objective("peak_memory", "minimize"))
    result = run_study(
        small_study(tmp_path, budget=ir.Budget(trials=1), objectives=objectives, workers=(ir.Worker(),)), RunOptions()
    )
    (job,) = result.summary["jobs"]
    assert job["state"] == "done"
    assert 2**20 < job["scores"]["peak_memory"] < 2**34


def test_shared_gpus_are_said_and_get_shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl_run.engine.launchers.gpus.count_gpus", lambda: 1)
    shares: dict[str, tuple[int, ...]] = {}

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        shares[assign.job[:2]] = assign.shares
        return {"dice": 0.5}

    recorder = Recorder()
    run_study(
        small_study(tmp_path, budget=ir.Budget(trials=4), workers=(ir.Worker((0,)), ir.Worker((0,)))), in_threads(job), recorder
    )
    assert recorder.warnings == ["GPU 0 is shared by 2 workers: their jobs have its memory together"]
    assert shares == {"W1": (0,), "W2": (1,)}


@pytest.mark.parametrize(("gpus", "said"), [((0,), 1), ((), 0)])
def test_gpus_of_what_cannot_be_ended_are_in_quarantine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], gpus: tuple[int, ...], said: int
) -> None:
    agent = Agent(Settings(tmp_path, "W1", gpus, 1, tmp_path, {}, gpu_ids=tuple(f"gpu{gpu}" for gpu in gpus)), Effects())
    sent: list[wire.FromAgent] = []
    monkeypatch.setattr(agent._uplink, "send", sent.append)
    agent._report_survivors("W1_1_J1", (4711,))
    assert "the processes [4711] of W1_1_J1 cannot be ended" in capsys.readouterr().err
    found = [message for message in sent if isinstance(message, wire.Quarantine)]
    assert len(found) == said
    if said:
        monkeypatch.setattr(agent._uplink, "welcomed", lambda: None)
        agent._welcomed()
        assert sent.count(found[0]) == 2, "a scheduler that comes later hears of it, too"
        target = ir.Spec("Python", {"function": "a:b"})
        agent._assign(wire.Assign("W1_2_J2", 1, target, {}, "params.json", {}, 1, ("dice",)))
        assert isinstance(sent[-1], wire.Failed)
        assert sent[-1].cause == "lost"


def test_an_agent_whose_log_cannot_be_written_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    agent = Agent(Settings(tmp_path, "W1", (0,), 1, tmp_path, {}, gpu_ids=("gpu0",)), Effects())
    sent: list[wire.FromAgent] = []
    monkeypatch.setattr(agent._uplink, "send", sent.append)
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=full, flush=lambda: None))
    agent._report_survivors("W1_1_J1", (4711,))
    assert len(sent) == 1


def test_children_that_nobody_knows_of_are_buried(monkeypatch: pytest.MonkeyPatch) -> None:
    effects = Effects()
    monkeypatch.setattr(effects, "_warm", SimpleNamespace(pid=0))
    pids = []
    for _ in range(2):
        pids.append(os.fork())
        if pids[-1] == 0:
            os._exit(0)
    known, unknown = pids
    os.waitid(os.P_PID, unknown, os.WEXITED | os.WNOWAIT)
    monkeypatch.setattr("automl_run.engine.agent.effects.children", lambda pid: [known, unknown])
    effects.reap_orphans([known])
    with pytest.raises(ChildProcessError):
        os.waitpid(unknown, 0)
    assert os.waitpid(known, 0) == (known, 0)
