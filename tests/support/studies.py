"""A small study, and agents as threads that run it: for tests of what surrounds a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl_run.dsl import ir
from automl_run.engine.run import RunOptions
from automl_run.engine.testing.in_process import JobFunction, ThreadLauncher


def study(base: Path, **parts: Any) -> ir.Program:
    (base / "train.py").write_text("def score(params, report):\n    return params['lr']\n")
    parts = {"budget": ir.Budget(trials=4), "workers": (ir.Worker(),), **parts}
    target = ir.Spec("Python", {"function": "train:score"})
    controller = ir.Spec("Random")
    objectives = (ir.Objective("dice", "maximize"),)
    made = ir.Study(name="s", target=target, objectives=objectives, controller=controller, **parts)
    lr = ir.Param("lr", ir.Real(0.0, 1.0), ("train.lr",), (0.5,))
    return ir.Program(made, (lr,), ir.MapNode({"lr": ir.Read("lr")}), digest="d1", base_dir=str(base))


def threads(job: JobFunction, **more: Any) -> RunOptions:
    return RunOptions(run_id="a", launcher=lambda folder: ThreadLauncher(folder, job), **more)
