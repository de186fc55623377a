"""Many candidates at once: which parameters exist, what is allowed, what expressions give.

    columns = Columns(program, matrix)       # (n, d): one column per parameter, in the program's order
    columns.feasible()                       # n truth values
    columns.active("m[A].k")
    columns.points()                         # as `sample` returns them

Row by row this agrees exactly with `evaluate.py`, which is the definition; a row whose values cannot be computed is not allowed.
A million candidates of 20 parameters under 10 `require`s take a few tenths of a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import ir
from .column_block import Block, Plans
from .column_config import checks, without_value
from .column_values import EXACT, INACTIVE, OK, Array, Mask, to_list
from .evaluate import Undefined
from .ir import ParamId, Point, Program, Value

#: Rows that are worked on together: their columns stay in the processor's cache.
_BLOCK = 32_768

#: A matrix with NaN for what is inactive; a column per parameter; or points.
Candidates: TypeAlias = "NDArray[np.floating] | NDArray[np.integer] | Mapping[ParamId, Array] | Sequence[Point]"


class Columns:
    """Candidates of `program`, as alternative indices and numbers; NaN, or no entry in a point, where there is none.

    What stands in the place of an inactive parameter is ignored. A float is cut to an integer where one is needed.
    """

    def __init__(self, program: Program, candidates: Candidates) -> None:
        self.program = program
        self._raw = _raw(program, candidates)
        self.n = len(next(iter(candidates.values()), ())) if isinstance(candidates, Mapping) else len(candidates)
        self._plans = Plans(program, self.n)
        self._check = checks(program)
        self._last: tuple[int, Block, Mask] | None = None

    def __len__(self) -> int:
        return self.n

    def active(self, id: ParamId) -> Mask:
        """The rows in which the parameter exists. KeyError if there is none of that name."""
        self.program.param(id)
        out = np.ones(self.n, np.bool_)
        for start, block, _ in self._blocks():
            active = block.active(id)
            if active is not None:
                out[start : start + block.n] = active
        return out

    def feasible(self) -> Mask:
        """The rows that are allowed: every value inside its domain, every `require` kept, every value defined."""
        return self.rejected_by() < 0

    def rejected_by(self) -> NDArray[np.intp]:
        """The number of the first `require` that a row breaks; their count if it is not allowed for another reason; -1 if it is."""
        out = np.full(self.n, -1, np.intp)
        other = len(self.program.requires)
        for start, block, broken in self._blocks():
            part = out[start : start + block.n]
            if self._check is not None:
                part[without_value(self._check, block)] = other
            for number in reversed(range(other)):
                kept, fail = block.condition(self.program.requires[number].condition)
                if fail is not None:
                    kept = kept | (fail == INACTIVE)
                part[~kept] = number
            part[broken] = other
        return out

    def holds(self, expr: ir.Expr) -> Mask:
        """The rows in which `expr` is true; false where it has no value."""
        out = np.empty(self.n, np.bool_)
        for start, block, broken in self._blocks():
            out[start : start + block.n] = block.holds(expr) & ~broken
        return out

    def values(self, expr: ir.Expr) -> list[Value | Undefined]:
        """What `expr` gives in each row, `Undefined` where it gives nothing."""
        out: list[Value | Undefined] = []
        for _, block, broken in self._blocks():
            column = block.value(expr)
            found: list[Value | Undefined] = list(to_list(column, block.n))
            fail = np.zeros(block.n, np.uint8) if column.fail is None else np.broadcast_to(column.fail, block.n)
            for row in np.flatnonzero(broken | (fail != OK)).tolist():
                found[row] = Undefined("no value here", inactive=bool(fail[row] == INACTIVE and not broken[row]))
            out += found
        return out

    def points(self, rows: Mask | None = None) -> list[dict[ParamId, int | float]]:
        """The candidates (of `rows`) as points: the active parameters only, in the program's order."""
        out: list[dict[ParamId, int | float]] = []
        for start, block, _ in self._blocks():
            chosen = np.arange(block.n) if rows is None else np.flatnonzero(rows[start : start + block.n])
            part: list[dict[ParamId, int | float]] = [{} for _ in range(len(chosen))]
            for param in self.program.params:
                values = block.data(param.id)[chosen].tolist()
                active = block.active(param.id)
                there = [True] * len(values) if active is None else active[chosen].tolist()
                for point, value, exists in zip(part, values, there, strict=True):
                    if exists:
                        point[param.id] = value
            out += part
        return out

    def _rows(self, rows: slice) -> Array | list[Array]:
        """A column of some rows for each parameter."""
        if isinstance(self._raw, np.ndarray):
            return np.ascontiguousarray(self._raw[rows].T)
        return [column[rows] for column in self._raw]

    def _blocks(self) -> Iterator[tuple[int, Block, Mask]]:
        """Each block with its first row and the rows in which an active value is missing or outside its domain."""
        with np.errstate(all="ignore"):
            if self._last is not None:
                yield self._last
                return
            for start in range(0, self.n, _BLOCK):
                rows = slice(start, min(start + _BLOCK, self.n))
                data: dict[ParamId, Array] = {}
                wrong: dict[ParamId, Mask] = {}
                raw = self._rows(rows)
                for at, param in enumerate(self.program.params):
                    data[param.id], outside = _inside(param.domain, raw[at])
                    if outside is not None:
                        wrong[param.id] = outside
                block = Block(self._plans, data, rows.stop - rows.start)
                broken = np.zeros(block.n, np.bool_)
                for id, outside in wrong.items():
                    active = block.active(id)
                    broken |= outside if active is None else outside & active
                if self.n <= _BLOCK:
                    self._last = (start, block, broken)
                yield start, block, broken


