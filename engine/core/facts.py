"""Facts: what happened, as the journal keeps it.

A fact states an outcome, never a wish, so that replay needs no decision. `Transient` facts (who is connected, whether the
controller was asked) are applied like the others and never stored: they die with the scheduler that saw them. `at` is in seconds
since 1970.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from automl_run.dsl.ir import Budget

from .causes import Cause

#: Raised when a stored fact changes its meaning; a journal of another version is refused.
SCHEMA = 1

EndState = Literal["done", "stopped", "failed", "infeasible"]


class Fact(msgspec.Struct, frozen=True, tag=True, tag_field="f"):
    pass


class Transient(Fact, frozen=True):
    pass


# -- the run ------------------------------------------------------------------------------------------------------------


class RunStarted(Fact, frozen=True):
    """`program`: `Program.to_bytes()`. `base_dir` and files in it are those of the first start."""

    run_id: str
    digest: str
    program: bytes
    at: float


class EpochStarted(Fact, frozen=True):
    """A scheduler took the run over; `epoch` counts from 1."""

    epoch: int
    at: float


class NamedWorker(msgspec.Struct, frozen=True):
    name: str
    gpus: tuple[int, ...]
    threads: int


class WorkersSet(Fact, frozen=True):
    workers: tuple[NamedWorker, ...]


class TrialsSet(Fact, frozen=True):
    """The budget's number of trials was changed by a resume."""

    trials: int | None


class BudgetSet(Fact, frozen=True):
    """All parts of the budget, enlarged by a resume."""

    budget: Budget


class Suspended(Fact, frozen=True):
    """An operator wants no more jobs on `worker`: what runs there goes on."""

    worker: str
    at: float


class Unsuspended(Fact, frozen=True):
    """An operator gave `worker` back."""

    worker: str
    at: float


class Interrupted(Fact, frozen=True):
    """Someone asked the scheduler to end; jobs that had to be stopped run again after a resume."""

    at: float


class Stopping(Fact, frozen=True):
    """The study is over before its budget is: nothing new starts, what runs is stopped, then it ends in `state`."""

    state: Literal["done", "failed"]
    reason: str
    at: float


class RunEnded(Fact, frozen=True):
    state: Literal["done", "stopped", "failed"]
    reason: str
    at: float


# -- recommendations and jobs ---------------------------------------------------------------------------------------------


class Recommended(Fact, frozen=True):
    """`point` None: the baseline, index 0."""

    index: int
    point: dict[str, int | float] | None
    seed_key: tuple[int, ...]


class Shown(Fact, frozen=True):
    """`order = "fixed"`: the controller has seen the outcomes of the first `count` recommendations, and no others."""

    count: int


class Assigned(Fact, frozen=True):
    """Attempt `fence` of `job` was given to `worker`; the first one names the job. `repetition`: which of its recommendation's."""

    job: str
    number: int
    index: int
    worker: str
    fence: int
    seed: int
    at: float
    repetition: int = 0


class Accepted(Fact, frozen=True):
    job: str
    fence: int
    pid: int


class Reported(Fact, frozen=True):
    job: str
    fence: int
    seq: int
    step: int
    values: dict[str, float]


class StopAsked(Fact, frozen=True):
    """`why`: a `causes.StopWhy`; `reason`: the same in words, "" where the word says all."""

    job: str
    fence: int
    why: str
    reason: str = ""


class AttemptEnded(Fact, frozen=True):
    """The attempt is over, the job is not. `counted`: it was the job's to lose, one of its `MAX_ATTEMPTS`."""

    job: str
    fence: int
    seq: int
    cause: str
    message: str
    counted: bool
    at: float


class Ended(Fact, frozen=True):
    """The one outcome of a job. `scores`: one per objective, or None. `values`: everything it ended with."""

    job: str
    fence: int
    seq: int
    state: EndState
    scores: tuple[float, ...] | None
    values: dict[str, float]
    cause: Cause | str | None
    message: str
    code: int | None
    tail: str
    seconds: float
    at: float


class Cut(Fact, frozen=True):
    """Recommendation `index` is decided, as these say, before all its repetitions are: none is started any more."""

    index: int
    state: EndState
    cause: str | None
    message: str
    at: float


class Concluded(Fact, frozen=True):
    """The one outcome of a recommendation that is repeated; all its jobs have ended. `model`: the one whose model stands for it.

    Of one that is not repeated, `Ended` is the outcome.
    """

    index: int
    state: EndState
    scores: tuple[float, ...] | None
    cause: str | None
    message: str
    model: str
    at: float


# -- transient ------------------------------------------------------------------------------------------------------------


class WorkerUp(Transient, frozen=True):
    worker: str
    pid: int


class WorkerDown(Transient, frozen=True):
    worker: str


class WorkerRests(Transient, frozen=True):
    """Its agent was told to end by someone else, and will; no job goes there before `until` unless it comes back."""

    worker: str
    until: float


class WorkerBroken(Transient, frozen=True):
    """Its agent cannot be started."""

    worker: str
    reason: str


class Held(Transient, frozen=True):
    """`reason`: why no job is started for now, None when jobs may start again."""

    reason: str | None


class Asking(Transient, frozen=True):
    """The controller was asked and has not answered."""


class ControllerLost(Transient, frozen=True):
    """It failed, and will not be asked again: what runs may end, then the run does."""

    reason: str


class Answered(Transient, frozen=True):
    """`more`: it gave something, so ask again; else it waits for an outcome."""

    more: bool
    exhausted: bool


Durable = (
    RunStarted
    | EpochStarted
    | WorkersSet
    | TrialsSet
    | BudgetSet
    | Suspended
    | Unsuspended
    | Interrupted
    | Stopping
    | RunEnded
    | Recommended
    | Shown
    | Assigned
    | Accepted
    | Reported
    | StopAsked
    | AttemptEnded
    | Ended
    | Cut
    | Concluded
)
AnyFact = Durable | WorkerUp | WorkerDown | WorkerRests | WorkerBroken | Held | Asking | Answered | ControllerLost
