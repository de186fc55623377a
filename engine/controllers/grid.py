"""Grid search: every allowed combination once, in canonical order (the first parameter varies fastest)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from automl_run.dsl.ir import Choice, Param, Point, Program
from automl_run.errors import InputError

from . import domains
from .base import Outcome, Recommendation
from .space import Space, point_key


class Grid:
    """Recommendation k is the k-th allowed combination beside the study's baseline, whatever the outcomes.

    A range without a step is a continuum and needs `points`: that many values, evenly spaced on the range's scale, both ends
    included. `points` leaves choices and stepped ranges alone, and thins a range of integers with more values than that.
    """

    def __init__(self, program: Program, trials: int | None, points: int | None = None) -> None:
        self._points = points
        for param in program.params:
            if domains.values(param.domain) is None and points is None:
                raise InputError(
                    f"controller Grid: `{param.id}` is a range of floats without a step; give it a step, list its values, or "
                    "say `Grid(points = 5)`"
                )
        self._trials = trials
        self._ahead: Point | None = None
        space = Space(program)
        baseline = space.baseline()
        #: run by the scheduler already
        self._skipped = None if baseline is None else point_key(baseline)
        self._rest: Iterator[Point] = space.feasible_points(self._axis)
        self._given = 0
        self._advance()

    def recommend(self, n: int) -> list[Recommendation]:
        out: list[Recommendation] = []
        while len(out) < n and not self.exhausted and self._ahead is not None:
            self._given += 1
            out.append(Recommendation(self._given, self._ahead, (self._given,)))
            self._advance()
        return out

    def observe(self, outcome: Outcome) -> None:
        """Nothing is learnt."""

    def restore(self, recommendation: Recommendation) -> None:
        while self._given < recommendation.index and self._ahead is not None:
            self._given += 1
            self._advance()

    @property
    def exhausted(self) -> bool:
        return self._ahead is None or (self._trials is not None and self._given >= self._trials)

    def _advance(self) -> None:
        self._ahead = next((point for point in self._rest if point_key(point) != self._skipped), None)

    def _axis(self, param: Param) -> Sequence[int | float]:
        known = domains.values(param.domain)
        if self._points is None or isinstance(param.domain, Choice) or param.domain.step is not None:
            assert known is not None
            return known
        if known is not None and domains.length(known) <= self._points:
            return known
        shares = [i / (self._points - 1) for i in range(self._points)] if self._points > 1 else [0.5]
        return sorted({domains.from_unit(param.domain, share) for share in shares})