def _raw(program: Program, candidates: Candidates) -> Array | list[Array]:
    """The matrix, or one column per parameter. ValueError for a matrix of another width, or columns of several lengths."""
    if isinstance(candidates, np.ndarray):
        if candidates.ndim != 2 or candidates.shape[1] != len(program.params):
            raise ValueError(f"a matrix of {len(program.params)} columns is needed, not one of the shape {candidates.shape}")
        return candidates
    if isinstance(candidates, Mapping):
        lengths = {len(column) for column in candidates.values()}
        if len(lengths) > 1:
            raise ValueError(f"the columns have different lengths: {sorted(lengths)}")
        missing = np.full(max(lengths, default=0), np.nan)
        return [np.asarray(candidates.get(param.id, missing)) for param in program.params]
    return [_column_of([point.get(param.id) for point in candidates]) for param in program.params]


def _column_of(values: Sequence[int | float | None]) -> Array:
    if values and all(type(value) is int and abs(value) < 2**63 for value in values):
        return np.array(values, np.int64)
    return np.array([np.nan if value is None else float(value) for value in values], np.float64)


def _inside(domain: ir.Domain, raw: Array) -> tuple[Array, Mask | None]:
    """The values as int64 or float64, with something inside the domain where they are not; and where that is."""
    kind = np.float64 if isinstance(domain, ir.Real) else np.int64
    if isinstance(domain, ir.Choice):
        lo, hi = 0, len(domain.alts) - 1
    else:
        lo, hi = domain.lo, domain.hi  # type: ignore[assignment]
    # Two reductions are cheaper than two columns of truth values; NaN makes both comparisons false.
    if raw.size and raw.min() >= lo and raw.max() <= hi and (raw.dtype.kind != "f" or kind is np.float64 or max(-lo, hi) < EXACT):
        return np.ascontiguousarray(raw, dtype=kind), None
    if isinstance(domain, ir.Choice):
        whole = raw.dtype.kind in "iub"
        inside = (raw >= lo) & (raw <= hi) if whole else (raw > -1) & (raw < hi + 1)
    else:
        inside = (raw >= lo) & (raw <= hi)
        if raw.dtype.kind == "f" and isinstance(domain, ir.Int):
            inside &= np.abs(raw) < 2.0**63
    return np.where(inside, raw, lo).astype(kind), ~inside
