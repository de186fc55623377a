"""AM914: a limit of a few bytes, where `20GiB` was meant."""

from __future__ import annotations

from collections.abc import Iterator

from .. import ast
from ..diagnostics import Diagnostic, Fix
from ..elaborate.metrics import BUILT_IN
from ..source import Span
from .subject import Subject, found
from .walk import every

_METRICS = frozenset(name for name, kind in BUILT_IN.items() if kind == "bytes")
#: No training fits into less.
_FEW = 1 << 20


def few_bytes(subject: Subject) -> Iterator[Diagnostic]:
    for ensure in every(subject.module, ast.Ensure):
        for comparison in every(ensure, ast.Compare):
            sides = (comparison.first, *(side for _, side in comparison.rest))
            if not any(_is_memory(side) for side in sides):
                continue
            for side in sides:
                if isinstance(side, ast.Lit) and isinstance(side.value, (int, float)) and 0 < side.value < _FEW:
                    at = side.span.end
                    fixes = [Fix(Span(side.span.file, at, at), "GiB")]
                    message = f"memory is counted in bytes: this limit is {side.value} bytes"
                    yield found("AM914", message, side.span, help=f"did you mean `{side.value}GiB`?", fixes=fixes)


def _is_memory(expr: ast.Expr) -> bool:
    return isinstance(expr, ast.Name) and expr.id in _METRICS
