"""How much of a space is allowed: small finite ones are counted, others are sampled, all candidates at once.

NumPy is imported here, so this is for programs of which a few single points have not shown enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import ir, prior
from ..columns import Columns
from ..evaluate import infeasible_because
from ..sampling import draw

_DRAWS = 100_000
_COUNTED = 1_000_000
#: Numbers in one matrix; with many parameters fewer candidates are drawn.
_CELLS = 20_000_000
#: A sample of so many says that nothing is to be found; fewer only that nothing was.
_TELLING = 5_000


@dataclass(frozen=True, slots=True)
class Acceptance:
    """`exact`: all points were looked at. `worst`: the reason that most were rejected for, `worst_count` of them."""

    allowed: int
    tried: int
    exact: bool
    worst: str
    worst_count: int

    @property
    def share(self) -> float:
        return self.allowed / self.tried

    @property
    def is_telling(self) -> bool:
        return self.exact or self.tried >= _TELLING


def acceptance(program: ir.Program) -> Acceptance:
    """The share of the prior that is allowed."""
    columns, exact = _all(program), True
    if columns is None:
        n = min(_DRAWS, max(_CELLS // (1 + len(program.params) + len(program.requires)), 100))
        columns, exact = draw(program, np.random.default_rng(0), n), False
    rejected = columns.rejected_by()
    allowed = int((rejected < 0).sum())
    counts = np.bincount(rejected[rejected >= 0], minlength=1)
    worst = int(counts.argmax())
    reason = ""
    if allowed < columns.n:
        first = np.zeros(columns.n, np.bool_)
        first[np.argmax(rejected == worst)] = True
        reason = infeasible_because(program, columns.points(first)[0]) or ""
    return Acceptance(allowed, columns.n, exact, reason, int(counts[worst]))


def _all(program: ir.Program) -> Columns | None:
    """Every point of a finite space that is small enough; None for another."""
    known = [prior.values(param.domain) for param in program.params]
    lengths: list[int] = []
    size = 1
    for values in known:
        if values is None:
            return None
        lengths.append(prior.length(values))
        size *= lengths[-1]
        if size > _COUNTED:
            return None
    places = np.unravel_index(np.arange(size), lengths)
    out: dict[ir.ParamId, np.ndarray] = {}
    for param, values, at in zip(program.params, known, places, strict=True):
        kind = np.float64 if isinstance(param.domain, ir.Real) else np.int64
        out[param.id] = np.array(list(values or ()), kind)[at]
    return Columns(program, out)
