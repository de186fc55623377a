"""Units by dimension: a length is not compared with, or added to, a number of bytes.

A plain number goes with everything: `require patch ** 3 * 4 <= 3GiB` is how a rule of thumb is written.

Codes: AM109 two dimensions that do not go together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from .. import ast
from ..diagnostics import Secondary
from ..source import Span
from .expressions import base_value
from .places import Places
from .tree import Fault, Leaf, RangeTree, Scope, Slot

_EXAMPLE = {"time": "12h", "bytes": "20GiB", "length": "1.5mm", "HU": "40HU", "a number": "1000000", "milliseconds": "50"}
_COUNTED = {
    "time": "a time",
    "bytes": "a number of bytes",
    "length": "a length",
    "HU": "Hounsfield units",
    "milliseconds": "a number of milliseconds",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """What an expression counts, and where that is written."""

    dimension: str
    span: Span


#: The dimension of a metric of that name, None where it has none; without it, names are places of the configuration.
Metric: TypeAlias = Callable[[str], "str | None"]


@dataclass(slots=True)
class Dimensions:
    places: Places
    metric: Metric | None = None
    #: slots that are being looked at, against loops
    _stack: list[Slot] = field(default_factory=list)

    def of(self, expr: ast.Expr, scope: Scope | None = None, home: Slot | None = None) -> Measure | None:
        """None for a plain or unknown number. Fault AM109, with both places, where two do not go together."""

        def go(part: ast.Expr) -> Measure | None:
            return self.of(part, scope, home)

        match expr:
            case ast.Quantity():
                return Measure(base_value(expr)[1], expr.span)
            case ast.Name(name) | ast.Lit(str() as name) if self.metric is not None:
                dimension = self.metric(name)
                return None if dimension is None else Measure(dimension, expr.span)
            case ast.Name() | ast.Attr() | ast.Meta() | ast.Index():
                return self._read(expr, scope, home)
            case ast.Unary(_, operand):
                return go(operand)
            case ast.Binary("+" | "-" | "%", left, right):
                return self._agree([left, right], go)
            case ast.Binary("*", left, right):
                a, b = go(left), go(right)
                return a if b is None else b if a is None else None
            case ast.Binary("/", left, right):
                a, b = go(left), go(right)
                return a if b is None else None
            case ast.Binary(_, left, right):
                go(left)
                go(right)
                return None
            case ast.Compare(first, rest):
                self._agree([first, *(part for _, part in rest)], go)
                return None
            case ast.IfElse(condition, then, otherwise):
                go(condition)
                return self._agree([then, otherwise], go)
            case ast.ListExpr(items):
                return self._agree([item.value for item in items if not isinstance(item.value, ast.Domain)], go)
            case ast.TupleExpr(values):
                return self._agree(values, go)
            case ast.Call("min" | "max" | "sum" | "abs" | "round" | "floor" | "ceil" | "int" | "float", args):
                return self._agree([arg.value for arg in args if isinstance(arg, ast.Positional)], go)
            case _:
                return None

    def _agree(self, parts: Sequence[ast.Expr], go: Callable[[ast.Expr], Measure | None]) -> Measure | None:
        found: Measure | None = None
        place: Span | None = None
        for part in parts:
            measure = go(part)
            if found is None or place is None:
                found, place = measure, part.span
            elif measure is not None and measure.dimension != found.dimension:
                raise _fault(measure, part.span, found, place)
        return found

    def _read(self, expr: ast.Expr, scope: Scope | None, home: Slot | None) -> Measure | None:
        try:
            slot = self.places.resolve(expr, scope, home)
        except Fault:  # told where the expression is translated
            return None
        if not isinstance(slot, Slot) or slot in self._stack or slot is home:
            return None
        self._stack.append(slot)
        try:
            return self._slot(slot)
        except Fault:  # the value itself is wrong, and is told there
            return None
        finally:
            self._stack.pop()

    def _slot(self, slot: Slot) -> Measure | None:
        """What all values that `slot` can have count, where they agree."""
        found: list[Measure | None] = []
        for binding in slot.chain():
            if isinstance(binding.value, Leaf):
                found.append(self.of(binding.value.expr, binding.value.scope, binding.value.home))
            for alternative in binding.alternatives():
                match alternative:
                    case Leaf(expr, scope, home):
                        found.append(self.of(expr, scope, home))
                    case RangeTree(range, scope):
                        found += [self.of(bound, scope, slot) for bound in (range.lo, range.hi)]
        known = [measure for measure in found if measure is not None]
        return known[0] if known and len({measure.dimension for measure in known}) == 1 else None


def _fault(measure: Measure, span: Span, other: Measure, place: Span) -> Fault:
    a, b = (_COUNTED.get(each.dimension, each.dimension) for each in (measure, other))
    seen = [Secondary(place, b)]
    seen += [Secondary(each.span, "from here") for each, at in ((other, place), (measure, span)) if not _is_inside(each.span, at)]
    help = f"write it like `{_EXAMPLE[other.dimension]}`" if other.dimension in _EXAMPLE else ""
    return Fault("AM109", f"{a} beside {b}", span, label="wrong unit", help=help, secondary=tuple(seen))


def _is_inside(inner: Span, outer: Span) -> bool:
    return inner.file == outer.file and outer.start <= inner.start and inner.end <= outer.end
