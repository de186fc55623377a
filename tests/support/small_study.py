"""A study of one parameter whose jobs are a function of a test's, run by threads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automl_run.dsl import ir
from automl_run.engine import events
from automl_run.engine.events import Event
from automl_run.engine.run import RunOptions
from automl_run.engine.testing.in_process import JobFunction, Report, ThreadLauncher
from automl_run.engine.wire import messages as wire

TRAIN = """
def score(params, report):
    return params["lr"]
"""


def small_study(base: Path, **study: Any) -> ir.Program:
    """Random search over `lr`, 2 workers, 6 trials unless `study` says otherwise; `train:score` is there for real processes."""
    (base / "train.py").write_text(TRAIN)
    study = {
        "name": "study",
        "target": ir.Spec("Python", {"function": "train:score"}),
        "objectives": (ir.Objective("dice", "maximize"),),
        "controller": ir.Spec("Random"),
        "budget": ir.Budget(trials=6),
        "workers": (ir.Worker(), ir.Worker()),
        **study,
    }
    lr = ir.Param("lr", ir.Real(0.0, 1.0), ("train.lr",), (0.5,))
    return ir.Program(ir.Study(**study), (lr,), ir.MapNode({"lr": ir.Read("lr")}), digest="d1", base_dir=str(base))


def in_threads(job: JobFunction) -> RunOptions:
    return RunOptions(launcher=lambda folder: ThreadLauncher(folder, job))


def lr_is_score(assign: wire.Assign, report: Report) -> Mapping[str, float]:
    lr = assign.config["lr"]
    assert isinstance(lr, float)
    return {"dice": lr}


class Recorder:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def warnings(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, events.Warned)]
