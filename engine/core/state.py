"""The state of a study: a value, rebuilt from facts by `apply`, read by `decide`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from automl_run.dsl.elaborate.support import metric_names
from automl_run.dsl.ir import Objective, Program, Repeat, Spec

from . import facts
from .curve import Curve
from .pmap import PMap

JobState = Literal["waiting", "running", "done", "stopped", "failed", "infeasible"]
RunState = Literal["running", "paused", "done", "stopped", "failed"]


class Verdict(msgspec.Struct, frozen=True):
    """How a recommendation ended. `job`: the one whose model stands for it. `scores` as in `Job`."""

    state: facts.EndState
    scores: tuple[float, ...] | None
    cause: str | None
    message: str
    job: str


class Recommended(msgspec.Struct, frozen=True):
    """`jobs`: those that have started, one for each repetition, in their order. `cut`: it was decided before all of them were."""

    index: int
    point: Mapping[str, int | float] | None
    seed_key: tuple[int, ...]
    jobs: tuple[str, ...] = ()
    cut: facts.Cut | None = None
    verdict: Verdict | None = None


class Span(msgspec.Struct, frozen=True, gc=False):
    """An attempt that is over: who had it, from when to when (seconds since 1970), and how it ended."""

    fence: int
    worker: str
    start: float
    end: float
    how: str


class Job(msgspec.Struct, frozen=True):
    """One execution of a recommendation, across its attempts.

    Invariants: `fence` only grows; `seq` counts the messages of attempt `fence` without a gap; `scores` is None unless `state` is
    done or stopped; once ended, nothing changes.
    """

    name: str
    number: int
    index: int
    worker: str
    fence: int
    seed: int
    state: JobState
    assigned_at: float
    repetition: int = 0
    gpus: tuple[int, ...] = ()
    accepted: bool = False
    seq: int = 0
    #: counted attempts that ended without an end of the job
    lost: int = 0
    #: why the newest attempt was asked to stop, in a word and in words
    stop: str | None = None
    stop_reason: str = ""
    #: metric -> its best value reported by the newest attempt; for a metric that is no objective, the last one
    best: Mapping[str, float] = msgspec.field(default_factory=dict)
    last_step: int | None = None
    #: of a study with a pruner: how often the newest attempt reported the objective, and what all attempts made known of it
    told: int = 0
    curve: Curve = Curve()
    scores: tuple[float, ...] | None = None
    values: Mapping[str, float] = msgspec.field(default_factory=dict)
    cause: str | None = None
    message: str = ""
    code: int | None = None
    tail: str = ""
    seconds: float = 0.0
    #: attempts that are over, oldest first
    spans: tuple[Span, ...] = ()

    @property
    def ended(self) -> bool:
        return self.state not in ("waiting", "running")


class WorkerState(msgspec.Struct, frozen=True):
    """`job`: the one it runs. `suspended_at`: since when an operator keeps jobs from it.

    Transient: `up`: its agent is connected; `broken`: why its agent cannot be started."""

    name: str
    gpus: tuple[int, ...]
    threads: int
    jobs: int = 0
    job: str | None = None
    suspended_at: float | None = None
    #: (from, to) of earlier suspensions, oldest first
    suspensions: tuple[tuple[float, float], ...] = ()
    up: bool = False
    broken: str | None = None
    rests_until: float = 0.0

    def free(self, now: float) -> bool:
        return self.up and self.job is None and self.suspended_at is None and self.rests_until <= now


class State(msgspec.Struct, frozen=True):
    """Everything the scheduler knows. Fields after the line are transient: `durable` resets them."""

    program: Program | None = None
    run_id: str = ""
    digest: str = ""
    epoch: int = 0
    epoch_at: float = 0.0
    #: the time of the newest fact that has one
    last_at: float = 0.0
    #: seconds of finished epochs
    elapsed_before: float = 0.0
    trials: int | None = None
    run: RunState = "running"
    reason: str = ""
    workers: tuple[WorkerState, ...] = ()
    recommended: PMap[int, Recommended] = msgspec.field(default_factory=PMap)
    #: the indices of the recommendations in the order they were made, and how many of their outcomes a controller of a study
    #: with `order = "fixed"` has seen
    order: PMap[int, int] = msgspec.field(default_factory=PMap)
    shown: int = 0
    jobs: PMap[str, Job] = msgspec.field(default_factory=PMap)
    #: names of jobs to be tried again, oldest first
    retry: tuple[str, ...] = ()
    #: the index of a recommendation for each job that it has yet to get, in the order they were made
    waiting: tuple[int, ...] = ()
    #: names of jobs that run, in the order they were assigned
    running: tuple[str, ...] = ()
    ended: int = 0
    #: GPU seconds of attempts that are over: each GPU of the worker that had one counts
    gpu_s: float = 0.0
    #: recommendations that are done or stopped
    succeeded: int = 0
    #: the job that stands for the best recommendation by the first objective
    best: str | None = None
    #: recommendations ended since the best score improved
    since_best: int = 0
    #: causes of the failures since the last recommendation that did not fail, newest last, at most IN_A_ROW
    failures: tuple[str, ...] = ()
    #: True once a job has reported every objective: their names are right
    objectives_seen: bool = False
    #: of a study with a pruner: the ended jobs that others are compared with
    ran: tuple[Job, ...] = ()
    #: set in this epoch: nothing is started any more, and this is (state, reason) to end with
    stopping: tuple[Literal["done", "failed"], str] | None = None
    # ---- transient ----
    asking: bool = False
    #: how many jobs had ended when it was
    asked_at: int = 0
    #: the controller has nothing until an outcome comes
    controller_waits: bool = False
    exhausted: bool = False
    #: why the controller cannot be asked any more
    lost: str | None = None
    #: why no job is started for now
    held: str | None = None

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return self.program.study.objectives if self.program else ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """What a job must have reported to be judged; `seconds` is known of every job."""
        return metric_names(self.program.study) if self.program else ()

    @property
    def pruner(self) -> Spec | None:
        return self.program.study.pruner if self.program else None

    @property
    def repeat(self) -> Repeat | None:
        return self.program.study.repeat if self.program else None

    @property
    def best_verdict(self) -> Verdict | None:
        return self.recommended[self.jobs[self.best].index].verdict if self.best else None

    @property
    def draining(self) -> bool:
        """Interrupted in this epoch: nothing is started any more, and what runs is to stop."""
        return self.run == "paused"

    @property
    def fixed_order(self) -> bool:
        return self.program is not None and self.program.study.order == "fixed"

    def worker(self, name: str) -> WorkerState | None:
        for worker in self.workers:
            if worker.name == name:
                return worker
        return None

    def elapsed(self, now: float) -> float:
        """Seconds this study has run, interruptions left out."""
        return self.elapsed_before + max(0.0, now - self.epoch_at)

    def gpu_seconds(self, now: float) -> float:
        """Of all attempts, those that run included; one whose agent outlived a scheduler ran on meanwhile."""
        running = (self.jobs[name] for name in self.running)
        return self.gpu_s + sum(len(job.gpus) * max(0.0, now - job.assigned_at) for job in running)


def durable(state: State) -> State:
    """What a replay of the journal gives: `state` without what only this scheduler knew."""
    workers = tuple(replace(worker, up=False, broken=None, rests_until=0.0) for worker in state.workers)
    return replace(state, workers=workers, asking=False, asked_at=0, controller_waits=False, exhausted=False, lost=None, held=None)


def merit(ended: Job | Verdict, index: int, direction: str) -> tuple[bool, float, int]:
    """Of two recommendations, or of two jobs of one (`index`: its repetition), the one of the greater merit is the better one.

    A stopped one's value is a partial one: a done one beats it. Of equal scores the smaller index is best, so that the choice does
    not depend on which worker was faster.
    """
    if not ended.scores:
        return False, -math.inf, -index
    score = ended.scores[0]
    return ended.state == "done", score if direction == "maximize" else -score, -index


def better(a: float, b: float, direction: str) -> bool:
    """True iff score `a` beats `b`; an equal one does not."""
    return a > b if direction == "maximize" else a < b
