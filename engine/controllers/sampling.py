"""What controllers that draw one point after another have in common: the budget, no point twice, none that is not allowed.

A subclass makes proposals and learns from outcomes. So that a restart leaves no trace, what it knows may depend only on what was
recommended and on the order of the outcomes, never on which of the two came first: an outcome may arrive while it is asked.
"""

from __future__ import annotations

import contextlib
import math
import random
from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from automl_run.dsl.ir import Point, Program

from .base import Outcome, Recommendation
from .neighbours import nearest_drawn, nearest_of
from .space import Space, generator, point_key

_DRAWS: Final = 20


@dataclass(frozen=True, slots=True)
class Scored:
    """A recommendation that ended with finite scores, one for each objective."""

    index: int
    point: Point
    scores: tuple[float, ...]


class SamplingController(ABC):
    """Recommendation k depends on the study's seed, k, and what was recommended and observed before it.

    A finite space is left when all its allowed points were recommended. `trials` None: no limit. `name`: what the numbers that it
    draws are derived from, beside the study's seed. A subclass ends its own `__init__` with `_begin()`.
    """

    def __init__(self, program: Program, trials: int | None, name: str) -> None:
        self._program = program
        self._space = Space(program)
        self._trials = trials
        self._name = name
        self._given = 0
        self._running: dict[int, Point] = {}
        #: The points of a small finite space that were not recommended yet.
        listed = self._space.listed()
        self._left = None if listed is None else {point_key(point): point for point in listed}
        self._seen: set[tuple[tuple[str, int | float], ...]] = set()

    # -- what a subclass says ---------------------------------------------------------------------------------------------

    @abstractmethod
    def _proposals(self, index: int, rng: random.Random) -> Generator[Point, None, None]:
        """Points for recommendation `index`, best first, allowed or not; closed when one of them is taken."""

    def _add(self, index: int, point: Point) -> None:  # noqa: B027 - most need not know
        """`point` was recommended, or is the baseline's; its outcome is to come."""

    def _tell(self, index: int, point: Point, scores: tuple[float, ...] | None) -> None:  # noqa: B027
        """How it ended; None: without finite scores."""

    def _tell_pruned(self, index: int, point: Point, at: int, score: float) -> None:
        """What it had come to after `at` epochs or the like: less than its training would have, so a reason to look elsewhere."""
        self._tell(index, point, (score,))

    def _draws(self, rng: random.Random) -> Generator[Point, None, None]:
        """Proposals at random."""
        for _ in range(_DRAWS):
            yield self._space.draw(rng)

    def _instead(self, proposed: Point | None, rng: random.Random) -> Point:
        """An allowed point where none of the proposals was. `proposed`: the first of them."""
        if self._left:
            left = list(self._left.values())
            return left[rng.randrange(len(left))]
        return self._space.sample(rng)

    def _nearest(self, proposed: Point | None, rng: random.Random) -> Point:
        """As `_instead`, close to what was proposed."""
        if proposed is None:
            return SamplingController._instead(self, proposed, rng)
        if self._left:
            return nearest_of(self._program, proposed, self._left.values())
        found = nearest_drawn(self._space, proposed, rng, self._is_new)
        return self._space.sample(rng) if found is None else found

    def _begin(self) -> None:
        baseline = self._space.baseline()
        if baseline is not None:
            self._take(0, baseline)

    # -- the controller ---------------------------------------------------------------------------------------------------

    def recommend(self, n: int) -> list[Recommendation]:
        out: list[Recommendation] = []
        while len(out) < n and not self.exhausted:
            index = self._given + 1
            point = self._find(index)
            self._take(index, point)
            out.append(Recommendation(index, point, (index,)))
        return out

    def observe(self, outcome: Outcome) -> None:
        point = self._running.pop(outcome.index, None)
        if point is None:
            return
        scores = outcome.scores
        objectives = max(1, len(self._program.study.objectives))
        if scores is not None and (len(scores) != objectives or not all(math.isfinite(score) for score in scores)):
            scores = None
        if scores is not None and outcome.pruned_at is not None:
            self._tell_pruned(outcome.index, point, outcome.pruned_at, scores[0])
        else:
            self._tell(outcome.index, point, scores)

    def restore(self, recommendation: Recommendation) -> None:
        if recommendation.point is not None:
            self._take(recommendation.index, recommendation.point)

    @property
    def exhausted(self) -> bool:
        return self._left == {} or (self._trials is not None and self._given >= self._trials)

    def _find(self, index: int) -> Point:
        rng = generator(self._program.study.seed, self._name, index)
        proposed: Point | None = None
        with contextlib.closing(self._proposals(index, rng)) as proposals:
            for point in proposals:
                if self._is_new(point):
                    return point
                proposed = point if proposed is None else proposed
        return self._instead(proposed, rng)

    def _is_new(self, point: Point) -> bool:
        # The noise of training is not worth a second look at the same point.
        return point_key(point) not in self._seen and self._space.feasible(point)

    def _take(self, index: int, point: Point) -> None:
        self._given = max(self._given, index)
        self._running[index] = point
        key = point_key(point)
        self._seen.add(key)
        if self._left is not None:
            self._left.pop(key, None)
        self._add(index, point)
