"""From a program and a point to the concrete configuration: activity, feasibility, values.

Everything here is total: an expression that cannot be computed (division by zero, a wrong type, an index outside) raises
`Undefined`, which makes a point infeasible; it never escapes as another exception.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from . import ir
from .ir import Point, Program, Value

_MAX_LIST = 100_000
MAX_WORK = 250_000
TOO_MUCH_WORK = f"more than {MAX_WORK} steps to count through"
_MAX_INT_BITS = 64


class Undefined(Exception):
    """An expression has no value at this point. `inactive` iff the reason is that it reads an inactive parameter."""

    def __init__(self, reason: str, inactive: bool = False) -> None:
        super().__init__(reason)
        self.inactive = inactive


@dataclass(frozen=True, slots=True)
class ResolvedComponent:
    """A component of a concrete configuration. `args` and `attrs` hold values, lists, dicts and further components."""

    cls: str
    args: dict[str, Resolved]
    attrs: dict[str, Resolved]
    instance: str | None = None


Resolved = None | bool | int | float | str | list["Resolved"] | dict[str, "Resolved"] | ResolvedComponent


class Assignment:
    """The values of all active parameters at one point; `point` None is the baseline: every value as the configuration had it."""

    #: what the trial reported; only `ensure` and objectives read it
    metrics: Mapping[str, float] = {}

    def __init__(self, program: Program, point: Point | None) -> None:
        self.program = program
        self.point = point
        self.baseline = point is None
        #: a bundle's own parser leaves a disabled component out, and knows what a reference to it means
        self.keeps_disabled = program.study.target is not None and program.study.target.name == "Bundle"
        #: active parameter -> one value per target
        self.values: dict[str, tuple[Value, ...]] = {}
        #: active choice -> index of its alternative; a baseline outside the domain has none
        self.alternatives: dict[str, int] = {}
        for param in program.params:
            if not self._is_active(param):
                continue
            if point is None:
                self._assign_baseline(param)
            elif param.id in point:
                self._assign(param, point[param.id])
            else:
                raise Undefined(f"no value for the active parameter `{param.id}`")

    def _is_active(self, param: ir.Param) -> bool:
        if param.active is None:
            return True
        try:
            return evaluate(param.active, self) is True
        except Undefined:
            return False

    def _assign(self, param: ir.Param, chosen: int | float) -> None:
        if isinstance(param.domain, ir.Choice):
            index = int(chosen)
            if not 0 <= index < len(param.domain.alts):
                raise Undefined(f"`{param.id}` has no alternative {index}")
            self.alternatives[param.id] = index
            self.values[param.id] = param.domain.alts[index].values
        else:
            value = int(chosen) if isinstance(param.domain, ir.Int) else float(chosen)
            self.values[param.id] = (value,) * max(1, len(param.targets))

    def _assign_baseline(self, param: ir.Param) -> None:
        self.values[param.id] = param.baseline
        if isinstance(param.domain, ir.Choice):
            for index, alternative in enumerate(param.domain.alts):
                if _same(alternative.values, param.baseline):
                    self.alternatives[param.id] = index
                    break


def _same(a: Value | tuple[Value, ...], b: Value | tuple[Value, ...]) -> bool:
    """Equal as data: 1 and 1.0 are, 1 and true are not."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    return isinstance(a, bool) == isinstance(b, bool) and a == b


# -- questions about a program ------------------------------------------------------------------------------------------


def active_ids(program: Program, point: Point | None) -> tuple[str, ...]:
    """The parameters that exist at `point`, in the program's order. Undefined if an active one has no value in `point`."""
    return tuple(Assignment(program, point).values)


def next_unassigned(program: Program, point: Point) -> ir.Param | None:
    """The first parameter that is active given `point` and has no value there: what a sampler must draw next."""
    known = _Partial(program, point)
    for param in program.params:
        if param.id not in point and known.active(param):
            return param
    return None


def is_active(program: Program, point: Point, param: ir.Param) -> bool:
    """Whether `param` exists, given the values in `point`; false while its condition reads a parameter that has none."""
    return _Partial(program, point).active(param)


