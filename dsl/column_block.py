"""Expressions over a block of candidates.

An expression that reads only choices and short ranges of integers is worked out once for every combination of them, and looked up:
that is how strings, lists and comprehensions over alternatives cost next to nothing. Other expressions are computed on columns of
numbers (`column_arithmetic.py`), and what neither can do is evaluated row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from . import column_arithmetic as on
from . import ir
from .column_values import (
    ASK,
    INACTIVE,
    OK,
    Array,
    Codes,
    Column,
    Mask,
    Unsupported,
    both,
    compare,
    first,
    from_values,
    literal,
    negate,
    select,
    take,
    to_list,
    truth,
    worked_out,
)
from .elaborate.logic import children
from .evaluate import Assignment
from .ir import ParamId, Program, Value

#: The largest table of combinations; below that, tables are worked out only if there are several candidates for each entry.
_MAX_TABLE = 4096
_SMALL_TABLE = 64


class Plans:
    """What is worked out once for all blocks of `rows` candidates: which expressions are tables, and the tables."""

    def __init__(self, program: Program, rows: int) -> None:
        self.program = program
        self.params = {param.id: param for param in program.params}
        self._largest = min(_MAX_TABLE, max(_SMALL_TABLE, rows // 4))
        # Keyed by identity: expressions are large to hash, and `_kept` keeps them alive.
        self._tables: dict[int, tuple[tuple[ParamId, ...], Column] | None] = {}
        self._literals: dict[int, Column] = {}
        self._reads: dict[int, tuple[ParamId, ...]] = {}
        self._kept: list[ir.Expr] = []

    def literal(self, expr: ir.Lit) -> Column:
        if id(expr) not in self._literals:
            self._kept.append(expr)
            self._literals[id(expr)] = literal(expr.value)
        return self._literals[id(expr)]

    def table(self, expr: ir.Expr) -> tuple[tuple[ParamId, ...], Column] | None:
        """The parameters that `expr` reads and its value for each combination of their states; None if it is no table."""
        key = id(expr)
        if key not in self._tables:
            self._kept.append(expr)
            self._tables[key] = self._make_table(expr)
        return self._tables[key]

    def reads(self, expr: ir.Expr) -> tuple[ParamId, ...]:
        """The parameters that `expr` reads, each once."""
        waiting = [expr]
        while waiting:  # not recursive: a condition may be thousands of `and` long
            node = waiting[-1]
            parts = () if id(node) in self._reads else children(node)
            missing = [part for part in parts if id(part) not in self._reads]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if id(node) not in self._reads:
                self._kept.append(node)
                own = [node.param] if isinstance(node, (ir.ParamRef, ir.IsAlt)) and node.param in self.params else []
                self._reads[id(node)] = tuple(dict.fromkeys([*own, *(name for part in parts for name in self._reads[id(part)])]))
        return self._reads[id(expr)]

    def _make_table(self, expr: ir.Expr) -> tuple[tuple[ParamId, ...], Column] | None:
        ids = self.reads(expr)
        if not ids:
            return None
        size = 1
        if isinstance(expr, (ir.ParamRef, ir.IsAlt)):
            if not isinstance(self.params[ids[0]].domain, ir.Choice):
                return None
            size += self.states(ids[0]) or 0
        else:
            for id in ids:
                count = self.states(id)
                if count is None or size * (count + 1) > self._largest:
                    return None
                size *= count + 1
        states = product(*(range((self.states(id) or 0) + 1) for id in ids))
        heres = (
            Here(self.program, {id: _chosen(self.params[id], at) for id, at in zip(ids, state, strict=True)}) for state in states
        )
        return ids, worked_out((expr for _ in range(size)), heres)

    def states(self, id: ParamId) -> int | None:
        """How many values a parameter has, if they are few; the state after the last one is its absence."""
        match self.params[id].domain:
            case ir.Choice(alts):
                return len(alts)
            case ir.Int(lo, hi) if hi - lo < self._largest:
                return hi - lo + 1
            case _:
                return None


def _chosen(param: ir.Param, state: int) -> int | None:
    match param.domain:
        case ir.Choice(alts):
            return state if state < len(alts) else None
        case ir.Int(lo, hi):
            return lo + state if lo + state <= hi else None
        case _:
            return None


class Here(Assignment):
    """An assignment of given parameters, None for the inactive, without looking at their conditions."""

    def __init__(self, program: Program, chosen: Mapping[ParamId, int | float | None]) -> None:
        self.program, self.point, self.baseline = program, {}, False
        self.values, self.alternatives = {}, {}
        for id, value in chosen.items():
            if value is not None:
                self._assign(program.param(id), value)


class Block:
    """Some candidates. `data`: a value inside its domain for every parameter and row; `broken` rows were not inside."""

    def __init__(self, plans: Plans, data: Mapping[ParamId, Array], n: int) -> None:
        self.plans = plans
        self.n = n
        self._data = data
        self._active: dict[ParamId, Mask | None] = {}
        self._states: dict[ParamId, Array] = {}
        for param in plans.program.params:
            self._active[param.id] = None if param.active is None else self.holds(param.active)

    def active(self, id: ParamId) -> Mask | None:
        """The rows in which the parameter exists; None for all."""
        return self._active[id]

    def data(self, id: ParamId) -> Array:
        """The values of a parameter, those of inactive rows too."""
        return self._data[id]

    # -- what is asked -------------------------------------------------------------------------------------------------------

    def value(self, expr: ir.Expr) -> Column:
        """The values of `expr`, exactly those of `evaluate`: no row is left to be asked."""
        try:
            column = self._column(expr)
        except (Unsupported, RecursionError):
            return self._by_rows(expr, range(self.n))
        fail = column.fail
        if fail is None or not (asked := np.flatnonzero(np.broadcast_to(fail, self.n) == ASK)).size:
            return column
        return _patched(column, self._by_rows(expr, asked.tolist()), asked, self.n)

    def condition(self, expr: ir.Expr) -> tuple[Mask, Codes | None]:
        """The rows in which `expr` is true, and why it has no value in others."""
        column = truth(self.value(expr))
        data = column.data if column.fail is None else column.data & (column.fail == OK)
        return np.broadcast_to(data, self.n), column.fail

    def holds(self, expr: ir.Expr) -> Mask:
        """The rows in which `expr` is true; false where it has no value."""
        return self.condition(expr)[0]

    def fails(self, expr: ir.Expr) -> Codes | None:
        """Why `expr` has no value, row by row; None if it has one everywhere."""
        return self.value(expr).fail

    # -- how ---------------------------------------------------------------------------------------------------------------------

    def _column(self, expr: ir.Expr) -> Column:
        if isinstance(expr, ir.Lit):
            return self.plans.literal(expr)
        table = self.plans.table(expr)
        if table is not None:
            return self._looked_up(*table)
        match expr:
            case ir.ParamRef(param, slot):
                return self._read(param, slot)
            case ir.IsAlt(param):
                return Column("bool", np.zeros((), np.bool_))  # no choice, or none of this program
            case ir.Unary("not", operand):
                return negate(self._column(operand))
            case ir.Unary(_, operand):
                return on.minus(self._column(operand))
            case ir.Binary("and" | "or" as op, left, right):
                return both(self._column(left), self._column(right), either=op == "or")
            case ir.Binary("in" | "not in" as op, left, right):
                return self._contained(op, left, right)
            case ir.Binary("==" | "!=" | "<" | "<=" | ">" | ">=" as op, left, right):
                return compare(op, self._column(left), self._column(right))
            case ir.Binary(op, left, right):
                return on.arithmetic(op, self._column(left), self._column(right))
            case ir.IfElse(condition, then, otherwise):
                return select(self._column(condition), self._column(then), self._column(otherwise))
            case ir.Apply(function, args):
                if function in ("min", "max", "sum") and len(args) == 1 and isinstance(args[0], ir.ListOf):
                    args = args[0].items
                return on.apply(function, [self._column(arg) for arg in args])
            case _:
                raise Unsupported

    def _contained(self, op: str, left: ir.Expr, right: ir.Expr) -> Column:
        """`x in [a, b]` as `x == a or x == b`, which cannot fail in `a` or `b`: they are literals."""
        items: Sequence[Value] | None = None
        if isinstance(right, ir.Lit) and isinstance(right.value, list):
            items = right.value
        elif isinstance(right, ir.ListOf) and all(isinstance(item, ir.Lit) for item in right.items):
            items = [item.value for item in right.items if isinstance(item, ir.Lit)]
        value = self._column(left)
        if items is None:
            raise Unsupported
        found = Column("bool", np.zeros((), np.bool_), value.fail)
        for item in items:
            equal = compare("==", value, literal(item))
            found = Column("bool", found.data | equal.data, first(found.fail, equal.fail))
        return found if op == "in" else negate(found)

    def _read(self, id: ParamId, slot: int) -> Column:
        if id not in self._active:  # of no parameter, or of one that stands later: it cannot be read
            return Column("bool", np.zeros((), np.bool_), np.full((), INACTIVE, np.uint8))
        domain = self.plans.params[id].domain
        active = self._active[id]
        fail = None if active is None else np.where(active, np.uint8(OK), np.uint8(INACTIVE))
        if isinstance(domain, ir.Choice) or slot >= max(1, len(self.plans.params[id].targets)):
            raise Unsupported
        return Column("number", self._data[id], fail, isinstance(domain, ir.Int), domain.lo, domain.hi)

    def _looked_up(self, ids: tuple[ParamId, ...], column: Column) -> Column:
        codes = self._state(ids[0])
        for id in ids[1:]:
            codes = codes * ((self.plans.states(id) or 0) + 1) + self._state(id)
        out = take(column, codes)
        return out if out.fail is None or out.fail.any() else replace(out, fail=None)

    def _state(self, id: ParamId) -> Array:
        """The row's position among the states of a parameter."""
        if id not in self._active:
            return np.full(self.n, self.plans.states(id), np.intp)
        if id not in self._states:
            domain = self.plans.params[id].domain
            state = self._data[id] - domain.lo if isinstance(domain, ir.Int) else self._data[id]
            active = self._active[id]
            inactive = self.plans.states(id) or 0  # states are asked of parameters that have some
            self._states[id] = state if active is None else np.where(active, state, inactive)
        return self._states[id]

    def _by_rows(self, expr: ir.Expr, rows: Sequence[int]) -> Column:
        """`expr` in some rows, evaluated one by one; rows that read the same values are evaluated once."""
        columns: list[list[int | float | None]] = []
        ids = [id for id in self.plans.reads(expr) if id in self._active]
        for id in ids:
            values = self._data[id][list(rows)].tolist()
            active = self._active[id]
            columns.append(
                values
                if active is None
                else [value if there else None for value, there in zip(values, active[list(rows)].tolist(), strict=True)]
            )
        keys = list(zip(*columns, strict=True)) if ids else [()] * len(rows)
        known = {key: at for at, key in enumerate(dict.fromkeys(keys))}
        heres = (Here(self.plans.program, dict(zip(ids, key, strict=True))) for key in known)
        found = worked_out((expr for _ in known), heres)
        return take(found, np.array([known[key] for key in keys], np.intp))


def _patched(column: Column, answers: Column, rows: Array, n: int) -> Column:
    """`column` with what was asked for in its place."""
    fail = np.broadcast_to(column.fail if column.fail is not None else np.uint8(OK), n).copy()
    fail[rows] = OK if answers.fail is None else answers.fail
    data = np.broadcast_to(column.data, n)
    if column.kind == answers.kind == "bool":
        data = data.copy()
        data[rows] = answers.data
        return replace(column, data=data, fail=fail)
    # Numbers and anything else: rows that need asking are rare, so this may be slow.
    values = to_list(column, n)
    for row, value in zip(rows.tolist(), to_list(answers, len(rows)), strict=True):
        values[row] = value
    return from_values(values, fail)
