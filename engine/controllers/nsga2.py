"""NSGA-II (Deb et al., IEEE Transactions on Evolutionary Computation 6, 2002), Optuna's implementation: a genetic algorithm for
several objectives.

Generations are made of outcomes, not of recommendations: one ends when `population` more were scored, whichever generation they
were drawn from. So no worker waits for the last of a generation, no score is lost, and generations follow from the outcomes alone.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from automl_run.dsl.ir import Param, Point, Program

from . import domains
from .optuna_study import OptunaStudy
from .sampling import SamplingController, Scored
from .space import generator

if TYPE_CHECKING:
    from optuna.samplers import NSGAIISampler

_ASKS: Final = 20


class NSGA2(SamplingController):
    """Children of the `population` best so far, by dominance and then by distance to each other; the first are drawn at random.

    Parents are crossed parameter by parameter, and each is drawn anew with the chance of one in all of them. For a parameter that
    a point does not have, it carries one drawn at random.
    """

    def __init__(self, program: Program, trials: int | None, population: int = 16) -> None:
        super().__init__(program, trials, "nsga2")
        self._population = population
        self._parents: list[Scored] = []
        self._newest: list[Scored] = []
        #: holds those that the parents were selected from
        self._study: OptunaStudy | None = None
        self._begin()

    def _proposals(self, index: int, rng: random.Random) -> Generator[Point, None, None]:
        if self._study is None:
            return self._draws(rng)
        return self._study.proposals(self._sampler(rng.getrandbits(32)), _ASKS)

    def _tell(self, index: int, point: Point, scores: tuple[float, ...] | None) -> None:
        if scores is None:
            return
        self._newest.append(Scored(index, point, scores))
        if len(self._newest) == self._population:
            self._select()

    def _select(self) -> None:
        """The next generation. All that it is selected from is generation 0 to Optuna, what is asked from now on is 1."""
        pool = [*self._parents, *self._newest]
        study, sampler = OptunaStudy(self._program, self._drawn), self._sampler(0)
        for each in pool:
            study.add(each.index, each.point)
        for trial in study.trials:
            sampler.get_trial_generation(study.study, trial)
        for each in pool:
            study.tell(each.index, each.scores)
        self._parents = [pool[trial.number] for trial in sampler.get_parent_population(study.study, 1)]
        self._newest = []
        self._study = study

    def _sampler(self, seed: int) -> NSGAIISampler:
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(population_size=self._population, seed=seed)

    def _drawn(self, index: int, param: Param) -> int | float:
        return domains.from_unit(param.domain, generator(self._program.study.seed, "nsga2", index, param.id).random())
