"""Bayesian optimisation with a Gaussian process (Jones et al., J. Global Optimization 13, 1998; Ament et al., arXiv 2310.20708),
Optuna's implementation. It computes with torch, which is imported once there is something to fit: on the CPU, in one thread.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Final

from automl_run.dsl.ir import Param, Point, Program

from . import domains
from .optuna_study import OptunaStudy
from .sampling import SamplingController

_ASKS: Final = 3
_DRAWS: Final = 20


class GP(SamplingController):
    """`startup`: that many scored trials are drawn at random first. One or several objectives.

    What runs counts with what the model expects of it. A proposal that is not allowed is taken for running, and it is asked again;
    after `_ASKS` of them the nearest allowed point stands in. A parameter that a point does not have stands in the middle of its
    range for the model.
    """

    def __init__(self, program: Program, trials: int | None, startup: int = 10) -> None:
        super().__init__(program, trials, "gp")
        self._startup = startup
        self._scored = 0
        self._study = OptunaStudy(program, _middle)
        self._begin()

    def _proposals(self, index: int, rng: random.Random) -> Generator[Point, None, None]:
        if self._scored < self._startup:
            for _ in range(_DRAWS):
                yield self._space.draw(rng)
            return
        from optuna.samplers import GPSampler

        sampler = GPSampler(seed=rng.getrandbits(32), n_startup_trials=0, warn_independent_sampling=False)
        yield from self._study.proposals(sampler, _ASKS, pending=True)

    def _instead(self, proposed: Point | None, rng: random.Random) -> Point:
        return super()._instead(proposed, rng) if self._scored < self._startup else self._nearest(proposed, rng)

    def _add(self, index: int, point: Point) -> None:
        self._study.add(index, point)

    def _tell(self, index: int, point: Point, scores: tuple[float, ...] | None) -> None:
        self._scored += scores is not None
        self._study.tell(index, scores)


def _middle(_index: int, param: Param) -> int | float:
    return domains.from_unit(param.domain, 0.5)
