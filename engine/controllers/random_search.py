"""Random search (Bergstra and Bengio, JMLR 13, 2012): every parameter is drawn from its prior."""

from __future__ import annotations

from automl_run.dsl.ir import Program

from .base import Outcome, Recommendation
from .space import Space, generator


class RandomSearch:
    """Recommendation k is a function of (study seed, k), so the table sorted by index is the same at any number of workers.

    A finite space may see a point twice: what is measured again is then the noise of training. `trials` None: without end.
    """

    def __init__(self, program: Program, trials: int | None) -> None:
        self._space = Space(program)
        self._seed = program.study.seed
        self._trials = trials
        self._given = 0

    def recommend(self, n: int) -> list[Recommendation]:
        out: list[Recommendation] = []
        while len(out) < n and not self.exhausted:
            index = self._given + 1
            point = self._space.sample(generator(self._seed, "random", index))
            out.append(Recommendation(index, point, (index,)))
            self._given = index
        return out

    def observe(self, outcome: Outcome) -> None:
        """Nothing is learnt."""

    def restore(self, recommendation: Recommendation) -> None:
        self._given = max(self._given, recommendation.index)

    @property
    def exhausted(self) -> bool:
        return self._trials is not None and self._given >= self._trials
