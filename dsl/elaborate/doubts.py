"""AM408: what a study says and a run carries out, but that cannot do what it was said for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .. import ir
from ..controllers import CONTROLLERS, defaults
from ..evaluate import Undefined, baseline_point


@dataclass(frozen=True, slots=True)
class Doubt:
    """`key`: where it is said, as the study's reader names its settings."""

    message: str
    key: str
    help: str


def doubts(program: ir.Program) -> Iterator[Doubt]:
    study = program.study
    if study.budget.gpu_hours is not None and study.workers and not any(worker.gpus for worker in study.workers):
        help = "workers with GPUs are `[[0], [1]]`; `time` and `trials` are limits for all"
        yield Doubt("`gpu_hours` counts hours on GPUs, and no worker has one", "budget.gpu_hours", help)
    if study.phases:
        return
    if study.controller.name == "CmaEs" and program.params and not any(param.has_order for param in program.params):
        message = "`CmaEs` moves along ranges and numbers; what is searched here has no order, so it is drawn at random"
        yield Doubt(message, "controller", "`TPE()` learns about alternatives")
    trials = study.budget.trials
    if study.controller.name == "NSGA2" and trials is not None:
        first = study.controller.args.get("population", defaults(CONTROLLERS, "NSGA2")["population"])
        if isinstance(first, int) and first >= trials - (not _begins_inside(program)):
            message = f"`NSGA2` draws its first {first} at random, and the budget is {trials} trials: it never learns"
            yield Doubt(message, "controller", f"write `NSGA2(population = {max(2, trials // 5)})`, or give it more trials")


def _begins_inside(program: ir.Program) -> bool:
    """Whether the baseline, which is the first trial, is a point of the space, and so one of the first population."""
    try:
        return baseline_point(program) is not None
    except Undefined:
        return False
