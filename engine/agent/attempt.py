"""The agent's view of one attempt: its processes, and what the scheduler has not acknowledged yet."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TypeVar

from automl_run.engine.core.causes import Cause
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.messages import Accept, Ack, Assign, Done, Failed, FromAgent, Metric, Stop

from .folders import JobSpec
from .keeper import Kept, Order
from .outcome import Outcome

M = TypeVar("M", Metric, Done, Failed)


class Attempt:
    """waiting (not started: `kept` None, `ended` False) -> running -> ended, and forgotten once everything is acknowledged."""

    def __init__(self, assign: Assign, spec: JobSpec, folder: Path) -> None:
        self.assign = assign
        self.spec = spec
        self.folder = folder
        self.kept: Kept | None = None
        self.channel: Connection[FromAgent] | None = None
        #: on the monotonic clock; of use once it runs
        self.began = 0.0
        self.ended = False
        #: Another attempt counts: nothing more is said about this one.
        self.superseded = False
        #: Set when the agent itself had to end the attempt: that is its cause, whatever its keeper says.
        self.broken: str | None = None
        self.accept: Accept | None = None
        self.unacknowledged: deque[Metric | Done | Failed] = deque()
        self._seq = 0

    @property
    def key(self) -> tuple[str, int]:
        return self.spec.job, self.spec.fence

    def stop(self, why: str) -> None:
        """Asks the job to stop; its keeper sees to it that it does."""
        if self.kept is not None and self.channel is not None:
            self.channel.send(Stop(*self.key, why))
            self.kept.order(Order.STOP)

    def pass_on(self, ack: Ack) -> None:
        """To a job that waits for it."""
        if self.kept is not None and self.channel is not None and self.spec.judged:
            self.channel.send(ack)

    def kill(self) -> None:
        if self.kept is not None:
            self.kept.order(Order.KILL)

    def metric(self, step: int, values: dict[str, float]) -> Metric:
        """The next message of this attempt."""
        return self._say(Metric(*self.key, self._next(), step, values))

    def end(self, outcome: Outcome) -> Done | Failed:
        """The last message of this attempt."""
        self.ended = True
        cause, message = outcome.cause, outcome.message
        if self.broken is not None:
            cause, message = "internal", self.broken
        if cause is None:
            return self._say(Done(*self.key, self._next(), outcome.values, outcome.seconds, outcome.stopped))
        return self._say(Failed(*self.key, self._next(), cause, message, outcome.code, outcome.tail, outcome.seconds))

    def fail(self, cause: Cause, message: str) -> Done | Failed:
        """The last message of an attempt that never ran."""
        return self.end(Outcome(*self.key, values={}, seconds=0.0, cause=cause, message=message))

    def acknowledge(self, seq: int) -> bool:
        """True when nothing is left to be said."""
        while self.unacknowledged and self.unacknowledged[0].seq <= seq:
            self.unacknowledged.popleft()
        return self.ended and not self.unacknowledged

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _say(self, message: M) -> M:
        self.unacknowledged.append(message)
        return message
