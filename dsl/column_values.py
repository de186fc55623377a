"""One expression's values over many candidates at once, and the arithmetic on them.

A `Column` agrees with `evaluate.py` row by row. Where float64 or int64 cannot decide what Python's own numbers would give, the row
is marked `ASK`, and the caller evaluates it alone; what cannot be said in columns at all raises `Unsupported`. So nothing here has
to be clever to be exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product, repeat
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import ir
from .evaluate import Assignment, Undefined, evaluate
from .ir import Value

Mask: TypeAlias = NDArray[np.bool_]
Codes: TypeAlias = NDArray[np.uint8]
Array: TypeAlias = NDArray[Any]

#: Why a row has no value: it reads an inactive parameter, it cannot be computed, it must be computed alone.
OK, INACTIVE, UNDEFINED, ASK = 0, 1, 2, 3

#: Every integer up to here is a float64.
EXACT = 2**53
_INT64 = 2**63 - 1
#: So many combinations of table entries are worked out beforehand.
_MAX_TABLE = 4096
_NOWHERE = Assignment(ir.Program(ir.Study(), (), ir.MapNode({})), {})

Operator: TypeAlias = Literal["+", "-", "*", "/", "//", "%", "**", "and", "or", "==", "!=", "<", "<=", ">", ">=", "in", "not in"]


class Unsupported(Exception):
    """This expression has no columns; evaluate it row by row."""


@dataclass(frozen=True, slots=True)
class Column:
    """`data`: one entry per row, or a single one for all rows; what it holds where `fail` is not 0 means nothing.

    `ints` (numbers only): which rows are integers, all where the dtype is int64; such a row of a float64 column is below 2^53.
    `lo`, `hi` (numbers only): bounds on all rows that do not fail. `table` (tables only): what the codes in `data` stand for.
    """

    kind: Literal["bool", "number", "table"]
    data: Array
    fail: Codes | None = None
    ints: bool | Mask = False
    lo: float = -math.inf
    hi: float = math.inf
    table: tuple[Value, ...] = ()

    @property
    def whole(self) -> bool:
        return self.data.dtype == np.int64


# -- making columns ----------------------------------------------------------------------------------------------------------------


def literal(value: Value) -> Column:
    return from_values([value], np.zeros(1, np.uint8), scalar=True)


def from_values(values: Sequence[Value], fail: Codes, *, scalar: bool = False) -> Column:
    """A column of any values, with the rows that have none; `scalar`: the only row stands for all."""
    kept = [value for value, code in zip(values, fail, strict=True) if code == OK]
    kinds = {type(value) for value in kept}
    failing = None if not fail.any() else fail

    def shaped(array: Array) -> Array:
        return array[0] if scalar else array

    filled = values if failing is None else [value if code == OK else None for value, code in zip(values, fail, strict=True)]
    if kinds <= {bool}:
        return Column("bool", shaped(np.array([value is True for value in filled], np.bool_)), failing)
    if kinds == {int} and all(-_INT64 <= value <= _INT64 for value in kept):  # type: ignore[operator]
        data = np.array([0 if value is None else value for value in filled], np.int64)
        return Column("number", shaped(data), failing, True, min(kept), max(kept))  # type: ignore[arg-type,type-var]
    if kinds <= {int, float} and all(type(value) is float or abs(value) <= EXACT for value in kept):  # type: ignore[arg-type]
        data = np.array([0.0 if value is None else value for value in filled], np.float64)
        ints = np.array([type(value) is int for value in filled], np.bool_)
        return Column("number", shaped(data), failing, ints if ints.any() else False, min(kept), max(kept))  # type: ignore[arg-type,type-var]
    return Column("table", shaped(np.arange(len(values))), failing, table=tuple(filled))


def take(column: Column, codes: Array) -> Column:
    """The entries of a column at `codes`."""
    data = column.data[codes]
    ints = column.ints if isinstance(column.ints, bool) else column.ints[codes]
    return replace(column, data=data, fail=None if column.fail is None else column.fail[codes], ints=ints)


def to_list(column: Column, n: int) -> list[Value]:
    """The values of all rows, as Python has them; None where there is none."""
    data = np.broadcast_to(column.data, n).tolist()
    if column.kind == "table":
        return [column.table[code] for code in data]
    if not column.whole and column.ints is not False:
        ints = np.broadcast_to(np.asarray(column.ints), n)
        return [int(value) if is_int and math.isfinite(value) else value for value, is_int in zip(data, ints, strict=True)]
    out: list[Value] = data
    return out


# -- failures ----------------------------------------------------------------------------------------------------------------------


def first(a: Codes | None, b: Codes | None) -> Codes | None:
    """What is met first is what a row fails of."""
    if a is None or b is None:
        return b if a is None else a
    return np.where(a != OK, a, b)


def failing(column: Column, where: Mask | np.bool_, code: int = UNDEFINED) -> Column:
    """`column`, failing in the rows of `where` too."""
    if not np.any(where):
        return column
    return replace(column, fail=first(column.fail, np.where(where, np.uint8(code), np.uint8(OK))))


def truth(column: Column) -> Column:
    """`column` as a condition: rows that are neither true nor false fail."""
    match column.kind:
        case "bool":
            return column
        case "table":
            true = np.array([value is True for value in column.table], np.bool_)
            other = np.array([not isinstance(value, bool) for value in column.table], np.bool_)
            return failing(Column("bool", true[column.data], column.fail), other[column.data])
        case _:
            return failing(Column("bool", np.zeros(column.data.shape, np.bool_), column.fail), np.ones(column.data.shape, np.bool_))


def number(column: Column) -> Column:
    """`column` if it holds numbers; rows of truth values fail."""
    match column.kind:
        case "number":
            return column
        case "bool":
            shape = column.data.shape
            zeros = Column("number", np.zeros(shape, np.int64), column.fail, True, 0, 0)
            return failing(zeros, np.ones(shape, np.bool_))
        case _:
            raise Unsupported


# -- logic -------------------------------------------------------------------------------------------------------------------------


def negate(column: Column) -> Column:
    column = truth(column)
    return replace(column, data=~column.data)


def both(a: Column, b: Column, *, either: bool) -> Column:
    """`a and b`, `a or b`: what fails on the right matters only where the left does not decide."""
    a, b = truth(a), truth(b)
    fail = b.fail
    if fail is not None:
        fail = np.where(a.data, np.uint8(OK), fail) if either else np.where(a.data, fail, np.uint8(OK))
    return Column("bool", a.data | b.data if either else a.data & b.data, first(a.fail, fail))


def select(condition: Column, then: Column, otherwise: Column) -> Column:
    """`then` where the condition holds, else `otherwise`."""
    condition = truth(condition)
    where = condition.data
    fail = None
    if then.fail is not None or otherwise.fail is not None:
        none = np.uint8(OK)
        fail = np.where(where, none if then.fail is None else then.fail, none if otherwise.fail is None else otherwise.fail)
    fail = first(condition.fail, fail)
    if then.kind == otherwise.kind == "bool":
        return Column("bool", np.where(where, then.data, otherwise.data), fail)
    if then.kind == otherwise.kind == "number":
        lo, hi = min(then.lo, otherwise.lo), max(then.hi, otherwise.hi)
        if then.whole and otherwise.whole:
            return Column("number", np.where(where, then.data, otherwise.data), fail, True, lo, hi)
        a, b = to_float(then), to_float(otherwise)
        if a.fail is not then.fail or b.fail is not otherwise.fail:
            return select(condition, a, b)
        ints: bool | Mask = False
        if a.ints is not False or b.ints is not False:
            ints = np.where(where, a.ints, b.ints)
        return Column("number", np.where(where, a.data, b.data), fail, ints, lo, hi)
    a, b = to_table(then), to_table(otherwise)
    return Column("table", np.where(where, a.data, b.data + len(a.table)), fail, table=a.table + b.table)


def to_float(column: Column) -> Column:
    """The same numbers as float64; integers that are none must be asked for."""
    if not column.whole:
        return column
    out = replace(column, data=column.data.astype(np.float64), ints=True)
    if max(abs(column.lo), abs(column.hi)) > EXACT:
        return failing(out, (column.data > EXACT) | (column.data < -EXACT), ASK)
    return out


def to_table(column: Column) -> Column:
    """The same values as codes into a table. Unsupported for more than one number."""
    if column.kind == "table":
        return column
    if column.kind == "bool":
        return Column("table", column.data.astype(np.intp), column.fail, table=(False, True))
    if column.data.ndim:
        raise Unsupported
    return Column("table", np.zeros((), np.intp), column.fail, table=tuple(to_list(column, 1)))


# -- comparison --------------------------------------------------------------------------------------------------------------------

_COMPARE: dict[Operator, Callable[[Array, Array], Array]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def compare(op: Operator, a: Column, b: Column) -> Column:
    """One of the six comparisons."""
    if "table" in (a.kind, b.kind):
        return tabulated(op, a, b)
    if op in ("==", "!=") and (a.kind == "bool" or b.kind == "bool"):
        if a.kind == b.kind:
            return Column("bool", _COMPARE[op](a.data, b.data), first(a.fail, b.fail))
        shape = np.broadcast_shapes(a.data.shape, b.data.shape)
        return Column("bool", np.full(shape, op == "!="), first(a.fail, b.fail))
    a, b = operands(a, b)
    if not (a.whole and b.whole):
        a, b = to_float(a), to_float(b)
    return Column("bool", _COMPARE[op](a.data, b.data), first(a.fail, b.fail))


def operands(a: Column, b: Column) -> tuple[Column, Column]:
    """Both as numbers; that the first is none is found out only after the second was computed."""
    x, y = number(a), number(b)
    if x is not a and y.fail is not None:
        x = replace(x, fail=first(first(a.fail, y.fail), x.fail))
    return x, y


def tabulated(op: Operator, a: Column, b: Column) -> Column:
    """Any operator on two small tables, each pair of entries worked out once."""
    a, b = to_table(a), to_table(b)
    size = len(b.table)
    if len(a.table) * size > _MAX_TABLE:
        raise Unsupported
    out = take(worked_out(ir.Binary(op, ir.Lit(x), ir.Lit(y)) for x, y in product(a.table, b.table)), a.data * size + b.data)
    return replace(out, fail=first(first(a.fail, b.fail), out.fail))


def worked_out(exprs: Iterable[ir.Expr], heres: Iterable[Assignment] | None = None) -> Column:
    """The values of expressions, one per row, each computed by itself; `heres`: where, needed unless they are constant."""
    values: list[Value] = []
    codes: list[int] = []
    for expr, here in zip(exprs, repeat(_NOWHERE) if heres is None else heres, strict=False):
        value, code = None, OK
        try:
            value = evaluate(expr, here)
        except Undefined as undefined:
            code = INACTIVE if undefined.inactive else UNDEFINED
        values.append(value)
        codes.append(code)
    return from_values(values, np.array(codes, np.uint8))
