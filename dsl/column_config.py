"""What in a configuration can have no value, found once, and the rows in which it has none.

Most of a configuration cannot fail: constants, parameters that always exist, parameters read only inside the alternative that owns
them. What is left is a small tree of checks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias, assert_never

import numpy as np

from . import ir
from .column_block import Block
from .column_values import OK, Mask
from .elaborate.logic import Known, conjuncts, follows, negation
from .evaluate import Undefined
from .ir import ParamId, Program


@dataclass(frozen=True, slots=True)
class _Exists:
    param: ParamId


@dataclass(frozen=True, slots=True)
class _HasValue:
    expr: ir.Expr


@dataclass(frozen=True, slots=True)
class _All:
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class _Branch:
    """`then` where the condition is true, `otherwise` where it is not; the condition itself may have no value."""

    condition: ir.Expr
    then: Check | None
    otherwise: Check | None


@dataclass(frozen=True, slots=True)
class _Unless:
    """`check` where the attribute is not true."""

    disabled: ir.ConfigNode
    check: Check


Check: TypeAlias = _Exists | _HasValue | _All | _Branch | _Unless


def checks(program: Program) -> Check | None:
    """What must be looked at, None if the configuration has a value at every point."""
    return _of(program.config, (), program)


def _of(node: ir.ConfigNode, known: Known, program: Program) -> Check | None:
    match node:
        case ir.Const():
            return None
        case ir.Read(param):
            return _exists(param, known, program)
        case ir.Derived(expr):
            return None if _total(expr, known, program) else _HasValue(expr)
        case ir.Component(_, args, attrs):
            own = _all(_of(child, known, program) for child in attrs.values())
            inner = _all(_of(child, known, program) for child in args.values())
            disabled = attrs.get("disabled", ir.Const(False))
            if inner is not None and not isinstance(disabled, ir.Const):
                inner = _Unless(disabled, inner)
            elif isinstance(disabled, ir.Const) and disabled.value is True:
                inner = None
            return _all((own, inner))
        case ir.ListNode(items):
            return _all(_of(child, known, program) for child in items)
        case ir.MapNode(entries):
            return _all(_of(child, known, program) for child in entries.values())
        case ir.ChoiceNode(param, nodes):
            found = [_exists(param, known, program)]
            for at, child in enumerate(nodes):
                chosen = ir.IsAlt(param, (at,))
                inner = _of(child, (*known, chosen), program)
                if inner is not None:
                    found.append(_Branch(chosen, inner, None))
            return _all(found)
        case ir.Guarded(guard, then, otherwise):
            yes = _of(then, (*known, *conjuncts(guard)), program)
            no = None if otherwise is None else _of(otherwise, (*known, *_not(guard)), program)
            if yes is None and no is None and _total(guard, known, program):
                return None
            return _Branch(guard, yes, no)
        case _:
            assert_never(node)


def _not(guard: ir.Expr) -> Known:
    try:
        return (negation(guard),)
    except Undefined:
        return ()


def _exists(param: ParamId, known: Known, program: Program) -> Check | None:
    active = program.param(param).active
    return None if active is None or follows(known, active) else _Exists(param)


def _all(found: Iterable[Check | None]) -> Check | None:
    kept = tuple(check for check in found if check is not None)
    return None if not kept else kept[0] if len(kept) == 1 else _All(kept)


def _total(expr: ir.Expr, known: Known, program: Program) -> bool:
    """Whether `expr` surely has a value; arithmetic may overflow, and is left to the bounds of columns."""
    return _type(expr, known, program) is not None


def _type(expr: ir.Expr, known: Known, program: Program) -> type | None:
    """bool, float for any number, object for another value; None if `expr` may have none."""
    match expr:
        case ir.Lit(value):
            return _type_of([value])
        case ir.IsAlt():
            return bool
        case ir.ParamRef(param, slot):
            found = program.param(param)
            if _exists(param, known, program) is not None or slot >= len(found.targets):
                return None
            return _type_of([alt.values[slot] for alt in found.domain.alts]) if isinstance(found.domain, ir.Choice) else float
        case ir.Unary("not", operand):
            return bool if _type(operand, known, program) is bool else None
        case ir.Binary("and" | "or", left, right):
            return bool if _type(left, known, program) is bool and _type(right, known, program) is bool else None
        case ir.Binary("==" | "!=", left, right):
            return bool if _type(left, known, program) and _type(right, known, program) else None
        case ir.Binary("<" | "<=" | ">" | ">=", left, right):
            return bool if _type(left, known, program) is float and _type(right, known, program) is float else None
        case _:
            return None


def _type_of(values: list[ir.Value]) -> type:
    if all(isinstance(value, bool) for value in values):
        return bool
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return float
    return object


# -- rows --------------------------------------------------------------------------------------------------------------------------


def without_value(check: Check, block: Block) -> Mask:
    """The rows in which the configuration has no value."""
    out: Mask
    match check:
        case _Exists(param):
            active = block.active(param)
            return np.zeros(block.n, np.bool_) if active is None else ~active
        case _HasValue(expr):
            return _undefined(expr, block)
        case _All(parts):
            out = without_value(parts[0], block)
            for part in parts[1:]:
                out = out | without_value(part, block)
            return out
        case _Branch(condition, then, otherwise):
            out = _undefined(condition, block)
            holds = block.holds(condition)
            if then is not None:
                out = out | (holds & without_value(then, block))
            if otherwise is not None:
                out = out | (~holds & without_value(otherwise, block))
            return out
        case _Unless(disabled, inner):
            return ~_is_true(disabled, block) & without_value(inner, block)
        case _:
            assert_never(check)


def _undefined(expr: ir.Expr, block: Block) -> Mask:
    fail = block.fails(expr)
    return np.broadcast_to(np.bool_(False) if fail is None else fail != OK, block.n)


def _is_true(node: ir.ConfigNode, block: Block) -> Mask:
    """The rows in which an attribute is there and true."""
    nothing = np.zeros(block.n, np.bool_)
    match node:
        case ir.Const(value):
            return nothing | (value is True)
        case ir.Read(param, slot):
            return block.holds(ir.ParamRef(param, slot))
        case ir.Derived(expr):
            return block.holds(expr)
        case ir.Guarded(guard, then, otherwise):
            holds = block.holds(guard)
            other = nothing if otherwise is None else _is_true(otherwise, block)
            return (holds & _is_true(then, block)) | (~holds & other)
        case ir.ChoiceNode(param, nodes):
            out = nothing
            for at, child in enumerate(nodes):
                out = out | (block.holds(ir.IsAlt(param, (at,))) & _is_true(child, block))
            return out
        case _:
            return nothing
