"""A controller of the user's as the scheduler sees it: it answers later, and is rebuilt by calling it again.

Clara's controllers push: call 0 is `initial_recommendation`, call k is `refine_recommendation` about the k-th outcome that they
saw, in journal order; each gives any number of recommendations. All that a call gives is stored as soon as it is known, one by one
in a study with `order = "fixed"`. A recommendation's `seed_key` is its place, (call, position), so that the journal tells what a
call gave. After a restart all calls are made again with the same outcomes: what the journal has of them is not recommended twice,
and what it does not have is new. Replaying the journal alone calls nobody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from automl_run.dsl import evaluate
from automl_run.dsl.ir import Program
from automl_run.engine.controllers.base import Outcome, Recommendation

from . import messages as m
from .locators import Locators
from .provided.defs import NO_SCORE


def score_for_user(program: Program | None, scores: tuple[float, ...] | None) -> float:
    """The first objective so that higher is better, as user code expects it."""
    if not scores:
        return NO_SCORE
    minimized = program is not None and program.study.objectives[0].direction == "minimize"
    return -scores[0] if minimized else scores[0]


class OwnController:
    """Keeps what was recommended and observed; `send` and `answer` are set by the session.

    `trials`: how many it may recommend, None for any number. The baseline and its outcome never come here.
    """

    def __init__(self, path: str, program: Program, locators: Locators) -> None:
        study = program.study
        self.path = path
        self.send: Callable[[m.Call], None] | None = None
        self.answer: Callable[[tuple[Recommendation, ...], bool], None] = lambda _given, _exhausted: None
        self._program = program
        self._locators = locators
        self._trials = None if study.budget.trials is None else max(0, study.budget.trials - study.baseline)
        self._one_by_one = study.order == "fixed"
        self._given: list[Recommendation] = []
        self._by_place: dict[tuple[int, ...], Recommendation] = {}
        self._outcomes: list[Outcome] = []
        self._places: dict[int, tuple[int, int]] = {}
        #: recommendations that the scheduler does not have yet
        self._queue: deque[Recommendation] = deque()
        self._answered = 0
        self._asked: int | None = None

    # -- the scheduler's side ---------------------------------------------------------------------------------------------

    def restore(self, recommendation: Recommendation) -> None:
        self._give(recommendation)

    def observe(self, outcome: Outcome) -> None:
        if outcome.index == 0:
            return
        self._outcomes.append(outcome)
        if self.send is not None:
            self.send(self._call(len(self._outcomes)))

    def ask(self, n: int) -> None:
        """`answer` is called, now or later, with recommendations or with none when it waits for outcomes."""
        self._asked = n
        self._settle()

    @property
    def exhausted(self) -> bool:
        if self._trials is not None and len(self._given) >= self._trials:
            return True
        return not self._queue and not self._thinking and len(self._given) == len(self._outcomes)

    # -- the host's side --------------------------------------------------------------------------------------------------

    def call_all(self) -> None:
        """Every call so far, for a controller that was just made. `send` must be set."""
        self._answered = 0
        self._queue.clear()
        assert self.send is not None
        for number in range(1 + len(self._outcomes)):
            self.send(self._call(number))

    def answered(self, number: int, given: list[dict[str, Any]]) -> None:
        """What a call gave. ValueError, with the name of the user's class, for what cannot be tried."""
        self._answered = number + 1
        method = "initial_recommendation" if number == 0 else "refine_recommendation"
        newest = max((place[0] for place in self._by_place), default=-1)
        for position, values in enumerate(given):
            place = (number, position)
            # What an earlier call gives only now was not tried then: the outcomes since then are not about it.
            if place in self._by_place or number < newest:
                continue
            point = self._point(values, f"{self.path}.{method}: recommendation {position + 1} of {len(given)}")
            self._queue.append(Recommendation(1 + len(self._given) + len(self._queue), point, place))
        self._settle()

    def place(self, index: int) -> tuple[int, int] | None:
        return self._places.get(index)

    @property
    def _thinking(self) -> bool:
        return self._answered < 1 + len(self._outcomes)

    def _settle(self) -> None:
        """Answers when there is something to give, or when nothing can come without another outcome."""
        if self._asked is None or (not self._queue and self._thinking and not self.exhausted):
            return
        self._asked = None
        room = len(self._queue) if self._trials is None else max(0, self._trials - len(self._given))
        if self._one_by_one:
            room = min(room, 1)
        given = [self._queue.popleft() for _ in range(min(room, len(self._queue)))]
        for recommendation in given:
            self._give(recommendation)
        self.answer(tuple(given), self.exhausted)

    def _give(self, recommendation: Recommendation) -> None:
        call, position = recommendation.seed_key
        self._given.append(recommendation)
        self._by_place[call, position] = recommendation
        self._places[recommendation.index] = (call, position)

    def _call(self, number: int) -> m.Call:
        stored: list[dict[str, int | float]] = []
        while (found := self._by_place.get((number, len(stored)))) is not None and found.point is not None:
            stored.append(self._locators.values(found.point))
        if number == 0:
            return m.Call(0, stored=stored)
        outcome = self._outcomes[number - 1]
        return m.Call(number, self._places[outcome.index], score_for_user(self._program, outcome.scores), stored)

    def _point(self, values: Mapping[str, object], what: str) -> dict[str, int | float]:
        try:
            point = dict(self._locators.point(values))
        except (ValueError, evaluate.Undefined) as error:
            raise ValueError(f"{what}: {error}") from None
        return point
