"""What one decision has come to so far."""

from __future__ import annotations

from automl_run.engine.wire import messages as wire

from . import inputs as on
from .apply import apply
from .facts import AnyFact
from .inputs import Command
from .state import Job, State


class Decision:
    """Facts and commands so far; `state` has the facts applied already."""

    def __init__(self, state: State, now: float) -> None:
        self.state = state
        self.now = now
        #: when the attempt had ended that is told of later
        self.ended_at: float | None = None
        self.told: list[tuple[State, AnyFact]] = []
        self.commands: list[Command] = []

    def add(self, fact: AnyFact) -> None:
        self.state = apply(self.state, fact)
        self.told.append((self.state, fact))

    def _send(self, worker: str, message: wire.ToAgent) -> None:
        self.commands.append(on.Send(worker, message))

    def _age(self, job: Job) -> float:
        return max(0.0, self.now - job.assigned_at)
