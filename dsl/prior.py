"""One domain at a time: its values in order, and the map between the unit interval and the domain.

`from_unit` turns a uniform number into a draw from the domain's prior: uniform, or log-uniform where the scale is "log"; every
step and every alternative is equally likely, except that a log scale with additive steps stays log-uniform.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import overload

from .ir import Choice, Domain, Int, Real, Step

#: A step that misses `hi` by less than this share of itself still reaches it: 0.1 .. 0.5 by 0.1 has five values.
_SLACK = 1e-9


class Ladder(Sequence[float]):
    """The rungs of a stepped range, computed when asked for: a range may have billions of them."""

    def __init__(self, lo: float, hi: float, step: Step) -> None:
        self._lo, self._hi, self._step = lo, hi, step
        reach = (hi - lo) / step.size if step.kind == "add" else math.log(hi / lo) / math.log(step.size)
        self.length = math.floor(reach + _SLACK) + 1

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[float]: ...
    def __getitem__(self, index: int | slice) -> float | Sequence[float]:
        if isinstance(index, slice):
            return [self[i] for i in range(self.length)[index]]
        if not 0 <= index < self.length:
            raise IndexError(index)
        raw = self._lo + index * self._step.size if self._step.kind == "add" else self._lo * self._step.size**index
        # 12 digits: 0.1 + 2 * 0.1 is to be printed, and found again, as 0.3.
        return min(max(float(f"{raw:.12g}"), self._lo), self._hi)


def values(domain: Domain) -> Sequence[int | float] | None:
    """All values in order (the alternatives' indices for a choice), or None for a continuum."""
    match domain:
        case Choice(alts):
            return range(len(alts))
        case Int(lo, hi, _, None):
            return range(lo, hi + 1)
        case Int(lo, hi, _, Step("add", size)) if float(size).is_integer():
            return range(lo, hi + 1, max(1, int(size)))
        case Int():
            return _integers(domain)
        case Real(_, _, _, None):
            return None
        case Real(lo, hi, _, Step() as step):
            return Ladder(lo, hi, step)
        case _:  # pragma: no cover - msgspec structs are not seen as exhaustive
            raise TypeError(f"not a domain: {domain!r}")


def length(known: Sequence[int | float]) -> int:
    """`len(known)`, which Python refuses for a range of more than 2^63 values."""
    match known:
        case range():
            return max(0, -((known.start - known.stop) // known.step))
        case Ladder():
            return known.length
        case _:
            return len(known)


@lru_cache(maxsize=256)
def _integers(domain: Int) -> tuple[int, ...]:
    """The distinct integers of a range with a multiplicative or fractional step."""
    assert domain.step is not None
    ladder = Ladder(domain.lo, domain.hi, domain.step)
    return tuple(sorted({min(max(round(value), domain.lo), domain.hi) for value in ladder}))


def from_unit(domain: Domain, u: float) -> int | float:
    """The value at the share `u` (0..1) of the domain's prior; 0.5 is the mean of a range, the geometric mean on a log scale."""
    u = min(max(u, 0.0), 1.0)
    known = values(domain)
    log = not isinstance(domain, Choice) and domain.scale == "log"
    if isinstance(domain, Real) and known is None:
        raw = math.exp(_between(math.log(domain.lo), math.log(domain.hi), u)) if log else _between(domain.lo, domain.hi, u)
        return min(max(raw, domain.lo), domain.hi)
    assert known is not None
    if isinstance(domain, Choice) or not log or (domain.step is not None and domain.step.kind == "mul"):
        return known[min(int(u * length(known)), length(known) - 1)]
    if isinstance(domain, Int) and domain.step is None:
        raw = math.exp(_between(math.log(domain.lo - 0.5), math.log(domain.hi + 0.5), u))
        return min(max(round(raw), domain.lo), domain.hi)
    return known[nearest(known, math.exp(_between(math.log(domain.lo), math.log(domain.hi), u)))]


def to_unit(domain: Domain, value: int | float) -> float:
    """Where `value` lies in the prior: the inverse of `from_unit`, in the middle of the value's share where there is one."""
    known = values(domain)
    log = not isinstance(domain, Choice) and domain.scale == "log"
    if isinstance(domain, Real) and known is None:
        lo, hi, at = (math.log(x) for x in (domain.lo, domain.hi, value)) if log else (domain.lo, domain.hi, value)
        return min(max((at - lo) / (hi - lo), 0.0), 1.0)
    assert known is not None
    if isinstance(domain, Choice) or not log or (domain.step is not None and domain.step.kind == "mul"):
        return (nearest(known, value) + 0.5) / length(known)
    half = 0.5 if isinstance(domain, Int) and domain.step is None else 0.0
    lo, hi = math.log(domain.lo - half), math.log(domain.hi + half)
    return min(max((math.log(max(value, domain.lo)) - lo) / (hi - lo), 0.0), 1.0)


def nearest(known: Sequence[int | float], value: int | float) -> int:
    """The index of the value nearest to `value`, in an increasing sequence."""
    low, high = 0, length(known) - 1
    while low < high:
        middle = (low + high) // 2
        if known[middle] < value:
            low = middle + 1
        else:
            high = middle
    if low > 0 and abs(known[low - 1] - value) <= abs(known[low] - value):
        return low - 1
    return low


def _between(lo: float, hi: float, u: float) -> float:
    # Not lo + u * (hi - lo): that overflows for a range over all floats.
    return lo * (1.0 - u) + hi * u
