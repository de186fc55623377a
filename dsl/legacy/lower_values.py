"""The values that stand for a range where only lists can be written."""

from __future__ import annotations

import math

from .. import ir
from ..elaborate.domains import contains, snapped, steps
from ..ir import Value

#: A list longer than this is no list that anyone searches.
MOST = 64


def values_of(param: ir.Param, grid: int) -> list[int | float]:
    """All values of a finite range that has at most `MOST`, else `grid` of them, evenly spaced on its scale.

    The baseline is one of them: it takes the place of the nearest.
    """
    domain = param.domain
    if isinstance(domain, ir.Choice):
        raise TypeError("a choice is a list already")
    finite = isinstance(domain, ir.Int) or domain.step is not None
    if finite and steps(domain) <= MOST:
        return [_nth(domain, at) for at in range(steps(domain))]
    out = list(dict.fromkeys(_grid_point(domain, at, grid) for at in range(grid)))
    start = _start(param, domain)
    if start is not None and start not in out:
        inner = range(1, len(out) - 1) if len(out) > 2 else range(len(out))
        out[min(inner, key=lambda at: abs(out[at] - start))] = start
    return sorted(out)


def is_exact(param: ir.Param, grid: int) -> bool:
    """Whether `values_of` has every value."""
    domain = param.domain
    finite = isinstance(domain, ir.Int) or (isinstance(domain, ir.Real) and domain.step is not None)
    return finite and not isinstance(domain, ir.Choice) and len(values_of(param, grid)) == steps(domain)


def range_text(domain: ir.Real | ir.Int) -> str:
    what = "integers" if isinstance(domain, ir.Int) else "numbers"
    return f"{what} {domain.lo:g} to {domain.hi:g}" + (" on a log scale" if domain.scale == "log" else "")


def _start(param: ir.Param, domain: ir.Real | ir.Int) -> int | float | None:
    value: Value = param.baseline[0]
    return value if isinstance(value, (int, float)) and contains(domain, value) else None


def _grid_point(domain: ir.Real | ir.Int, at: int, grid: int) -> int | float:
    if at == 0:
        return domain.lo
    if at == grid - 1 and domain.step is None:
        return domain.hi
    share = at / (grid - 1)
    if domain.scale == "log":
        value = math.exp(math.log(domain.lo) + share * (math.log(domain.hi) - math.log(domain.lo)))
    else:
        value = domain.lo + share * (domain.hi - domain.lo)
    return snapped(domain, float(f"{value:.6g}"))


def _nth(domain: ir.Real | ir.Int, at: int) -> int | float:
    if domain.step is None:
        return int(domain.lo) + at
    value = domain.lo + at * domain.step.size if domain.step.kind == "add" else domain.lo * domain.step.size**at
    return round(value) if isinstance(domain, ir.Int) else min(value, domain.hi)
