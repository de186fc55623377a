"""Optuna as a sampler and nothing more: a study in memory, rebuilt from our recommendations and outcomes.

A proposal leaves nothing behind: its trial ends as FAIL, which no sampler reads. What was recommended is added as a trial of its
own, because an asked one remembers joint draws for branches it never took, which no journal could restore.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from automl_run.dsl import evaluate, ir
from automl_run.dsl.ir import Param, Point, Program

from . import domains

if TYPE_CHECKING:
    import optuna


class OptunaStudy:
    """Trials for the points of `program`; its own numbers of trials are nobody's business.

    `absent`: of the recommendation with this index, the value that a parameter has for the sampler where the point has none, so
    that one which wants all parameters in every trial can learn of conditional ones; None: such a trial goes without.
    """

    def __init__(self, program: Program, absent: Callable[[int, Param], int | float] | None = None) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        # `group` of TPE, which conditional spaces need, is called experimental; it has been there since Optuna 2.8.
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._optuna = optuna
        self._program = program
        self._absent = absent
        directions = [objective.direction for objective in program.study.objectives] or ["maximize"]
        self.study = optuna.create_study(directions=directions, sampler=optuna.samplers.RandomSampler(seed=0))
        self._distributions = {param.id: _distribution(param.domain) for param in program.params}
        self._added = 0
        self._numbers: dict[int, int] = {}

    @property
    def trials(self) -> Sequence[optuna.trial.FrozenTrial]:
        """In the order they were added; not to be changed."""
        return list(self.study.get_trials(deepcopy=False))

    def proposals(self, sampler: optuna.samplers.BaseSampler, count: int, *, pending: bool = False) -> Generator[Point, None, None]:
        """`count` points that `sampler` proposes now. `pending`: it takes those before for running when it makes the next."""
        self.study.sampler = sampler
        open: list[int] = []
        try:
            for _ in range(count):
                trial = self.study.ask()
                self._added += 1
                open.append(trial.number)
                point = evaluate.build_point(self._program, partial(self._suggest, trial))
                if not pending:
                    self._reject(open)
                yield point
        finally:
            self._reject(open)

    def _reject(self, numbers: list[int]) -> None:
        while numbers:
            self.study.tell(numbers.pop(), state=self._optuna.trial.TrialState.FAIL)

    def add(self, index: int, point: Point) -> None:
        """`point` runs."""
        values: dict[str, int | float] = {}
        for param in self._program.params:
            value = point.get(param.id)
            if value is None and self._absent is not None:
                value = self._absent(index, param)
            if value is not None:
                known = _ladder(param.domain)
                values[param.id] = value if known is None else domains.nearest(known, value)
        trial = self._optuna.trial.create_trial(
            state=self._optuna.trial.TrialState.RUNNING,
            params=values,
            distributions={name: self._distributions[name] for name in values},
        )
        self.study.add_trial(trial)
        self._numbers[index] = self._added
        self._added += 1

    def tell(self, index: int, scores: tuple[float, ...] | None) -> None:
        """How it ended; None: as a failure."""
        number = self._numbers.pop(index)
        if scores is None:
            self.study.tell(number, state=self._optuna.trial.TrialState.FAIL)
        else:
            self.study.tell(number, list(scores))

    def tell_pruned(self, index: int, at: int, score: float) -> None:
        """What it came to is no score: TPE ranks it below all that ended, and the one that came further above the others."""
        number = self._numbers.pop(index)
        # Only a `Trial` reports, and a sampler is asked when one is made. Another trial in its place would have another number, and
        # so would depend on what was recommended meanwhile.
        self.study.sampler = self._optuna.samplers.RandomSampler(seed=0)
        self._optuna.trial.Trial(self.study, self.trials[number]._trial_id).report(score, at)
        self.study.tell(number, state=self._optuna.trial.TrialState.PRUNED)

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
