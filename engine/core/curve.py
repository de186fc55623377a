"""The course of a job, as far as a pruner wants to know it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

import msgspec

_BLOCK: Final = 256


class Block(msgspec.Struct, frozen=True, gc=False):
    at: tuple[int, ...] = ()
    values: tuple[float, ...] = ()


class Curve(msgspec.Struct, frozen=True):
    """A value of the objective at each of some places (epochs, steps or reports), which rise. Only one that has begun has a `last`.

    A value like all of the state: `grown` gives a new curve and copies one block of the old one, so that a job may report often.
    """

    full: tuple[Block, ...] = ()
    newest: Block = Block()
    least: float = 0.0
    greatest: float = 0.0
    #: the place before the last one, 0 where there is none
    before: int = 0

    def __bool__(self) -> bool:
        return bool(self.newest.at)

    @property
    def last(self) -> tuple[int, float]:
        return self.newest.at[-1], self.newest.values[-1]

    def grown(self, at: int, value: float) -> Curve:
        """With a further point; itself for one that is not beyond all others."""
        if not self:
            return Curve((), Block((at,), (value,)), value, value)
        if at <= self.last[0]:
            return self
        full, newest = self.full, Block((*self.newest.at, at), (*self.newest.values, value))
        if len(self.newest.at) == _BLOCK:
            full, newest = (*full, self.newest), Block((at,), (value,))
        return Curve(full, newest, min(self.least, value), max(self.greatest, value), self.last[0])

    def until(self, at: int) -> float | None:
        """The newest value at or before this place, of a curve that goes so far."""
        if not self or self.newest.at[-1] < at:
            return None
        block = self.newest
        if block.at[0] > at:
            block = next((block for block in reversed(self.full) if block.at[0] <= at), Block())
        return block.values[bisect_right(block.at, at) - 1] if block.at else None

    def since(self, at: int) -> float | None:
        """The first value at or beyond this place."""
        if not self or self.newest.at[-1] < at:
            return None
        block = next((block for block in self.full if block.at[-1] >= at), self.newest) if self.full else self.newest
        return block.values[bisect_left(block.at, at)]
