"""Arithmetic and functions on columns of numbers.

Bounds travel with every column (interval arithmetic; rounding is monotonic, so they hold for floats too): where they show that
nothing can overflow or divide by zero, nothing is looked at row by row.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .column_values import (
    ASK,
    EXACT,
    Array,
    Column,
    Mask,
    Operator,
    Unsupported,
    compare,
    failing,
    first,
    number,
    operands,
    select,
    tabulated,
    to_float,
)

_INT64 = 2**63 - 1
#: Where an int64 result is no longer trusted, judged by a float64 that is off by a few units in the last place.
_SAFE = 2**62

_INTEGER: dict[Operator, Callable[[Array, Array], Array]] = {"+": np.add, "-": np.subtract, "*": np.multiply}
_FLOAT: dict[Operator, Callable[[Array, Array], Array]] = {
    **_INTEGER,
    "/": np.true_divide,
    "//": np.floor_divide,
    "%": np.remainder,
}


def arithmetic(op: Operator, a: Column, b: Column) -> Column:
    """One of `+ - * / // % **`."""
    if "table" in (a.kind, b.kind):
        return tabulated(op, a, b)
    a, b = operands(a, b)
    if a.whole and b.whole and op != "/":
        return _power_of_integers(a, b) if op == "**" else _integers(op, a, b)
    a, b = to_float(a), to_float(b)
    return _power(a, b) if op == "**" else _floats(op, a, b)


# -- integers ----------------------------------------------------------------------------------------------------------------------


def _integers(op: Operator, a: Column, b: Column) -> Column:
    fail = first(a.fail, b.fail)
    if op in ("//", "%"):
        reach = max(abs(a.lo), abs(a.hi)) if op == "//" else max(abs(b.lo), abs(b.hi))
        safe = np.where(b.data == 0, 1, b.data) if b.lo <= 0 <= b.hi else b.data
        data = np.floor_divide(a.data, safe) if op == "//" else np.remainder(a.data, safe)
        out = Column("number", data, fail, True, -reach, reach)
        if reach > _INT64:
            return failing(out, np.ones(data.shape, np.bool_), ASK)
        return failing(out, b.data == 0) if safe is not b.data else out
    lo, hi = _bounds(op, a, b)
    out = Column("number", _INTEGER[op](a.data, b.data), fail, True, lo, hi)
    if lo >= -_INT64 and hi <= _INT64:
        return out
    return _asking(out, _INTEGER[op](a.data.astype(np.float64), b.data.astype(np.float64)))


def _asking(column: Column, estimate: Array) -> Column:
    """An integer result that is trusted only where it is well below 2^63."""
    trusted = replace(column, lo=max(column.lo, -_SAFE), hi=min(column.hi, _SAFE))
    return failing(trusted, ~(np.abs(estimate) < _SAFE), ASK)


def _power_of_integers(a: Column, b: Column) -> Column:
    fail = first(a.fail, b.fail)
    exponent = np.maximum(b.data, 0)
    data = np.power(a.data, exponent)
    base = int(max(abs(a.lo), abs(a.hi)))
    if b.lo >= 0 and b.hi * base.bit_length() <= 128 and (reach := base ** int(b.hi)) <= _INT64:
        return Column("number", data, fail, True, -max(reach, 1), max(reach, 1))
    out = Column("number", data, fail, True, -math.inf, math.inf)
    out = _asking(out, np.power(np.abs(a.data.astype(np.float64)), exponent.astype(np.float64)))
    return failing(out, b.data < 0, ASK)


# -- floats ------------------------------------------------------------------------------------------------------------------------


def _floats(op: Operator, a: Column, b: Column) -> Column:
    fail = first(a.fail, b.fail)
    lo, hi = _bounds(op, a, b)
    data = _FLOAT[op](a.data, b.data)
    ints: bool | Mask = False
    if op != "/" and a.ints is not False and b.ints is not False:
        ints = np.logical_and(a.ints, b.ints)
    out = Column("number", data, fail, ints, lo, hi)
    if op in ("/", "//", "%") and b.lo <= 0 <= b.hi:
        out = failing(out, b.data == 0)
    if not (math.isfinite(lo) and math.isfinite(hi)):
        out = failing(out, ~np.isfinite(data))
    if ints is not False:
        out = failing(out, ints & (np.abs(data) > EXACT), ASK)
    return out


def _power(a: Column, b: Column) -> Column:
    """`math.pow`, row by row: NumPy's may differ from it in the last bit."""
    if a.ints is not False and b.ints is not False:
        raise Unsupported
    return _each(math.pow, first(a.fail, b.fail), a.data, b.data)