def build_point(program: Program, choose: Callable[[ir.Param], int | float]) -> dict[str, int | float]:
    """A point made in one pass, in the program's order: `choose` is asked once for each parameter that is active by then."""
    known = _Partial(program, {})
    point: dict[str, int | float] = {}
    for param in program.params:
        if known.active(param):
            point[param.id] = choose(param)
            known.add(param, point[param.id])
    return point


class _Partial(Assignment):
    """An assignment of the parameters known so far; a parameter is active only if what its condition reads is known."""

    def __init__(self, program: Program, point: Point) -> None:
        self.program, self.point, self.baseline, self.keeps_disabled = program, point, False, False
        self.values, self.alternatives = {}, {}
        for param in program.params:
            if param.id in point:
                self._assign(param, point[param.id])

    def active(self, param: ir.Param) -> bool:
        return self._is_active(param)

    def add(self, param: ir.Param, chosen: int | float) -> None:
        self._assign(param, chosen)


def infeasible_because(program: Program, point: Point | None) -> str | None:
    """Why `point` is not allowed, or None if it is: an out-of-domain value, a broken `require`, an undefined expression."""
    try:
        here = Assignment(program, point)
        if point is not None:
            for param in program.params:
                if param.id in here.values and not isinstance(param.domain, ir.Choice):
                    value = point[param.id]
                    if not param.domain.lo <= value <= param.domain.hi:
                        return f"`{param.id}` = {value} is outside {param.domain.lo}..{param.domain.hi}"
        for require in program.requires:
            try:
                if evaluate(require.condition, here) is not True:
                    return require.reason or f"`require {require.text}` does not hold"
            except Undefined as undefined:
                if not undefined.inactive:
                    return f"`require {require.text}` has no value: {undefined}"
        _resolve(program.config, here)
    except Undefined as undefined:
        return str(undefined)
    return None


def scores(program: Program, point: Point | None, metrics: Mapping[str, float]) -> tuple[float, ...]:
    """One score for each objective. Raises Undefined where a metric is missing or an expression has no value."""
    here = _after(program, point, metrics)
    out: list[float] = []
    for objective in program.study.objectives:
        expr = objective.expr if objective.expr is not None else ir.Metric(objective.metric)
        value = evaluate(expr, here)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Undefined(f"`{objective.metric}` is {value!r}, not a number")
        out.append(float(value))
    return tuple(out)


def unacceptable_because(program: Program, point: Point | None, metrics: Mapping[str, float]) -> str | None:
    """Which `ensure` a trial with these metrics breaks, as text for people; None if it keeps them all.

    Raises Undefined where one has no value. One that reads an inactive parameter holds.
    """
    here = _after(program, point, metrics)
    for ensure in program.study.ensures:
        try:
            if evaluate(ensure.condition, here) is not True:
                return ensure.reason or f"`ensure {ensure.text}` does not hold"
        except Undefined as undefined:
            if not undefined.inactive:
                raise Undefined(f"`ensure {ensure.text}` has no value: {undefined}") from None
    return None


def _after(program: Program, point: Point | None, metrics: Mapping[str, float]) -> Assignment:
    here = Assignment(program, point)
    here.metrics = metrics
    return here


def resolve(program: Program, point: Point | None) -> dict[str, Resolved]:
    """The concrete configuration at `point` (None: the baseline); inactive parts are absent; `{x}` strings are as written.

    Raises Undefined where `infeasible_because` gives a reason other than a `require`.
    """
    resolved = _resolve(program.config, Assignment(program, point))
    assert isinstance(resolved, dict)
    return resolved


def target_values(program: Program, point: Point | None) -> dict[str, Value]:
    """Target path -> value, for every target of every active parameter: what tables and summaries print."""
    here = Assignment(program, point)
    out: dict[str, Value] = {}
    for param in program.params:
        if param.id in here.values:
            out.update(zip(param.targets, here.values[param.id], strict=False))
    return out


