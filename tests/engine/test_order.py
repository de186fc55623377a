"""What is promised about order: which table two runs of one study share, whatever their timing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from automl_run.dsl import ir
from automl_run.engine import events
from automl_run.engine.admin import console
from automl_run.engine.admin.requests import ResumeWorker, Suspend
from automl_run.engine.controllers import registry
from automl_run.engine.controllers.base import Outcome, Recommendation
from automl_run.engine.events import Event, Observer
from automl_run.engine.run import RunOptions, RunResult, resume_study, run_study
from automl_run.engine.testing.in_process import Report, ThreadLauncher
from automl_run.engine.wire import messages as wire

TRAIN = """
import os, signal
from pathlib import Path

def score(params, report):
    return (params["lr"] - 0.3) ** 2 + params["width"]

def kills_scheduler(params, report):
    flag = Path(__file__).with_name("killed")
    if params["lr"] > 0.6 and params["width"] == 2 and not flag.exists():
        flag.touch()
        os.kill(int(Path(__file__).with_name("scheduler.pid").read_text()), signal.SIGKILL)
    return score(params, report)
"""
CONTROLLERS = {
    "Random": ir.Spec("Random"),
    "Grid": ir.Spec("Grid"),
    "Sobol": ir.Spec("Sobol"),
    "TPE": ir.Spec("TPE", {"startup": 3}),
    "GP": ir.Spec("GP", {"startup": 9}),
    "CmaEs": ir.Spec("CmaEs", {"population": 4}),
    "NSGA2": ir.Spec("NSGA2", {"population": 4}),
    "Reinforcement": ir.Spec("Reinforcement"),
}


def program(base: Path, controller: str, workers: int, function: str = "score", **study: Any) -> ir.Program:
    (base / "train.py").write_text(TRAIN)
    parts: dict[str, Any] = {
        "name": "s",
        "target": ir.Spec("Python", {"function": f"train:{function}"}),
        "objectives": (ir.Objective("loss", "minimize"),),
        "controller": CONTROLLERS[controller],
        "budget": ir.Budget(trials=14),
        "workers": (ir.Worker(),) * workers,
        "seed": 5,
        **study,
    }
    step = ir.Step("add", 0.25) if controller == "Grid" else None
    width = ir.Choice(tuple(ir.Alt(str(n), (n,)) for n in (1, 2, 4)), ordered=True)
    lr = ir.Param("lr", ir.Real(0.0, 1.0, step=step), ("lr",), (0.5,))
    params = (lr, ir.Param("width", width, ("width",), (1,)))
    config = ir.MapNode({"lr": ir.Read("lr"), "width": ir.Read("width")})
    return ir.Program(ir.Study(**parts), params, config, digest="d", base_dir=str(base))


def uneven(assign: wire.Assign, report: Report) -> Mapping[str, float]:
    """Jobs end in another order than they began."""
    for step in range(assign.seed % 4 * 6):
        report(step, noise=0.0)
    lr, width = assign.config["lr"], assign.config["width"]
    assert isinstance(lr, float)
    assert isinstance(width, int)
    return {"loss": (lr - 0.3) ** 2 + width}


def in_threads(run_id: str, job: Callable[[wire.Assign, Report], Mapping[str, float]] = uneven) -> RunOptions:
    return RunOptions(run_id=run_id, launcher=lambda folder: ThreadLauncher(folder, job))


def table(result: RunResult) -> list[tuple[object, ...]]:
    """By the index of the recommendation: parameters, seed, state, score."""
    return [tuple(job[key] for key in ("index", "params", "seed", "state", "score")) for job in result.summary["jobs"]]


def interrupted_after(jobs: int) -> Observer:
    left = iter(range(jobs - 1, -1, -1))

    def observe(event: Event) -> None:
        if isinstance(event, events.JobEnded) and next(left, None) == 0:
            os.kill(os.getpid(), signal.SIGINT)

    return observe


@pytest.mark.parametrize("controller", ["Random", "Grid", "Sobol"])
def test_what_heeds_no_outcome_gives_one_table_at_any_number_of_workers(tmp_path: Path, controller: str) -> None:
    tables = [table(run_study(program(tmp_path, controller, n), in_threads(f"w{n}"))) for n in (1, 2, 5)]
    first = run_study(program(tmp_path, controller, 2), in_threads("i"), interrupted_after(4))
    assert first.exit_code == 130
    more = RunOptions(workers=(ir.Worker(),) * 3, launcher=lambda folder: ThreadLauncher(folder, uneven))
    tables.append(table(resume_study(first.folder, more)))
    assert len(tables[0]) > 8
    assert tables[0] == tables[1] == tables[2] == tables[3]


@pytest.mark.parametrize("controller", sorted(CONTROLLERS))
def test_one_worker_gives_one_table(tmp_path: Path, controller: str) -> None:
    tables = [table(run_study(program(tmp_path, controller, 1), in_threads(name))) for name in ("a", "b")]
    first = run_study(program(tmp_path, controller, 1), in_threads("c"), interrupted_after(6))
    assert first.exit_code == 130
    tables.append(table(resume_study(first.folder, in_threads("c"))))
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.parametrize("controller", sorted(CONTROLLERS))
def test_a_fixed_order_gives_one_table_with_several_workers(tmp_path: Path, controller: str) -> None:
    def wanted() -> ir.Program:
        return program(tmp_path, controller, 3, order="fixed")

    tables = [table(run_study(wanted(), in_threads(name))) for name in ("a", "b")]
    first = run_study(wanted(), in_threads("c"), interrupted_after(6))
    assert first.exit_code == 130
    tables.append(table(resume_study(first.folder, in_threads("c"))))
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_recommendation_sees_the_outcomes_up_to_its_number_less_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    saw: dict[int, list[int]] = {}
    make = registry.make_controller

    class Spy:
        def __init__(self, program: ir.Program) -> None:
            self._inner = make(program)
            self._seen: list[int] = []

        def recommend(self, n: int) -> list[Recommendation]:
            found = self._inner.recommend(n)
            saw.update({each.index: sorted(self._seen) for each in found})
            return found

        def observe(self, outcome: Outcome) -> None:
            self._seen.append(outcome.index)
            self._inner.observe(outcome)

        def restore(self, recommendation: Recommendation) -> None:
            self._inner.restore(recommendation)

        @property
        def exhausted(self) -> bool:
            return self._inner.exhausted

    monkeypatch.setattr(registry, "make_controller", Spy)
    run_study(program(tmp_path, "TPE", workers, order="fixed"), in_threads("a"))
    assert saw == {k: list(range(max(0, k - workers + 1))) for k in range(1, 14)}


def test_a_fixed_order_does_not_mind_a_suspended_worker(tmp_path: Path) -> None:
    def wanted() -> ir.Program:
        return program(tmp_path, "TPE", 3, order="fixed")

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        if assign.job.endswith("_J4"):
            console.operate(tmp_path / "runs" / "b", Suspend("W2"))
        if assign.job.endswith("_J10"):
            console.operate(tmp_path / "runs" / "b", ResumeWorker("W2"))
        return uneven(assign, report)

    plain = run_study(wanted(), in_threads("a"))
    suspended = run_study(wanted(), in_threads("b", job))
    assert table(plain) == table(suspended)
    assert [len(worker["suspensions"]) for worker in suspended.summary["workers"]] == [0, 1, 0]


def test_a_fixed_order_survives_a_kill(tmp_path: Path) -> None:
    """Real processes; the scheduler is killed with -9 while jobs run, and resumed."""
    wanted = program(tmp_path, "TPE", 2, "kills_scheduler", order="fixed")
    (tmp_path / "program").write_bytes(wanted.to_bytes())
    script = f"""
import os
from pathlib import Path
from automl_run.dsl.ir import Program
from automl_run.engine.run import RunOptions, run_study
here = Path({str(tmp_path)!r})
(here / "scheduler.pid").write_text(str(os.getpid()))
run_study(Program.from_bytes((here / "program").read_bytes()), RunOptions(run_id="a"))
"""
    killed = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    resumed = resume_study(tmp_path / "runs" / "a", RunOptions())
    direct = run_study(program(tmp_path, "TPE", 2, order="fixed"), RunOptions(run_id="b"))
    assert table(resumed) == table(direct)
    assert len(table(direct)) == 14
