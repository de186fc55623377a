"""The tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011; Watanabe, arXiv 2304.11127), Optuna's implementation.

Optuna is a sampler here and nothing more: its study lives in memory and is rebuilt from the recommendations and outcomes of ours.
A rejected trial of the ask stays behind as FAIL, which the sampler does not read; the recommendation itself is added as a trial of
its own, because an asked one remembers joint draws for branches it never took, which no journal could restore.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from automl_run.dsl import evaluate, ir
from automl_run.dsl.ir import Param, Point, Program

from . import domains
from .base import Outcome, Recommendation
from .space import Space, generator, point_key

if TYPE_CHECKING:
    import optuna

_ASKS = 20


class TPE:
    """Recommendation k depends on the study's seed, k, and what was recommended and observed before it.

    `startup`: that many scored trials are drawn at random first. Points that others are still running are avoided ("constant
    liar"). A finite space is left when all its allowed points were recommended. `trials` None: no limit.
    """

    def __init__(self, program: Program, trials: int | None, startup: int = 10) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        # `group`, which conditional spaces need, is called experimental; it has been there since Optuna 2.8.
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._optuna = optuna
        self._program = program
        self._space = Space(program)
        self._trials = trials
        self._startup = startup
        self._directions = [objective.direction for objective in program.study.objectives] or ["maximize"]
        self._study = optuna.create_study(directions=self._directions, sampler=self._sampler(0))
        self._distributions = {param.id: _distribution(param.domain) for param in program.params}
        self._added = 0
        self._numbers: dict[int, int] = {}
        self._given = 0
        #: The points of a small finite space that were not recommended yet.
        listed = self._space.listed()
        self._left = None if listed is None else {point_key(point): point for point in listed}
        self._finite = all(domains.values(param.domain) is not None for param in program.params)
        self._seen: set[tuple[tuple[str, int | float], ...]] = set()
        baseline = self._space.baseline()
        if baseline is not None:
            self._add(0, baseline)

    def recommend(self, n: int) -> list[Recommendation]:
        out: list[Recommendation] = []
        while len(out) < n and not self.exhausted:
            index = self._given + 1
            recommendation = Recommendation(index, self._ask(index), (index,))
            self.restore(recommendation)
            out.append(recommendation)
        return out

    def observe(self, outcome: Outcome) -> None:
        number = self._numbers.pop(outcome.index, None)
        if number is None:
            return
        scores = outcome.scores
        if scores is None or len(scores) != len(self._directions) or not all(math.isfinite(score) for score in scores):
            self._study.tell(number, state=self._optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(number, list(scores))

    def restore(self, recommendation: Recommendation) -> None:
        if recommendation.point is None:
            return
        self._given = max(self._given, recommendation.index)
        self._add(recommendation.index, recommendation.point)

    @property
    def exhausted(self) -> bool:
        return self._left == {} or (self._trials is not None and self._given >= self._trials)

    # -- Optuna's side ----------------------------------------------------------------------------------------------------

    def _ask(self, index: int) -> Point:
        rng = generator(self._program.study.seed, "tpe", index)
        self._study.sampler = self._sampler(rng.getrandbits(32))
        for _ in range(_ASKS):
            trial = self._study.ask()
            self._added += 1
            point = evaluate.build_point(self._program, partial(self._suggest, trial))
            self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
            # The noise of training is not worth a second look at the same point; a continuum has no second look.
            if self._space.feasible(point) and not (self._finite and point_key(point) in self._seen):
                return point
        if self._left:
            left = list(self._left.values())
            return left[rng.randrange(len(left))]
        return self._space.sample(rng)

    def _suggest(self, trial: optuna.Trial, param: Param) -> int | float:
        distribution = self._distributions[param.id]
        match distribution:
            case self._optuna.distributions.FloatDistribution():
                raw: int | float = float(trial.suggest_float(param.id, distribution.low, distribution.high, log=distribution.log))
            case self._optuna.distributions.IntDistribution():
                raw = int(trial.suggest_int(param.id, distribution.low, distribution.high, log=distribution.log))
            case _:
                raw = int(trial.suggest_categorical(param.id, distribution.choices))
        known = _ladder(param.domain)
        return raw if known is None else known[int(raw)]

    def _add(self, index: int, point: Point) -> None:
        params: dict[str, int | float] = {}
        for param in self._program.params:
            if param.id in point:
                known = _ladder(param.domain)
                value = point[param.id]
                params[param.id] = value if known is None else domains.nearest(known, value)
        trial = self._optuna.trial.create_trial(
            state=self._optuna.trial.TrialState.RUNNING,
            params=params,
            distributions={name: self._distributions[name] for name in params},
        )
        self._study.add_trial(trial)
        self._numbers[index] = self._added
        self._added += 1
        key = point_key(point)
        self._seen.add(key)
        if self._left is not None:
            self._left.pop(key, None)

    def _sampler(self, seed: int) -> optuna.samplers.TPESampler:
        single = len(self._directions) == 1
        conditional = any(param.active is not None for param in self._program.params)
        return self._optuna.samplers.TPESampler(
            n_startup_trials=self._startup, seed=seed, multivariate=single, group=single and conditional, constant_liar=True
        )


def _ladder(domain: ir.Domain) -> Sequence[int | float] | None:
    """The values of a stepped range or an ordered choice, which Optuna knows by their indices; None: it knows the values."""
    if isinstance(domain, ir.Choice):
        return domains.values(domain) if domain.ordered else None
    return None if domain.step is None else domains.values(domain)


def _distribution(domain: ir.Domain) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    ladder = _ladder(domain)
    if ladder is not None:
        return IntDistribution(0, domains.length(ladder) - 1)
    match domain:
        case ir.Choice(alts):
            return CategoricalDistribution(range(len(alts)))
        case ir.Real(lo, hi, scale):
            return FloatDistribution(lo, hi, log=scale == "log")
        case ir.Int(lo, hi, scale):
            return IntDistribution(lo, hi, log=scale == "log")
