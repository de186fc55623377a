"""The covariance matrix adaptation evolution strategy (Hansen, arXiv 1604.00772), the implementation of the package `cmaes`.

Generations are made of outcomes, not of recommendations, as those of `nsga2.py` are: what was drawn from the distribution before
counts too (Hansen, "Injecting external solutions into CMA-ES", arXiv 1110.4181). Optuna's own sampler around the same package
leaves such outcomes out, which with as many workers as points in a generation is every other one.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from automl_run.dsl import evaluate
from automl_run.dsl.ir import Param, ParamId, Point, Program
from automl_run.errors import InputError

from . import domains
from .sampling import SamplingController
from .space import generator

if TYPE_CHECKING:
    import cmaes

_ASKS: Final = 20


class CmaEs(SamplingController):
    """A normal distribution over all ranges at once, which moves to where the scores are good; it starts at the baseline.

    `sigma`: its spread at the start, as a share of each range's prior; `population`: scored outcomes that move it once, None for
    4 + 3 ln(ranges). Alternatives without an order are drawn at random, and so is everything where nothing has an order. One that
    has converged begins anew somewhere else. In place of a point that is not allowed comes another draw, then the nearest one.
    InputError for several objectives.
    """

    def __init__(self, program: Program, trials: int | None, sigma: float = 0.3, population: int | None = None) -> None:
        objectives = program.study.objectives
        if len(objectives) > 1:
            raise InputError(f"controller CmaEs has one objective, the study {len(objectives)}: use NSGA2, TPE or GP")
        super().__init__(program, trials, "cmaes")
        self._sign = 1.0 if objectives and objectives[0].direction == "minimize" else -1.0
        self._sigma, self._population = sigma, population
        self._axes = [param for param in program.params if param.has_order]
        self._newest: list[tuple[int, Point, float]] = []
        self._moves = 0
        self._cma = self._distribution(_baseline(program)) if self._axes else None
        self._begin()

    def _proposals(self, index: int, rng: random.Random) -> Generator[Point, None, None]:
        if self._cma is not None:
            self._cma.reseed_rng(rng.getrandbits(32))
        for _ in range(_ASKS):
            at = {} if self._cma is None else dict(zip((axis.id for axis in self._axes), self._cma.ask().tolist(), strict=True))
            yield evaluate.build_point(self._program, partial(_value, at, rng))

    def _instead(self, proposed: Point | None, rng: random.Random) -> Point:
        return self._nearest(proposed, rng)

    def _tell(self, index: int, point: Point, scores: tuple[float, ...] | None) -> None:
        if scores is None or self._cma is None:
            return
        self._newest.append((index, point, self._sign * scores[0]))
        if len(self._newest) == self._cma.population_size:
            self._move(self._cma)

    def _move(self, cma: cmaes.CMA) -> None:
        """One generation."""
        import numpy as np

        solutions = []
        for index, point, loss in self._newest:
            # What a point does not have says nothing: it is drawn, so that the distribution there neither moves nor narrows.
            cma.reseed_rng(generator(self._program.study.seed, "cmaes absent", index).getrandbits(32))
            at = cma.ask()
            for number, axis in enumerate(self._axes):
                if axis.id in point:
                    at[number] = domains.to_unit(axis.domain, point[axis.id])
            solutions.append((at, loss))
        self._newest = []
        self._moves += 1
        with np.errstate(all="ignore"):
            cma.tell(solutions)
            if _is_spent(cma):
                self._cma = self._distribution(self._space.draw(generator(self._program.study.seed, "cmaes again", self._moves)))

    def _distribution(self, start: Point) -> cmaes.CMA:
        import numpy as np
        from cmaes import CMA

        mean = [domains.to_unit(axis.domain, start[axis.id]) if axis.id in start else 0.5 for axis in self._axes]
        bounds = np.array([[0.0, 1.0]] * len(mean))
        return CMA(
            mean=np.array(mean),
            sigma=self._sigma,
            bounds=bounds,
            n_max_resampling=10 * len(mean),
            population_size=self._population,
        )


def _value(at: Mapping[ParamId, float], rng: random.Random, param: Param) -> int | float:
    return domains.from_unit(param.domain, at[param.id] if param.id in at else rng.random())


def _baseline(program: Program) -> Point:
    try:
        return evaluate.baseline_point(program) or {}
    except evaluate.Undefined:
        return {}


def _is_spent(cma: cmaes.CMA) -> bool:
    """It has converged, or its numbers have left the range of floats."""
    import numpy as np

    try:
        return bool(cma.should_stop() or not np.all(np.isfinite(cma.ask())))
    except np.linalg.LinAlgError:
        return True
