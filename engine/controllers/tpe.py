"""The tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011; Watanabe, arXiv 2304.11127), Optuna's implementation."""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Final

from automl_run.dsl.ir import Point, Program

from .optuna_study import OptunaStudy
from .sampling import SamplingController

_ASKS: Final = 20


class TPE(SamplingController):
    """`startup`: that many scored trials are drawn at random first. Points that others are still running are avoided ("constant
    liar"). A parameter that a point does not have teaches nothing there.
    """

    def __init__(self, program: Program, trials: int | None, startup: int = 10) -> None:
        super().__init__(program, trials, "tpe")
        self._startup = startup
        self._study = OptunaStudy(program)
        self._begin()

    def _proposals(self, index: int, rng: random.Random) -> Generator[Point, None, None]:
        from optuna.samplers import TPESampler

        single = len(self._program.study.objectives) < 2
        conditional = any(param.active is not None for param in self._program.params)
        sampler = TPESampler(
            n_startup_trials=self._startup,
            seed=rng.getrandbits(32),
            multivariate=single,
            group=single and conditional,
            constant_liar=True,
        )
        return self._study.proposals(sampler, _ASKS)

    def _add(self, index: int, point: Point) -> None:
        self._study.add(index, point)

    def _tell(self, index: int, point: Point, scores: tuple[float, ...] | None) -> None:
        self._study.tell(index, scores)

    def _tell_pruned(self, index: int, point: Point, at: int, score: float) -> None:
        self._study.tell_pruned(index, at, score)
