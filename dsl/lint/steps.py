"""AM916: the end of a range that its steps do not reach."""

from __future__ import annotations

import math
from collections.abc import Iterator

from .. import ast
from ..diagnostics import Diagnostic
from .ranges import number
from .subject import Subject, found
from .walk import every


def end_not_reached(subject: Subject) -> Iterator[Diagnostic]:
    if subject.legacy:
        return
    for domain in every(subject.module, ast.Domain):
        for alternative in domain.alternatives:
            if not isinstance(alternative, ast.Range) or alternative.step is None:
                continue
            low, high, size = number(alternative.lo), number(alternative.hi), number(alternative.step.size)
            if low is None or high is None or size is None or high <= low:
                continue
            last = _last(low, high, size, alternative.step.kind)
            if last is not None and not math.isclose(last, high, rel_tol=1e-9):
                yield found(
                    "AM916",
                    "the steps do not reach the end of this range",
                    alternative.hi.span,
                    label=f"the last value is {last:.10g}",
                    help=_help(alternative, last),
                )


def _last(low: float, high: float, size: float, kind: str) -> float | None:
    """The last value that is drawn; None where the step is none."""
    if kind == "add":
        return low + math.floor((high - low) / size * (1 + 1e-12) + 1e-12) * size if size > 0 else None
    if size <= 1 or low <= 0:
        return None
    return float(low * size ** math.floor(math.log(high / low) / math.log(size) * (1 + 1e-12) + 1e-12))


def _help(alternative: ast.Range, last: float) -> str:
    return f"write `..{last:.10g}` for the same values" if isinstance(alternative.hi, ast.Lit) else ""