def baseline_point(program: Program) -> Point | None:
    """The point that equals the baseline, or None when the baseline lies outside a domain."""
    here = Assignment(program, None)
    point: dict[str, int | float] = {}
    for param in program.params:
        if param.id not in here.values:
            continue
        if isinstance(param.domain, ir.Choice):
            if param.id not in here.alternatives:
                return None
            point[param.id] = here.alternatives[param.id]
            continue
        value = param.baseline[0]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not param.domain.lo <= value <= param.domain.hi:
            return None
        point[param.id] = value
    return point


# -- the configuration ----------------------------------------------------------------------------------------------------

_ABSENT = object()


def _resolve(node: ir.ConfigNode, here: Assignment) -> Resolved:
    value = _resolve_or_absent(node, here)
    if value is _ABSENT:
        raise Undefined("a value that is always needed is switched off by its `when`")
    return value  # type: ignore[return-value]


def _resolve_or_absent(node: ir.ConfigNode, here: Assignment) -> object:
    match node:
        case ir.Const(value):
            return value
        case ir.Read(param, slot, baseline):
            if here.baseline and baseline is not None:
                return baseline.value
            return _read(param, slot, here)
        case ir.Derived(expr):
            return evaluate(expr, here)
        case ir.Component(cls, args, attrs, instance):
            own = _entries(attrs, here)
            if own.get("disabled") is True:  # a disabled component is absent, and what is searched in it inactive
                return ResolvedComponent(cls, _known_entries(args, here), own, instance) if here.keeps_disabled else _ABSENT
            return ResolvedComponent(cls, _entries(args, here), own, instance)
        case ir.ListNode(items):
            values = [_resolve_or_absent(item, here) for item in items]
            return [value for value in values if value is not _ABSENT]
        case ir.MapNode(entries):
            return _entries(entries, here)
        case ir.ChoiceNode(param, nodes, baseline):
            if param not in here.values:
                raise Undefined(f"`{param}` is not active here", inactive=True)
            if param in here.alternatives:
                return _resolve_or_absent(nodes[here.alternatives[param]], here)
            if baseline is None:
                raise Undefined(f"the baseline of `{param}` is none of its alternatives")
            return _resolve_or_absent(baseline, here)
        case ir.Guarded(guard, then, otherwise):
            if evaluate(guard, here) is True:
                return _resolve_or_absent(then, here)
            return _ABSENT if otherwise is None else _resolve_or_absent(otherwise, here)
        case _:
            assert_never(node)


def _entries(entries: Mapping[str, ir.ConfigNode], here: Assignment) -> dict[str, Resolved]:
    values = {key: _resolve_or_absent(node, here) for key, node in entries.items()}
    return {key: value for key, value in values.items() if value is not _ABSENT}  # type: ignore[misc]


def _known_entries(entries: Mapping[str, ir.ConfigNode], here: Assignment) -> dict[str, Resolved]:
    """Those entries that have a value although what they stand in is disabled."""
    values: dict[str, Resolved] = {}
    for key, node in entries.items():
        with contextlib.suppress(Undefined):
            values |= _entries({key: node}, here)
    return values


def _read(param: str, slot: int, here: Assignment) -> Value:
    if param not in here.values:
        raise Undefined(f"`{param}` is not active here", inactive=True)
    return here.values[param][slot]


# -- expressions ------------------------------------------------------------------------------------------------------------


def evaluate(expr: ir.Expr, here: Assignment, local: Mapping[str, Value] | None = None) -> Value:
    """The value of `expr` at `here`. Raises Undefined and nothing else."""
    try:
        value = _evaluate(expr, here, local or {}, _Work())
        if isinstance(value, (list, dict)) and _is_large(value):
            raise ValueError(f"a list of more than {_MAX_LIST} values, those of lists inside it counted")
        return value
    except (ArithmeticError, TypeError, ValueError, LookupError) as error:
        raise Undefined(str(error) or type(error).__name__) from error
    except RecursionError:
        raise Undefined("the expression is nested too deeply") from None


def _is_large(value: list[Value] | dict[str, Value]) -> bool:
    """One list may stand in a value many times: what counts is its size written out."""
    pending: list[Value] = [value]
    count = 0
    while pending:
        inside = pending.pop()
        items = list(inside.values()) if isinstance(inside, dict) else inside if isinstance(inside, list) else []
        count += len(items)
        if count > _MAX_LIST:
            return True
        pending += [item for item in items if isinstance(item, (list, dict))]
    return False


