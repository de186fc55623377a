"""Reinforcement search: one independent chain per combination of alternatives, its ranges tuned by a policy gradient.

After D. Yang, H. Roth, Z. Xu, F. Milletari, L. Zhang, D. Xu, "Searching Learning Strategy with Reinforcement Learning for 3D
Medical Image Segmentation", MICCAI 2019, arXiv 2006.05847, and the ReinforcementController of Clara Train AutoML. What differs:
- Their policy is a recurrent network that maps the last strategy to the next. With a handful of rounds per chain it has nothing to
  train on; ours is a Gaussian over the unit cube whose mean and spread follow REINFORCE (Williams, Machine Learning 8, 1992) with
  the natural gradient, the chain's mean reward as baseline, and advantages scaled to the chain, so that no score needs a unit.
- Their search is one sequence, each job waiting for the one before. Here each combination is a sequence of its own, seeded by
  (study seed, combination), that waits for nobody else; what it tries is the same at any number of workers.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from automl_run.dsl import evaluate
from automl_run.dsl.ir import Choice, Param, ParamId, Point, Program
from automl_run.errors import RunError

from . import domains
from .base import Outcome, Recommendation
from .space import Axis, Space, generator, point_key

_SPREAD = 0.2
_SPREAD_LIMITS = (0.04, 0.4)
_MEAN_RATE = 0.8
_SPREAD_RATE = 0.3
_TRIES = 200
_SCANNED = 10_000
_MAX_BARREN = 100_000


@dataclass(slots=True)
class _Chain:
    """`rounds`: how many it may have at most, fewer than the limit when its ranges hold fewer points. Lists are by round."""

    combination: int
    choices: dict[ParamId, int | float]
    start: Point
    rounds: int
    points: list[Point] = field(default_factory=list)
    rewards: list[float | None] = field(default_factory=list)
    waiting: bool = False


@dataclass(slots=True)
class _Policy:
    """Where in the unit cube the next point is drawn. A parameter that was never active stands at the mean of its range."""

    mean: dict[ParamId, float] = field(default_factory=dict)
    spread: dict[ParamId, float] = field(default_factory=dict)


class Reinforcement:
    """All combinations of alternatives, each for at most `max_rounds` rounds; one round where nothing but alternatives is searched.

    Round 0 is the mean of every range. A recommendation's index is 1 + combination * max_rounds + round. A budget of `trials` is
    dealt out round by round over the combinations, so that what will be tried does not depend on who finishes first. A failed
    round gives no reward: its chain draws again around its best point. The reward is the first objective.
    """

    def __init__(self, program: Program, trials: int | None, max_rounds: int = 8) -> None:
        self._program = program
        self._space = Space(program)
        self._max_rounds = max_rounds if self._space.numeric else 1
        self._trials = trials
        objectives = program.study.objectives
        self._sign = -1.0 if objectives and objectives[0].direction == "minimize" else 1.0
        self._chains: list[_Chain] = []
        self._rest = self._combinations()
        self._ahead: _Chain | None = next(self._rest, None)
        self._planned: list[int] | None = None

    # -- the controller ---------------------------------------------------------------------------------------------------

    def recommend(self, n: int) -> list[Recommendation]:
        out: list[Recommendation] = []
        while len(out) < n:
            chain = self._next_chain()
            if chain is None:
                break
            number = len(chain.points)
            out.append(self._recommendation(chain, number, self._propose(chain, number)))
            self.restore(out[-1])
        return out

    def observe(self, outcome: Outcome) -> None:
        if outcome.index < 1:
            return
        combination, number = divmod(outcome.index - 1, self._max_rounds)
        chain = self._chains[combination]
        score = outcome.scores[0] if outcome.scores else None
        chain.rewards[number] = self._sign * score if score is not None and math.isfinite(score) else None
        chain.waiting = False

    def restore(self, recommendation: Recommendation) -> None:
        if recommendation.point is None:
            return
        combination, _ = divmod(recommendation.index - 1, self._max_rounds)
        # Beyond the budget too: it may have been lowered since.
        while combination >= len(self._chains) and self._ahead is not None:
            self._open()
        chain = self._chains[combination]
        chain.points.append(recommendation.point)
        chain.rewards.append(None)
        chain.waiting = True

    @property
    def exhausted(self) -> bool:
        if self._may_open():
            return False
        return all(len(chain.points) >= rounds for chain, rounds in zip(self._chains, self._plan(), strict=True))

    # -- who is next ------------------------------------------------------------------------------------------------------

    def _recommendation(self, chain: _Chain, number: int, point: Point) -> Recommendation:
        return Recommendation(1 + chain.combination * self._max_rounds + number, point, (1, chain.combination, number))

    def _next_chain(self) -> _Chain | None:
        """The one with the fewest rounds among those that wait for nothing; ties go to the first combination."""
        unstarted = next((chain for chain in self._chains if not chain.points), None)
        if unstarted is not None:
            return unstarted
        if self._may_open():
            return self._open()
        ready = [
            chain
            for chain, rounds in zip(self._chains, self._plan(), strict=True)
            if not chain.waiting and len(chain.points) < rounds
        ]
        return min(ready, key=lambda chain: len(chain.points), default=None)

    def _may_open(self) -> bool:
        return self._ahead is not None and (self._trials is None or len(self._chains) < self._trials)

    def _open(self) -> _Chain:
        """Take the next combination in."""
        assert self._ahead is not None
        self._chains.append(self._ahead)
        self._ahead = next(self._rest, None)
        return self._chains[-1]

    def _plan(self) -> list[int]:
        """Rounds per chain under the budget. Asked for only when every chain is known."""
        if self._planned is None:
            left = sum(chain.rounds for chain in self._chains) if self._trials is None else self._trials
            planned = [0] * len(self._chains)
            for number in range(self._max_rounds):
                for chain in self._chains:
                    if chain.rounds > number and left > 0:
                        planned[chain.combination] += 1
                        left -= 1
            self._planned = planned
        return self._planned

    # -- combinations -----------------------------------------------------------------------------------------------------

    def _combinations(self) -> Iterator[_Chain]:
        """The allowed combinations, lazily, the first parameter varying fastest, numbered without gaps."""
        number, barren = 0, 0
        for middle in self._space.points(self._middle):
            choices = {
                param.id: middle[param.id] for param in self._program.params if self._is_choice(param) and param.id in middle
            }
            start = self._start(choices, middle)
            if start is None:
                barren += _TRIES if self._space.numeric else 1
                if barren >= _MAX_BARREN:
                    raise RunError("no allowed combination of alternatives was found; do the `require`s exclude each other?")
                continue
            barren = 0
            yield _Chain(number, choices, start, self._rounds(choices, start))
            number += 1

    @staticmethod
    def _is_choice(param: Param) -> bool:
        return isinstance(param.domain, Choice)

    @staticmethod
    def _middle(param: Param) -> Sequence[int | float]:
        if isinstance(param.domain, Choice):
            return range(len(param.domain.alts))
        return (domains.from_unit(param.domain, 0.5),)

    def _start(self, choices: Point, middle: Point) -> Point | None:
        """The mean of every range or, where that is not allowed, a draw around it."""
        if self._space.feasible(middle):
            return middle
        if not self._space.numeric:
            return None
        rng = generator(self._program.study.seed, "reinforcement", "start", *(f"{key}={value}" for key, value in choices.items()))
        for attempt in range(_TRIES):
            point = self._draw(choices, _Policy(), rng, 1.0 + attempt / 50)
            if self._space.feasible(point):
                return point
        return None

    def _rounds(self, choices: Point, start: Point) -> int:
        """`max_rounds`, or the number of allowed points where the ranges of this combination hold fewer."""
        if all(name in choices for name in start):
            return 1
        if any(name not in choices and domains.values(self._program.param(name).domain) is None for name in start):
            return self._max_rounds
        allowed = 0
        for scanned, point in enumerate(self._space.points(self._fixed(choices))):
            allowed += self._space.feasible(point)
            if allowed == self._max_rounds or scanned == _SCANNED:
                return self._max_rounds
        return allowed

    @staticmethod
    def _fixed(choices: Point) -> Axis:
        def axis(param: Param) -> Sequence[int | float]:
            if param.id in choices:
                return (choices[param.id],)
            known = domains.values(param.domain)
            return (domains.from_unit(param.domain, 0.5),) if known is None else known

        return axis

    # -- the policy -------------------------------------------------------------------------------------------------------

    def _propose(self, chain: _Chain, number: int) -> Point:
        if number == 0:
            return chain.start
        rng = generator(self._program.study.seed, "reinforcement", chain.combination, number)
        policy = self._policy(chain)
        tried = {point_key(point) for point in chain.points}
        for attempt in range(_TRIES):
            # Wider with every rejection, until the whole cube is in reach.
            point = self._draw(chain.choices, policy, rng, 1.0 + attempt / 20)
            if point_key(point) not in tried and self._space.feasible(point):
                return point
        axis = self._fixed(chain.choices)
        if not any(domains.values(param.domain) is None for param in self._program.params if param.id in chain.start):
            for point in islice(self._space.points(axis), _SCANNED):
                if point_key(point) not in tried and self._space.feasible(point):
                    return point
        return chain.start

    def _draw(self, choices: Point, policy: _Policy, rng: random.Random, widening: float) -> Point:
        def choose(param: Param) -> int | float:
            if isinstance(param.domain, Choice):
                # One that is not of the combination exists only for some values of the ranges.
                return choices[param.id] if param.id in choices else rng.randrange(len(param.domain.alts))
            known = domains.values(param.domain)
            least = 0.5 / domains.length(known) if known is not None else 0.0
            spread = max(policy.spread.get(param.id, _SPREAD), least) * widening
            return domains.from_unit(param.domain, _reflected(rng.gauss(policy.mean.get(param.id, 0.5), spread)))

        return evaluate.build_point(self._program, choose)

    def _policy(self, chain: _Chain) -> _Policy:
        """The policy after the rounds so far, computed anew from them: a chain has no other state."""
        policy = _Policy()
        rewards: list[float] = []
        best: tuple[float, Point] | None = None
        scale = 0.0
        for point, reward in zip(chain.points, chain.rewards, strict=True):
            if reward is None:
                continue
            average = sum(rewards) / len(rewards) if rewards else reward
            scale = max(scale, abs(reward - average))
            self._learn(policy, point, (reward - average) / scale if scale > 0.0 else 0.0, first=not rewards)
            rewards.append(reward)
            if best is None or reward > best[0]:
                best = (reward, point)
        if best is not None and chain.rewards[-1] is None:
            policy.mean.update(self._units(best[1]))
        return policy

    def _learn(self, policy: _Policy, point: Point, advantage: float, *, first: bool) -> None:
        """One step of REINFORCE. The natural gradient of log N(u; m, s) by (m, log s) is (u - m, ((u - m)^2 / s^2 - 1) / 2)."""
        for name, u in self._units(point).items():
            if first:
                policy.mean[name] = u
                continue
            mean, spread = policy.mean.get(name, 0.5), policy.spread.get(name, _SPREAD)
            surprise = min((u - mean) ** 2 / spread**2, 4.0) - 1.0
            policy.mean[name] = min(max(mean + _MEAN_RATE * advantage * (u - mean), 0.0), 1.0)
            spread *= math.exp(_SPREAD_RATE * advantage * surprise / 2.0)
            policy.spread[name] = min(max(spread, _SPREAD_LIMITS[0]), _SPREAD_LIMITS[1])

    def _units(self, point: Point) -> dict[ParamId, float]:
        return {
            param.id: domains.to_unit(param.domain, point[param.id])
            for param in self._program.params
            if param.id in point and not isinstance(param.domain, Choice)
        }


def _reflected(u: float) -> float:
    """`u` folded back into 0..1 at both ends, so that the ends are not drawn more often than their neighbours."""
    u = math.fabs(u) % 2.0
    return 2.0 - u if u > 1.0 else u
