"""Ranges: bounds, scale and step of `lo..hi`, their checks, and what lies in them."""

from __future__ import annotations

import math

from .. import ast, ir
from ..source import Span
from .expressions import Expressions, base_value
from .tree import Fault, RangeTree

_MAX_INT = 2**63 - 1


def read_range(expressions: Expressions, tree: RangeTree) -> ir.Real | ir.Int:
    """The domain of a range. Faults AM104 (types), AM105 (empty), AM106 (log at zero), AM107 (step)."""
    written = tree.range
    lo, lo_dim = _bound(expressions, tree, written.lo)
    hi, hi_dim = _bound(expressions, tree, written.hi)
    if lo_dim != hi_dim:
        raise Fault("AM109", f"one bound is {lo_dim or 'a plain number'}, the other {hi_dim or 'a plain number'}", written.span)
    if lo >= hi:
        help = f"write {hi}..{lo}" if lo > hi else f"write `= {lo}` to fix it"
        raise Fault("AM105", f"empty range {lo}..{hi}", written.lo.span, label="the lower bound is not below the upper", help=help)
    if written.scale == "log" and lo <= 0:
        raise Fault("AM106", "a log range must start above zero", written.lo.span, help="drop `log`, or start at e.g. 1e-6")
    step = None if written.step is None else _step(expressions, tree, written.step, lo, hi)
    if isinstance(lo, int) and isinstance(hi, int):
        if max(abs(lo), abs(hi)) > _MAX_INT:
            raise Fault("AM303", "an integer of more than 64 bits", written.span)
        return ir.Int(lo, hi, written.scale, step)
    return ir.Real(float(lo), float(hi), written.scale, step)


def _bound(expressions: Expressions, tree: RangeTree, expr: ast.Expr) -> tuple[int | float, str]:
    if isinstance(expr, ast.Quantity):
        return base_value(expr)
    value = expressions.constant(expr, tree.scope, None)
    return number(value, expr.span, "a bound of a range"), ""


def number(value: ir.Value, span: Span, what: str) -> int | float:
    """`value` as a finite number. Fault AM104."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Fault("AM104", f"{what} is a number, not {shown(value)}", span)
    if isinstance(value, float) and not math.isfinite(value):
        raise Fault("AM104", f"{what} is a finite number", span)
    return value


def _step(expressions: Expressions, tree: RangeTree, step: ast.StepSize, lo: float, hi: float) -> ir.Step:
    size, _ = _bound(expressions, tree, step.size)
    is_int = isinstance(lo, int) and isinstance(hi, int)
    if is_int and not isinstance(size, int):
        help = f"write {float(lo)}..{float(hi)} for a range of floats"
        raise Fault("AM104", "a range of integers takes a whole step", step.span, help=help)
    if step.kind == "add" and size <= 0:
        raise Fault("AM107", "a step is above zero", step.span)
    if step.kind == "mul" and (size <= 1 or lo <= 0):
        message = "a factor is above one" if size <= 1 else "a range with a factor starts above zero"
        raise Fault("AM107", message, step.span)
    if (lo + size if step.kind == "add" else lo * size) > hi * (1 + 1e-12):
        raise Fault("AM107", "the step is wider than the range", step.span)
    return ir.Step(step.kind, float(size))


# -- what lies in a range -----------------------------------------------------------------------------------------------------


def contains(domain: ir.Real | ir.Int, value: ir.Value) -> bool:
    """Whether `value` is one of the values of `domain`, steps included."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not domain.lo <= value <= domain.hi:
        return False
    if isinstance(domain, ir.Int) and value != int(value):
        return False
    return domain.step is None or math.isclose(value, snapped(domain, value), rel_tol=1e-9, abs_tol=1e-12)


def middle(domain: ir.Real | ir.Int) -> int | float:
    """The arithmetic middle, the geometric one on a log scale, on the nearest step."""
    if domain.scale == "log":
        value = math.sqrt(domain.lo) * math.sqrt(domain.hi)
    else:
        value = domain.lo / 2 + domain.hi / 2
    return snapped(domain, value)


def snapped(domain: ir.Real | ir.Int, value: float) -> int | float:
    """The value of `domain` nearest to `value`."""
    if isinstance(domain, ir.Int) and domain.step is None:
        return min(max(math.floor(value + 0.5) if domain.scale == "log" else math.floor(value), domain.lo), domain.hi)
    if domain.step is None:
        return min(max(value, domain.lo), domain.hi)
    size = domain.step.size
    last = steps(domain) - 1
    if domain.step.kind == "add":
        at = min(max(round((value - domain.lo) / size), 0), last)
        out = domain.lo + at * size
    else:
        at = min(max(round(math.log(value / domain.lo) / math.log(size)), 0), last)
        out = domain.lo * size**at
    return round(out) if isinstance(domain, ir.Int) else min(out, domain.hi)


def steps(domain: ir.Real | ir.Int) -> int:
    """How many values a domain with a step, or an integer one, has."""
    if domain.step is None:
        return int(domain.hi - domain.lo) + 1
    if domain.step.kind == "add":
        return math.floor((domain.hi - domain.lo) / domain.step.size * (1 + 1e-12)) + 1
    return math.floor(math.log(domain.hi / domain.lo) / math.log(domain.step.size) * (1 + 1e-12)) + 1


def shown(value: ir.Value) -> str:
    """A value for messages and labels."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case list():
            return f"[{', '.join(shown(item) for item in value)}]"
        case dict():
            return "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
        case _:
            return repr(value)


def range_label(domain: ir.Real | ir.Int) -> str:
    """`log 1e-06..0.01`: what a range is called among alternatives."""
    return f"{'log ' if domain.scale == 'log' else ''}{domain.lo!r}..{domain.hi!r}"