class _Work:
    """What one evaluation may still count through; nested comprehensions multiply."""

    def __init__(self) -> None:
        self.left = MAX_WORK

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise ValueError(TOO_MUCH_WORK)


def _evaluate(expr: ir.Expr, here: Assignment, local: Mapping[str, Value], work: _Work) -> Value:
    match expr:
        case ir.Lit(value):
            return value
        case ir.ParamRef(param, slot):
            return _read(param, slot, here)
        case ir.IsAlt(param, alts):
            return here.alternatives.get(param, -1) in alts
        case ir.Unary("not", operand):
            return not _truth(_evaluate(operand, here, local, work))
        case ir.Unary(_, operand):
            return -_number(_evaluate(operand, here, local, work))
        case ir.Binary("and", left, right):
            return _truth(_evaluate(left, here, local, work)) and _truth(_evaluate(right, here, local, work))
        case ir.Binary("or", left, right):
            return _truth(_evaluate(left, here, local, work)) or _truth(_evaluate(right, here, local, work))
        case ir.Binary(op, left, right):
            return _binary(op, _evaluate(left, here, local, work), _evaluate(right, here, local, work))
        case ir.IfElse(condition, then, otherwise):
            return _evaluate(then if _truth(_evaluate(condition, here, local, work)) else otherwise, here, local, work)
        case ir.ListOf(items):
            return [_evaluate(item, here, local, work) for item in items]
        case ir.MapOf(entries):
            return {key: _evaluate(item, here, local, work) for key, item in entries}
        case ir.RangeOf(lo, hi):
            first, last = _evaluate(lo, here, local, work), _evaluate(hi, here, local, work)
            if type(first) is not int or type(last) is not int:
                raise TypeError("a range to count over needs two integers")
            if last - first >= _MAX_LIST:
                raise ValueError(f"a range of more than {_MAX_LIST} integers")
            work.spend(max(0, last - first + 1))
            return list(range(first, last + 1))
        case ir.Local(name):
            return local[name]
        case ir.Comprehension(body, name, iterable, condition):
            over = _evaluate(iterable, here, local, work)
            if not isinstance(over, list):
                raise TypeError("`for` needs a list")
            work.spend(len(over))
            scopes = ({**local, name: item} for item in over)
            return [
                _evaluate(body, here, scope, work)
                for scope in scopes
                if condition is None or _truth(_evaluate(condition, here, scope, work))
            ]
        case ir.IndexOf(base, index):
            return _index(_evaluate(base, here, local, work), _evaluate(index, here, local, work))
        case ir.Metric(name):
            if name not in here.metrics:
                raise LookupError(f"`{name}` was not reported")
            return here.metrics[name]
        case ir.Apply(function, args):
            if function not in FUNCTIONS:
                raise LookupError(f"no function `{function}`")
            return FUNCTIONS[function](*[_evaluate(arg, here, local, work) for arg in args])
        case _:
            assert_never(expr)


def _shown(value: Value) -> str:
    return {True: "true", False: "false", None: "null"}[value] if value is None or isinstance(value, bool) else repr(value)


def _truth(value: Value) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"a condition is true or false, not {_shown(value)}")
    return value


def _number(value: Value) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"a number is needed, not {_shown(value)}")
    return value


