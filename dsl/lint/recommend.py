"""AM910: workers that will wait because the controller has nothing for them: Clara's advice, as a rule."""

from __future__ import annotations

import math
from collections.abc import Iterator

from .. import ir
from ..diagnostics import Diagnostic
from ..source import Span
from ..summary import count_values
from .subject import Subject, found, study_binds

#: Arguments of controllers that say how many recommendations they give at a time. The generations of others nobody waits for.
_AT_A_TIME = {"TPE": "batch", "PBT": "population"}


def fewer_than_workers(subject: Subject) -> Iterator[Diagnostic]:
    workers = len(subject.program.study.workers)
    span = _place(subject)
    if workers < 2 or span is None:
        return
    count, why = _recommendations(subject.program)
    if count < workers:
        help = f"give {max(1, count)} worker{'s' * (count > 1)} the devices of all, or search more at a time"
        yield found("AM910", f"{workers} workers, but {why}", span, help=help)


def _recommendations(program: ir.Program) -> tuple[float, str]:
    """How many there are at a time, at most, and what says so."""
    study = program.study
    out: list[tuple[float, str]] = [(math.inf, "")]
    if study.budget.trials is not None:
        out.append((study.budget.trials, f"the budget allows {study.budget.trials} trials"))
    choices = math.prod(len(param.domain.alts) for param in program.params if isinstance(param.domain, ir.Choice))
    if all(_is_finite(param.domain) for param in program.params):
        points = math.prod(count_values(param.domain) for param in program.params)
        out.append((points, f"the space has {points} points"))
    elif study.controller.name == "Reinforcement":
        # One chain for each combination of alternatives; each waits for its own result.
        out.append((choices, f"Reinforcement follows one chain per combination of alternatives, here {choices}"))
    name = _AT_A_TIME.get(study.controller.name, "")
    value = study.controller.args.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        out.append((value, f"{study.controller.name}({name} = {value}) gives {value} recommendations at a time"))
    return min(out, key=lambda each: each[0])


def _is_finite(domain: ir.Domain) -> bool:
    return not isinstance(domain, ir.Real) or domain.step is not None


def _place(subject: Subject) -> Span | None:
    """Where this file says how many workers there are, or anything about the study."""
    for name in ("workers", "controller"):
        for bind in study_binds(subject.module, name):
            return bind.span
    return next((study.path.span for study in subject.studies()), None)
