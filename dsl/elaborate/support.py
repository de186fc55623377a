"""What a program may say and the engine does not carry out yet: told by `check`, refused before a run starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .. import ir
from ..controllers import PRUNERS, RUNNABLE, UNUSED_ARGUMENTS
from .logic import metrics_in


@dataclass(frozen=True, slots=True)
class Unsupported:
    """`what` for people; `key`: where it is said, as the study's reader names its settings."""

    what: str
    key: str

    def __str__(self) -> str:
        return f"{self.what} is not supported yet"


def unsupported(program: ir.Program) -> list[Unsupported]:
    """Everything in `program` that no run honours, in the order of the study's keys."""
    return list(_unsupported(program))


def _unsupported(program: ir.Program) -> Iterator[Unsupported]:
    study = program.study
    yield from _controller(study.controller, "controller")
    if study.pruner is not None and study.pruner.name not in PRUNERS:
        yield Unsupported(f"the pruner `{study.pruner.name}`", "pruner")
    elif study.pruner is not None and len(study.objectives) > 1:
        what = f"a pruner for {len(study.objectives)} objectives, where one job may be ahead in one and behind in another,"
        yield Unsupported(what, "pruner")
    for phase in study.phases:
        yield Unsupported(f"the phase `{phase.name}`", f"phase {phase.name}")
    if study.accelerate and study.target is not None and study.target.name == "Command":
        yield Unsupported("`accelerate` of a command, which is a process of its own,", "accelerate")
    if study.cache and study.target is not None and study.target.name == "Command":
        yield Unsupported("`cache` for a command, which is a process of its own,", "cache")


def _controller(spec: ir.Spec, key: str) -> Iterator[Unsupported]:
    if "." not in spec.name and spec.name not in RUNNABLE:
        yield Unsupported(f"the controller `{spec.name}`", key)
    for argument in UNUSED_ARGUMENTS.get(spec.name, ()):
        if argument in spec.args:
            yield Unsupported(f"`{argument}` of `{spec.name}`", key)


def objective_metrics(study: ir.Study) -> tuple[str, ...]:
    """The metrics that the objectives are made of, each once."""
    names: list[str] = []
    for objective in study.objectives:
        names += [objective.metric] if objective.expr is None else metrics_in(objective.expr)
    return tuple(dict.fromkeys(names))


def metric_names(study: ir.Study) -> tuple[str, ...]:
    """All metrics that the study reads: for its objectives, and for what it ensures."""
    ensured = [name for ensure in study.ensures for name in metrics_in(ensure.condition)]
    return tuple(dict.fromkeys([*objective_metrics(study), *ensured]))
