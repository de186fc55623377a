"""Allowed points drawn from the prior, many at a time: every parameter by itself, then what is not allowed is thrown away."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from automl_run.errors import InputError

from . import ir, prior
from .column_values import Array
from .columns import Columns
from .ir import ParamId, Program

#: The sizes of blocks are fixed, so that the first points do not depend on how many are asked for.
_FIRST_BLOCK, _LARGEST_BLOCK = 64, 65_536
#: After so many draws in a row of which none is allowed, nothing is expected any more.
_MAX_BARREN = 1_000_000
#: Stepped ranges up to this length are drawn from a table.
_MAX_TABLE = 65_536
_EXACT = 2**53


def sample(program: Program, n: int, seed: int = 0) -> list[dict[ParamId, int | float]]:
    """`n` allowed points; `sample(program, 5, s)` begins with `sample(program, 3, s)`. The same on one machine with one NumPy.

    Raises InputError for a negative `n` or `seed`, and when a million draws in a row are not allowed.
    """
    if n < 0 or seed < 0:
        raise InputError("the number of samples and the seed are not negative")
    out: list[dict[ParamId, int | float]] = []
    barren, block, reasons = 0, 0, Counter[int]()
    while len(out) < n:
        size = min(_FIRST_BLOCK << min(block, 20), _LARGEST_BLOCK)
        columns = draw(program, np.random.default_rng([seed, block]), size)
        rejected = columns.rejected_by()
        allowed = rejected < 0
        found = np.flatnonzero(allowed)
        if found.size:
            allowed[found[min(n - len(out), found.size) - 1] + 1 :] = False
            out += columns.points(allowed)
            barren = 0
        else:
            barren += size
            reasons.update(rejected.tolist())
            if barren >= _MAX_BARREN:
                raise InputError(f"none of {barren} points drawn is allowed: {_reason(program, reasons.most_common(1)[0][0])}")
        block += 1
    return out


def _reason(program: Program, number: int) -> str:
    if number == len(program.requires):
        return "a value has no definition"
    require = program.requires[number]
    return require.reason or f"`require {require.text}` does not hold"


def draw(program: Program, generator: np.random.Generator, n: int) -> Columns:
    """`n` candidates from the prior, allowed or not; parameters that turn out inactive are drawn too and left out of points."""
    if not program.params:
        return Columns(program, [{}] * n)
    shares = generator.random((len(program.params), n))
    return Columns(program, {param.id: from_units(param.domain, row) for param, row in zip(program.params, shares, strict=True)})


def from_units(domain: ir.Domain, u: NDArray[np.float64]) -> Array:
    """`prior.from_unit` of a whole column (the last bit may differ where logarithms are taken)."""
    kind = np.float64 if isinstance(domain, ir.Real) else np.int64
    known = prior.values(domain)
    log = not isinstance(domain, ir.Choice) and domain.scale == "log"
    if isinstance(domain, ir.Real) and known is None:
        raw = np.exp(_between(math.log(domain.lo), math.log(domain.hi), u)) if log else _between(domain.lo, domain.hi, u)
        return np.clip(raw, domain.lo, domain.hi)
    assert known is not None
    if isinstance(domain, ir.Int) and domain.step is None and domain.hi < _EXACT and -domain.lo < _EXACT:
        if not log:
            count = domain.hi - domain.lo + 1
            return domain.lo + np.minimum((u * count).astype(np.int64), count - 1)
        raw = np.exp(_between(math.log(domain.lo - 0.5), math.log(domain.hi + 0.5), u))
        return np.clip(np.rint(raw), domain.lo, domain.hi).astype(np.int64)
    length = prior.length(known)
    if length > _MAX_TABLE:
        return np.array([prior.from_unit(domain, share) for share in u.tolist()], kind)
    table = np.array(list(known), kind)
    if isinstance(domain, ir.Choice) or not log or (domain.step is not None and domain.step.kind == "mul"):
        return table[np.minimum((u * length).astype(np.int64), length - 1)]
    raw = np.exp(_between(math.log(domain.lo), math.log(domain.hi), u))
    return table[np.searchsorted((table[:-1] + table[1:]) / 2, raw)]


def _between(lo: float, hi: float, u: NDArray[np.float64]) -> NDArray[np.float64]:
    # Not lo + u * (hi - lo): that overflows for a range over all floats.
    return lo * (1.0 - u) + hi * u
