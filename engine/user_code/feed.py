"""From stored facts to what handlers are told. The baseline is none of their business."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from automl_run.dsl.evaluate import Undefined
from automl_run.dsl.ir import Program
from automl_run.engine.core import facts
from automl_run.engine.core.facts import AnyFact
from automl_run.engine.core.state import Job, Recommended, State

from . import messages as m
from .locators import Locators
from .own_controller import OwnController, score_for_user
from .provided.defs import NO_SCORE, Status

_STATUS = {"done": Status.OK, "failed": Status.FAILED, "infeasible": Status.FAILED, "stopped": Status.ABORTED}


class Feed:
    """Invariant: every job of which handlers heard `JobStarted` is in `_open` until they hear `JobEnded`."""

    def __init__(self, program: Program, locators: Locators, controller: OwnController | None) -> None:
        self._program = program
        self._locators = locators
        self._controller = controller
        self._root = ""
        self._open: dict[str, m.JobStarted] = {}
        #: recommendations that have not ended
        self._known: dict[int, m.Known] = {}
        #: jobs whose end handlers may not have heard yet
        self._unheard: dict[str, tuple[m.JobStarted, m.Known]] = {}

    def restore(self, state: State, root: str) -> None:
        """What an earlier scheduler left: recommendations that wait or run."""
        self._root = root
        for index in state.recommended:
            found = state.recommended[index]
            if index and found.verdict is None:
                self._know(found)

    def adopt(self, state: State) -> Iterator[m.ToHost]:
        """Jobs that went on without a scheduler."""
        for name in state.running:
            yield from self._start(state.jobs[name], state)

    def open(self) -> Iterator[m.ToHost]:
        """For handlers that were just made: what they could not hear of. Ends that were not heard are still to be told."""
        unheard = list(self._unheard.values())
        known = [*self._known.values(), *(known for _, known in unheard)]
        if known:
            yield m.Recommended(known, announce=False)
        yield from self._open.values()
        yield from (started for started, _ in unheard)

    def heard(self, ended: m.JobEnded) -> None:
        self._unheard.pop(ended.job, None)

    def facts(self, told: Iterable[tuple[State, AnyFact]]) -> Iterator[m.ToHost]:
        new: list[m.Known] = []
        for state, fact in told:
            match fact:
                case facts.Recommended(index, point) if point is not None:
                    new.append(self._know(state.recommended[index]))
                    continue
                case facts.Assigned(name) | facts.Ended(name):
                    if new:
                        yield m.Recommended(new, announce=True)
                        new = []
                    job = state.jobs[name]
                    yield from self._end(job, state) if isinstance(fact, facts.Ended) else self._start(job, state)
                case facts.Concluded(index):
                    self._known.pop(index, None)
                case _:
                    pass
        if new:
            yield m.Recommended(new, announce=True)

    def abandoned(self) -> Iterator[m.ToHost]:
        """The end of this scheduler for jobs that did not end: they may run again after a resume."""
        for job in list(self._open):
            yield self._close(job, NO_SCORE, Status.ABORTED, None)

    def _know(self, found: Recommended) -> m.Known:
        place = self._controller.place(found.index) if self._controller is not None else None
        self._known[found.index] = known = m.Known(found.index, self._locators.values(found.point or {}), place)
        return known

    def _start(self, job: Job, state: State) -> Iterator[m.ToHost]:
        point = state.recommended[job.index].point
        if point is None or job.name in self._open:
            return
        try:
            concrete = self._locators.concrete(point)
        except Undefined:
            concrete = {}
        self._open[job.name] = started = m.JobStarted(job.name, job.index, job.gpus, f"{self._root}/{job.name}", concrete)
        yield started

    def _end(self, job: Job, state: State) -> Iterator[m.ToHost]:
        if job.name in self._open:
            code = 0 if job.state == "done" else job.code
            yield self._close(job.name, score_for_user(state.program, job.scores), _STATUS[job.state], code)
        if state.recommended[job.index].verdict is not None:
            self._known.pop(job.index, None)

    def _close(self, job: str, score: float, status: str, code: int | None) -> m.JobEnded:
        started = self._open.pop(job)
        self._unheard[job] = started, self._known[started.index]
        return m.JobEnded(job, score, status, code)
