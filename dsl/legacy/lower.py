"""What Clara's JSON has no words for, made into lists of values: integers, steps, log scales, ranges among alternatives.

A finite range becomes the list of its values; another becomes a grid of `grid` values, and its baseline one of them.
"""

from __future__ import annotations

import math

from msgspec.structs import replace

from .. import ir
from ..elaborate.domains import shown, snapped, steps
from ..ir import Value
from .writer import Loss

#: A list longer than this is no list that anyone searches.
MOST = 64


def lower(program: ir.Program, grid: int) -> tuple[ir.Program, tuple[Loss, ...]]:
    """The program with lists instead, and what each lost."""
    losses: list[Loss] = []
    params: list[ir.Param] = []
    for param in program.params:
        domain = param.domain
        if isinstance(domain, ir.Choice) or domain == ir.Real(domain.lo, domain.hi):
            params.append(param)
            continue
        values = values_of(domain, grid)
        finite = isinstance(domain, ir.Int) or domain.step is not None
        exact = finite and len(values) == steps(domain)
        if not exact:
            losses.append(Loss(f"a grid of {len(values)} values instead of the {_kind(domain)}", param.id))
        alts = tuple(ir.Alt(shown(value), (value,) * len(param.targets)) for value in values)
        params.append(replace(param, domain=ir.Choice(alts, True)))
    return replace(program, params=tuple(params)), tuple(losses)


def values_of(domain: ir.Real | ir.Int, grid: int) -> list[Value]:
    """All values of a finite domain that has at most `MOST`, else `grid` of them, evenly spaced on its scale."""
    finite = isinstance(domain, ir.Int) or domain.step is not None
    count = steps(domain) if finite else 0
    if finite and count <= MOST:
        return [_nth(domain, at) for at in range(count)]
    out: list[Value] = []
    for at in range(grid):
        share = at / max(grid - 1, 1)
        if domain.scale == "log":
            value = math.exp(math.log(domain.lo) + share * (math.log(domain.hi) - math.log(domain.lo)))
        else:
            value = domain.lo + share * (domain.hi - domain.lo)
        value = float(f"{value:.6g}") if isinstance(domain, ir.Real) and 0 < at < grid - 1 else value
        snap = snapped(domain, value)
        if snap not in out:
            out.append(snap)
    return out


def _nth(domain: ir.Real | ir.Int, at: int) -> int | float:
    if domain.step is None:
        return int(domain.lo) + at
    value = domain.lo + at * domain.step.size if domain.step.kind == "add" else domain.lo * domain.step.size**at
    return round(value) if isinstance(domain, ir.Int) else min(value, domain.hi)


def _kind(domain: ir.Real | ir.Int) -> str:
    what = "integers" if isinstance(domain, ir.Int) else "numbers"
    return f"{what} {domain.lo:g} to {domain.hi:g}" + (" on a log scale" if domain.scale == "log" else "")