def _bounded(value: int | float) -> int | float:
    if isinstance(value, int) and value.bit_length() > _MAX_INT_BITS:
        raise OverflowError("an integer of more than 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise OverflowError("a number that is not finite")
    return value


def _power(a: int | float, b: int | float) -> int | float:
    if isinstance(a, int) and isinstance(b, int) and b >= 0:
        if abs(a) > 1 and b * abs(a).bit_length() > 2 * _MAX_INT_BITS:
            raise OverflowError("an integer of more than 64 bits")
        return int(a**b)
    return math.pow(a, b)


_ARITHMETIC: Mapping[str, Callable[[int | float, int | float], int | float]] = {
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": _power,
}
_ORDER: Mapping[str, Callable[[int | float | str, int | float | str], bool]] = {
    "<": lambda a, b: a < b,  # type: ignore[operator]
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
}


def _binary(op: str, left: Value, right: Value) -> Value:
    if op == "==":
        return _same(left, right)
    if op == "!=":
        return not _same(left, right)
    if op in ("in", "not in"):
        if isinstance(left, str) and isinstance(right, str):
            found = left in right
        elif isinstance(right, (list, dict)):
            found = any(_same(left, item) for item in right)
        else:
            raise TypeError("`in` needs a list, a dict or two strings")
        return found == (op == "in")
    if op in _ORDER:
        if isinstance(left, str) and isinstance(right, str):
            return _ORDER[op](left, right)
        return _ORDER[op](_number(left), _number(right))
    if op == "+" and isinstance(left, list) and isinstance(right, list):
        return left + right
    if op == "+" and isinstance(left, str) and isinstance(right, str):
        return left + right
    if op == "*" and isinstance(left, list) and type(right) is int:
        if len(left) * right > _MAX_LIST:
            raise ValueError("the list would be too long")
        return left * right
    if op == "+":
        return _bounded(_number(left) + _number(right))
    return _bounded(_ARITHMETIC[op](_number(left), _number(right)))


def _index(base: Value, index: Value) -> Value:
    if isinstance(base, list) and type(index) is int:
        return base[index]
    if isinstance(base, dict) and isinstance(index, str):
        return base[index]
    raise TypeError("an index is an integer into a list, or a key into a dict")


def _numbers(args: tuple[Value, ...]) -> list[int | float]:
    return [_number(item) for item in _items(args)]


def _items(args: tuple[Value, ...]) -> list[Value]:
    return args[0] if len(args) == 1 and isinstance(args[0], list) else list(args)


def _counted(value: Value) -> int | float:
    """A number; for `int` and `sum` a truth value is one, too: true counts 1."""
    return int(value) if isinstance(value, bool) else _number(value)


def _length(value: Value) -> int:
    if not isinstance(value, (list, str, dict)):
        raise TypeError("`len` needs a list, a string or a dict")
    return len(value)


#: The built-in functions of expressions, by name.
FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "abs": lambda x: abs(_number(x)),
    "min": lambda *args: min(_numbers(args)),
    "max": lambda *args: max(_numbers(args)),
    "sum": lambda *args: _bounded(sum(_counted(item) for item in _items(args))),
    "len": _length,
    "floor": lambda x: math.floor(_number(x)),
    "ceil": lambda x: math.ceil(_number(x)),
    "round": lambda x: round(_number(x)),
    "sqrt": lambda x: math.sqrt(_number(x)),
    "log2": lambda x: math.log2(_number(x)),
    "int": lambda x: int(_counted(x)),
    "float": lambda x: float(_number(x)),
}


# -- plain data ---------------------------------------------------------------------------------------------------------------


def to_plain(value: Resolved) -> Value:
    """`value` as plain data: a component is {"_target_": class, its attributes with `@`, its arguments}."""
    match value:
        case ResolvedComponent(cls, args, attrs):
            out: dict[str, Value] = {"_target_": cls}
            out.update({f"@{key}": to_plain(item) for key, item in attrs.items()})
            out.update({key: to_plain(item) for key, item in args.items()})
            return out
        case list():
            return [to_plain(item) for item in value]
        case dict():
            return {key: to_plain(item) for key, item in value.items()}
        case _:
            return value


def to_clara(value: Resolved) -> Value:
    """`value` as Clara's JSON has it: a component is {"name" or "path": class, "args": {...}, its attributes}."""
    match value:
        case ResolvedComponent(cls, args, attrs, instance):
            name = f"{cls}#{instance}" if instance else cls
            out: dict[str, Value] = {"path" if "." in cls else "name": name}
            out.update({key: to_clara(item) for key, item in attrs.items()})
            out["args"] = {key: to_clara(item) for key, item in args.items()}
            return out
        case list():
            return [to_clara(item) for item in value]
        case dict():
            return {key: to_clara(item) for key, item in value.items()}
        case _:
            return value
