"""What an expression over parameters can come to: all its values where they can be counted through, else its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from .. import ir
from ..evaluate import Assignment, Undefined, evaluate
from .domains import steps
from .logic import children, reads

#: combinations of parameter values that are counted through
_MAX_COMBINATIONS = 10_000

_Option = tuple[tuple[ir.Value, ...], int]


@dataclass(frozen=True, slots=True)
class Possible:
    """`values`: one entry for each combination at which all expressions have a value. `is_total`: that is every one."""

    values: tuple[tuple[ir.Value, ...], ...]
    is_total: bool
    #: the combinations
    count: int


@dataclass(frozen=True, slots=True)
class Interval:
    lo: float
    hi: float
    is_whole: bool


def possible(exprs: Sequence[ir.Expr], params: Mapping[ir.ParamId, ir.Param], most: int = _MAX_COMBINATIONS) -> Possible | None:
    """The values of `exprs` together, each parameter taking every value of its domain; None where these are too many."""
    ids = list(dict.fromkeys(id for expr in exprs for id in reads(expr)))
    options: list[list[_Option]] = []
    count = 1
    for id in ids:
        found = _options(params[id], min(most, _MAX_COMBINATIONS) // count) if id in params else _alternatives(exprs, id)
        if found is None:
            return None
        options.append(found)
        count *= len(found)
    here = Assignment(ir.Program(ir.Study(), (), ir.MapNode({})), {})
    values: list[tuple[ir.Value, ...]] = []
    is_total = True
    for chosen in product(*options):
        here.values = {id: given for id, (given, _) in zip(ids, chosen, strict=True)}
        here.alternatives = {id: at for id, (_, at) in zip(ids, chosen, strict=True)}
        try:
            values.append(tuple(evaluate(expr, here) for expr in exprs))
        except Undefined:
            is_total = False
    return Possible(tuple(values), is_total, count)


def _options(param: ir.Param, most: int) -> list[_Option] | None:
    """Values and alternative, one for each value of the domain; the baseline may be none of them."""
    domain = param.domain
    if isinstance(domain, ir.Choice):
        out: list[_Option] = [(alt.values, at) for at, alt in enumerate(domain.alts)]
        if param.baseline not in [alt.values for alt in domain.alts]:
            out.append((param.baseline, -1))
        return out if len(out) <= most else None
    if isinstance(domain, ir.Real) and domain.step is None:
        return None
    count = steps(domain)
    if count > most:
        return None
    width = max(1, len(param.targets))
    numbers: list[ir.Value] = []
    for at in range(count):
        value = domain.lo + at if domain.step is None else _at(domain, domain.step, at)
        numbers.append(round(value) if isinstance(domain, ir.Int) else min(float(value), domain.hi))
    out = [((number,) * width, -1) for number in numbers]
    if any(value not in numbers for value in param.baseline):
        out.append((param.baseline, -1))
    return out


def _at(domain: ir.Real | ir.Int, step: ir.Step, at: int) -> float:
    return domain.lo + at * step.size if step.kind == "add" else domain.lo * step.size**at


def _alternatives(exprs: Sequence[ir.Expr], id: ir.ParamId) -> list[_Option]:
    """Of a choice that is asked about and not read: the alternatives that are asked for, and any other."""
    asked: set[int] = {-1}
    waiting = list(exprs)
    while waiting:
        expr = waiting.pop()
        if isinstance(expr, ir.IsAlt) and expr.param == id:
            asked |= set(expr.alts)
        waiting += children(expr)
    return [((), at) for at in sorted(asked)]


# -- intervals ----------------------------------------------------------------------------------------------------------------


def interval(expr: ir.Expr, params: Mapping[ir.ParamId, ir.Param]) -> Interval | None:
    """Bounds of a number, for the usual arithmetic; None where they cannot be told."""
    try:
        found = _interval(expr, params)
    except (ArithmeticError, ValueError):
        return None
    return found if found is not None and math.isfinite(found.lo) and math.isfinite(found.hi) else None


def _interval(expr: ir.Expr, params: Mapping[ir.ParamId, ir.Param]) -> Interval | None:
    match expr:
        case ir.Lit(bool()):
            return None
        case ir.Lit(int() | float() as value):
            return Interval(value, value, isinstance(value, int))
        case ir.ParamRef(id, slot) if id in params:
            return _of_param(params[id], slot)
        case ir.Unary("-", operand):
            inner = _interval(operand, params)
            return None if inner is None else Interval(-inner.hi, -inner.lo, inner.is_whole)
        case ir.Binary(op, left, right):
            a, b = _interval(left, params), _interval(right, params)
            return None if a is None or b is None else _binary(op, a, b)
        case ir.IfElse(_, then, otherwise):
            a, b = _interval(then, params), _interval(otherwise, params)
            return None if a is None or b is None else _hull([a, b])
        case ir.Apply(function, args):
            parts = [_interval(arg, params) for arg in args]
            known = [part for part in parts if part is not None]
            return _apply(function, known) if known and len(known) == len(parts) else None
        case _:
            return None


def _of_param(param: ir.Param, slot: int) -> Interval | None:
    if isinstance(param.domain, ir.Choice):
        values: list[ir.Value] = [alt.values[slot] for alt in param.domain.alts]
    else:
        values = [param.domain.lo, param.domain.hi]
    values.append(param.baseline[slot])
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if len(numbers) < len(values):
        return None
    return Interval(min(numbers), max(numbers), all(isinstance(number, int) for number in numbers))


def _hull(parts: Sequence[Interval]) -> Interval:
    return Interval(min(part.lo for part in parts), max(part.hi for part in parts), all(part.is_whole for part in parts))


def _binary(op: str, a: Interval, b: Interval) -> Interval | None:
    is_whole = a.is_whole and b.is_whole
    match op:
        case "+":
            return Interval(a.lo + b.lo, a.hi + b.hi, is_whole)
        case "-":
            return Interval(a.lo - b.hi, a.hi - b.lo, is_whole)
        case "*":
            ends = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
        case "/" | "//" if b.lo > 0 or b.hi < 0:
            ends = [x / y if op == "/" else x // y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
            is_whole = is_whole and op == "//"
        case "**" if a.lo >= 1:
            ends = [math.pow(x, y) for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
            is_whole = is_whole and b.lo >= 0
        case "%" if b.lo == b.hi > 0:
            ends = [0, b.hi - 1 if is_whole else b.hi]
        case _:
            return None
    return Interval(min(ends), max(ends), is_whole)


_TO_WHOLE: Mapping[str, Callable[[float], int]] = {"floor": math.floor, "int": int, "round": round, "ceil": math.ceil}


def _apply(function: str, args: list[Interval]) -> Interval | None:
    first = args[0]
    match function:
        case "min" | "max":
            choose = min if function == "min" else max
            return Interval(choose(arg.lo for arg in args), choose(arg.hi for arg in args), all(arg.is_whole for arg in args))
        case "abs":
            ends = [abs(first.lo), abs(first.hi)]
            return Interval(0 if first.lo <= 0 <= first.hi else min(ends), max(ends), first.is_whole)
        case "floor" | "int" | "round" | "ceil":
            cut = _TO_WHOLE[function]
            return Interval(cut(first.lo), cut(first.hi), True)
        case "float":
            return Interval(first.lo, first.hi, False)
        case "sqrt" | "log2":
            curve = math.sqrt if function == "sqrt" else math.log2
            return Interval(curve(first.lo), curve(first.hi), False)
        case _:
            return None
