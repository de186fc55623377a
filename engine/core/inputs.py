"""What `decide` is told, and what it tells the shell to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from automl_run.dsl.ir import Budget
from automl_run.engine.controllers.base import Outcome, Recommendation
from automl_run.engine.wire.messages import Done, Failed, FromAgent, ToAgent

from .facts import NamedWorker

# -- inputs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Began:
    """A scheduler took over. `trials`: a new number of them, None to leave it; `budget`: a new one as a whole.

    `alive`: workers, unchanged ones, whose agents outlived the last scheduler: their attempts go on once they have connected.
    `found`: the ends, stored on the disk, of attempts whose agents are gone and that nobody heard of. `seen_at`: when the last
    scheduler, which did not end in order, gave its last sign of life; None: unknown.
    """

    workers: tuple[NamedWorker, ...]
    trials: int | None = None
    alive: frozenset[str] = frozenset()
    budget: Budget | None = None
    found: tuple[Done | Failed, ...] = ()
    seen_at: float | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A message of the agent of `worker`; a Hello was found acceptable by the server."""

    worker: str
    message: FromAgent


@dataclass(frozen=True, slots=True)
class AgentCut:
    """Its connection is gone; its process may live and connect again."""

    worker: str


@dataclass(frozen=True, slots=True)
class AgentLost:
    """The agent's process ended, or it was cut off and did not come back."""

    worker: str
    reason: str


@dataclass(frozen=True, slots=True)
class AgentBroken:
    """The agent of `worker` cannot be started; it will not be tried again."""

    worker: str
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    recommendations: tuple[Recommendation, ...]
    exhausted: bool


@dataclass(frozen=True, slots=True)
class ControllerFailed:
    message: str


@dataclass(frozen=True, slots=True)
class StopWork:
    """Code of the user's asked for an end."""

    reason: str


@dataclass(frozen=True, slots=True)
class CannotRun:
    """The attempt could not be started, or an input about it could not be digested."""

    job: str
    fence: int
    state: Literal["failed", "infeasible"]
    cause: str
    message: str


@dataclass(frozen=True, slots=True)
class Found:
    """The end of an attempt whose agent is gone, as it was stored on the disk."""

    message: Done | Failed


@dataclass(frozen=True, slots=True)
class Suspend:
    """An operator: no more jobs for `worker`."""

    worker: str


@dataclass(frozen=True, slots=True)
class ResumeWorker:
    """An operator: jobs for `worker` again."""

    worker: str


@dataclass(frozen=True, slots=True)
class AbortJob:
    """An operator: the job is over, with what it has reached."""

    job: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    pass


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing may be started, for `reason`; None: it may again."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class Woke:
    """Time passed."""


Input: TypeAlias = (
    Began
    | Received
    | AgentCut
    | AgentLost
    | AgentBroken
    | Answer
    | ControllerFailed
    | StopWork
    | CannotRun
    | Found
    | Suspend
    | ResumeWorker
    | AbortJob
    | Interrupt
    | Held
    | Woke
)

# -- commands -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    worker: str
    message: ToAgent


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """Render the configuration and send the Assign; CannotRun if there is none."""

    worker: str
    job: str
    fence: int


@dataclass(frozen=True, slots=True)
class StartAgent:
    worker: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Cut the agent off: it broke the protocol. It may connect again."""

    worker: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ask:
    n: int


@dataclass(frozen=True, slots=True)
class Observe:
    outcome: Outcome


Command: TypeAlias = Send | StartAttempt | StartAgent | Drop | Ask | Observe
