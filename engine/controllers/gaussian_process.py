"""Bayesian optimisation with a Gaussian process (Jones et al., J. Global Optimization 13, 1998; Ament et al., arXiv 2310.20708),
Optuna's implementation. It computes with torch, which is imported once there is something to fit: on the CPU, in one thread.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from itertools import islice
from typing import Final

from automl_run.dsl.ir import Point, Program

from .optuna_study import OptunaStudy
from .sampling import SamplingController, Scored

_ASKS: Final = 3
_MOST: Final = 300


class GP(SamplingController):
    """`startup`: that many scored trials are drawn at random first. One or several objectives.

    Fitting takes the third power of the outcomes in time: of more than `_MOST` it is given the best, and the newest. What runs
    counts with what the model expects of it. A proposal that is not allowed is taken for running, and it is asked again; after
    `_ASKS` of them the nearest allowed point stands in. A parameter that is not in every point is left to TPE: with it in the
    model, in the middle of its range where a point has none, the search kept to the first branch that it had improved.
    """

    def __init__(self, program: Program, trials: int | None, startup: int = 10) -> None:
        super().__init__(program, trials, "gp")
        self._startup = startup
        self._scored: list[Scored] = []
        self._begin()

    def _proposals(self, index: int, rng: random.Random) -> Generator[Point, None, None]:
        if self._starts:
            yield from self._draws(rng)
            return
        from optuna.samplers import GPSampler, TPESampler

        study = OptunaStudy(self._program)
        for each in self._fitted():
            study.add(each.index, each.point)
            study.tell(each.index, each.scores)
        for other, point in self._running.items():
            study.add(other, point)
        seed = rng.getrandbits(32)
        others = TPESampler(seed=seed, n_startup_trials=0, multivariate=False, constant_liar=True)
        sampler = GPSampler(seed=seed, independent_sampler=others, n_startup_trials=0, warn_independent_sampling=False)
        yield from study.proposals(sampler, _ASKS, pending=True)

    @property
    def _starts(self) -> bool:
        return len(self._scored) < self._startup

    def _instead(self, proposed: Point | None, rng: random.Random) -> Point:
        return super()._instead(proposed, rng) if self._starts else self._nearest(proposed, rng)

    def _tell(self, index: int, point: Point, scores: tuple[float, ...] | None) -> None:
        if scores is not None:
            self._scored.append(Scored(index, point, scores))

    def _fitted(self) -> list[Scored]:
        """In the order they ended. Half of many are the best, by each of the objectives as many."""
        scored = self._scored
        if len(scored) <= _MOST:
            return scored
        signs = [1.0 if objective.direction == "minimize" else -1.0 for objective in self._program.study.objectives] or [-1.0]
        kept: set[int] = set()
        for column, sign in enumerate(signs):
            ranked = sorted(range(len(scored)), key=lambda place: sign * scored[place].scores[column])
            kept.update(ranked[: _MOST // (2 * len(signs))])
        newest = (place for place in reversed(range(len(scored))) if place not in kept)
        kept.update(islice(newest, _MOST - len(kept)))
        return [scored[place] for place in sorted(kept)]
