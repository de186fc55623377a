"""AM901: half of the draws from `0.0001..1.0` lie above 0.5."""

from __future__ import annotations

from collections.abc import Iterator

from .. import ast
from ..diagnostics import Diagnostic, Fix
from ..elaborate.expressions import base_value
from ..elaborate.tree import Fault
from ..source import Span
from .subject import Subject, found
from .walk import every

_SPAN = 100


def linear_over_magnitudes(subject: Subject) -> Iterator[Diagnostic]:
    if subject.legacy:  # which has no other scale
        return
    for domain in every(subject.module, ast.Domain):
        for alternative in domain.alternatives:
            if not isinstance(alternative, ast.Range) or alternative.scale == "log" or alternative.step is not None:
                continue
            low, high = number(alternative.lo), number(alternative.hi)
            if low is None or high is None or low <= 0 or high < _SPAN * low:
                continue
            start = alternative.lo.span.start
            yield found(
                "AM901",
                f"a linear range whose end is {high / low:,.0f} times its start: small values are hardly ever drawn",
                alternative.span,
                help=f"write `log {subject.text(alternative.span)}`",
                fixes=[Fix(Span(subject.module.file, start, start), "log ")],
            )


def number(expr: ast.Expr) -> float | None:
    """The value of a literal in base units."""
    match expr:
        case ast.Lit(int() | float() as value) if not isinstance(value, bool):
            return float(value)
        case ast.Quantity():
            try:
                return float(base_value(expr)[0])
            except Fault:
                return None
        case _:
            return None
