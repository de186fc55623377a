"""From a program and a point to the concrete configuration: activity, feasibility, values.

Everything here is total: an expression that cannot be computed (division by zero, a wrong type, an index outside) raises
`Undefined`, which makes a point infeasible; it never escapes as another exception.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import assert_never

from . import ir
from .ir import Point, Program, Value
from .operations import FUNCTIONS, MAX_LIST, binary, index_of, number, same, truth
from .resolved import Resolved, ResolvedComponent

MAX_WORK = 250_000
TOO_MUCH_WORK = f"more than {MAX_WORK} steps to count through"


class Undefined(Exception):
    """An expression has no value at this point. `inactive` iff the reason is that it reads an inactive parameter."""

    def __init__(self, reason: str, inactive: bool = False) -> None:
        super().__init__(reason)
        self.inactive = inactive


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
                if same(alternative.values, param.baseline):
                    self.alternatives[param.id] = index
                    break


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
            raise ValueError(f"a list of more than {MAX_LIST} values, those of lists inside it counted")
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
        if count > MAX_LIST:
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
            return not truth(_evaluate(operand, here, local, work))
        case ir.Unary(_, operand):
            return -number(_evaluate(operand, here, local, work))
        case ir.Binary("and", left, right):
            return truth(_evaluate(left, here, local, work)) and truth(_evaluate(right, here, local, work))
        case ir.Binary("or", left, right):
            return truth(_evaluate(left, here, local, work)) or truth(_evaluate(right, here, local, work))
        case ir.Binary(op, left, right):
            return binary(op, _evaluate(left, here, local, work), _evaluate(right, here, local, work))
        case ir.IfElse(condition, then, otherwise):
            return _evaluate(then if truth(_evaluate(condition, here, local, work)) else otherwise, here, local, work)
        case ir.ListOf(items):
            return [_evaluate(item, here, local, work) for item in items]
        case ir.MapOf(entries):
            return {key: _evaluate(item, here, local, work) for key, item in entries}
        case ir.RangeOf(lo, hi):
            first, last = _evaluate(lo, here, local, work), _evaluate(hi, here, local, work)
            if type(first) is not int or type(last) is not int:
                raise TypeError("a range to count over needs two integers")
            if last - first >= MAX_LIST:
                raise ValueError(f"a range of more than {MAX_LIST} integers")
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
                if condition is None or truth(_evaluate(condition, here, scope, work))
            ]
        case ir.IndexOf(base, index):
            return index_of(_evaluate(base, here, local, work), _evaluate(index, here, local, work))
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