def _each(function: Callable[..., float], fail: Array | None, *data: Array) -> Column:
    """A function of Python's on every row."""
    shape = np.broadcast_shapes(*(array.shape for array in data))
    out = np.zeros(math.prod(shape))
    broken = np.zeros(out.shape, np.bool_)
    rows = zip(*(np.broadcast_to(array, shape).ravel().tolist() for array in data), strict=True)
    if fail is not None:
        rows = (row if ok else None for row, ok in zip(rows, np.broadcast_to(fail == 0, shape).ravel(), strict=True))  # type: ignore[assignment]
    for at, row in enumerate(rows):
        if row is not None:
            try:
                out[at] = function(*row)
            except (ValueError, ArithmeticError):
                broken[at] = True
    broken |= ~np.isfinite(out)
    return failing(Column("number", out.reshape(shape), fail), broken.reshape(shape))


def _bounds(op: Operator, a: Column, b: Column) -> tuple[float, float]:
    """What the result lies between; infinite where that is not known."""
    if op == "+":
        corners = [a.lo + b.lo, a.hi + b.hi]
    elif op == "-":
        corners = [a.lo - b.hi, a.hi - b.lo]
    elif op == "*":
        corners = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    elif op == "/" and (b.lo > 0 or b.hi < 0):
        corners = [x / y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    elif op == "%":
        reach = max(abs(b.lo), abs(b.hi))
        corners = [-reach, reach]
    else:
        return -math.inf, math.inf
    if any(math.isnan(corner) for corner in corners):
        return -math.inf, math.inf
    return min(corners), max(corners)


# -- functions ---------------------------------------------------------------------------------------------------------------------


def apply(function: str, args: list[Column]) -> Column:
    """A built-in function of numbers. Unsupported for what is none, or for the wrong number of arguments."""
    if function in ("sum", "int"):
        args = [counted(arg) for arg in args]
    if not args or any(arg.kind != "number" for arg in args):
        raise Unsupported
    if function in ("min", "max"):
        out = args[0]
        for arg in args[1:]:
            # `min` and `max` keep the first of equals, and so does `select`.
            fail = first(out.fail, arg.fail)
            out = select(compare("<" if function == "min" else ">", arg, out), arg, out)
            out = replace(out, fail=first(fail, out.fail))
        return out
    if function == "sum":
        return _sum(args)
    if len(args) != 1:
        raise Unsupported
    (x,) = args
    reach = max(abs(x.lo), abs(x.hi))
    match function:
        case "abs":
            if x.lo == -_INT64 - 1:
                raise Unsupported
            return replace(x, data=np.abs(x.data), lo=0, hi=reach)
        case "float":
            return replace(to_float(x), ints=False)
        case "floor" | "ceil" | "round" | "int":
            if x.whole:
                return x
            rounded = {"floor": np.floor, "ceil": np.ceil, "round": np.rint, "int": np.trunc}[function](x.data)
            safe = np.clip(np.nan_to_num(rounded), -_SAFE, _SAFE)
            bound = min(reach + 1, _SAFE)
            out = Column("number", safe.astype(np.int64), x.fail, True, -bound, bound)
            return failing(out, np.abs(rounded) >= _SAFE, ASK) if reach + 1 >= _SAFE else out
        case "sqrt":
            x = to_float(x)
            out = Column("number", np.sqrt(np.maximum(x.data, 0.0)), x.fail, False, 0.0, math.sqrt(max(x.hi, 0.0)))
            return failing(out, x.data < 0) if x.lo < 0 else out
        case "log2":
            x = to_float(x)
            return _each(math.log2, x.fail, x.data)
        case _:
            raise Unsupported


def counted(column: Column) -> Column:
    """`column` with truth values as 0 and 1."""
    return Column("number", column.data.astype(np.int64), column.fail, True, 0, 1) if column.kind == "bool" else column


def _sum(args: list[Column]) -> Column:
    if sys.version_info >= (3, 12) and not all(arg.whole for arg in args):
        raise Unsupported  # since then `sum` compensates for rounding
    out = args[0]
    for arg in args[1:]:
        out = arithmetic("+", out, arg)
    return out


def minus(column: Column) -> Column:
    """`-column`"""
    column = number(column)
    if column.whole and column.lo == -_INT64 - 1:
        raise Unsupported
    return replace(column, data=-column.data, lo=-column.hi, hi=-column.lo)
