"""Real runs for the proof: started, killed, resumed, and judged by what is left of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import msgspec
import psutil

from automl_run.dsl import ir
from automl_run.engine.journal import Journal
from automl_run.engine.testing import oracle
from automl_run.engine.testing.killed.boundaries import PLAN

TRAIN = """
import os, subprocess, sys, time

def quick(params, report):
    for step in range(5):
        report(step, dice=params["lr"] / 2)
    return params["lr"]

def some_time(params, report):
    # A helper that leaves its session: it must not outlive its job.
    code = "import time; time.sleep(600)"
    subprocess.Popen([sys.executable, "-S", "-c", code, os.environ["AUTOML_JOB_DIR"]], start_new_session=True)
    for step in range(4):
        if report(step, dice=params["lr"] * step / 4):
            break
        time.sleep(0.05)
    return params["lr"]
"""


def write_program(base: Path, function: str = "train:quick", trials: int = 6, workers: int = 2, **study: Any) -> Path:
    (base / "train.py").write_text(TRAIN)
    parts: dict[str, Any] = {
        "name": "study",
        "target": ir.Spec("Python", {"function": function}),
        "objectives": (ir.Objective("dice", "maximize"),),
        "controller": ir.Spec("Random"),
        "budget": ir.Budget(trials=trials),
        "workers": (ir.Worker(),) * workers,
        **study,
    }
    lr = ir.Param("lr", ir.Real(0.0, 1.0), ("train.lr",), (0.5,))
    program = ir.Program(ir.Study(**parts), (lr,), ir.MapNode({"lr": ir.Read("lr")}), digest="d1", base_dir=str(base))
    path = base / "program.msgpack"
    path.write_bytes(program.to_bytes())
    return path


def command(program: Path, folder: Path) -> list[str]:
    return [sys.executable, "-m", "automl_run.engine.testing.killed.scheduler", str(program), str(folder)]


def environment(plan: str = "") -> dict[str, str]:
    return {**os.environ, PLAN: plan, "PYTHONHASHSEED": "0"}


def once(program: Path, folder: Path, plan: str = "", timeout_s: float = 600.0) -> int:
    """The exit code of one scheduler's life."""
    done = subprocess.run(command(program, folder), env=environment(plan), timeout=timeout_s, check=False)
    return done.returncode


def to_the_end(program: Path, folder: Path, plan: str = "", lives: int = 5) -> int:
    """Resumes until the run has ended. Its exit code."""
    for _ in range(lives):
        code = once(program, folder, plan)
        if code in (0, 1):
            return code
    raise AssertionError(f"the run has not ended in {lives} lives: {code}")


def processes_of(folder: Path) -> list[str]:
    """Every process that names the run's folder, or anything in it."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if process.pid != os.getpid() and any(str(folder) in part for part in line):
            found.append(" ".join(line))
    return found


def stored(folder: Path) -> list[dict[str, Any]]:
    store = Journal.open(folder)
    try:
        plain = [cast(dict[str, Any], msgspec.to_builtins(fact, builtin_types=(bytes,))) for fact in store.facts()]
    finally:
        store.close()
    return [{key: list(value) if isinstance(value, tuple) else value for key, value in fact.items()} for fact in plain]


def judged(folder: Path, trials: int, *, ended: bool = True) -> list[str]:
    """What the oracle finds in the journal of a run, and in the processes."""
    facts = stored(folder)
    facts[0]["trials"] = trials
    wrong = oracle.judge_stored(facts, ended)
    recommended = {fact["index"] for fact in facts if fact["f"] == "Recommended"}
    if ended and len(recommended) != trials:
        wrong.append(f"{len(recommended)} recommendations of {trials}")
    return wrong + [f"left: {line}" for line in processes_of(folder)]
