"""Messages between the scheduler and its agents, version 1: a closed tagged union, validated on receipt.

    agent -> scheduler:  Hello, Accept, Metric, Progress, Done, Failed, Pong, Quarantine, Bye
    scheduler -> agent:  Welcome, Reject, Assign, Stop, Ack, Superseded, Ping, Drain

Every job message carries (job, fence): the attempt it speaks of; `seq` numbers the messages of one attempt from 1, for dedupe.
No type names, no object hooks, no pickle, and no paths: an agent knows its run folder from its start.
"""

from __future__ import annotations

import msgspec

from automl_run.dsl.ir import Objective, Spec, Value
from automl_run.engine.core.causes import Cause
from automl_run.engine.folds import Fold

PROTOCOL = 1


class Message(msgspec.Struct, frozen=True, tag=True, tag_field="t"):
    pass


# -- agent -> scheduler -----------------------------------------------------------------------------------------------


class Hello(Message, frozen=True):
    """`running`: (job, fence) of each attempt that is alive here or has a result not yet acknowledged."""

    proto_min: int
    proto_max: int
    worker: str
    host: str
    pid: int
    gpus: tuple[int, ...]
    running: tuple[tuple[str, int], ...] = ()


class Accept(Message, frozen=True):
    """The attempt's process was started; `pid` is its keeper's."""

    job: str
    fence: int
    pid: int


class Metric(Message, frozen=True):
    """Objective and other metric values reported by the job at `step`; finite. Never dropped or merged."""

    job: str
    fence: int
    seq: int
    step: int
    values: dict[str, float]


class Progress(Message, frozen=True):
    """For the eye only; may be dropped. `fraction` 0..1, None where unknown."""

    job: str
    fence: int
    text: str
    fraction: float | None = None


class Done(Message, frozen=True):
    """The attempt ended well. `values`: its final metrics ({}: the best reported ones count). `stopped`: it obeyed a Stop."""

    job: str
    fence: int
    seq: int
    values: dict[str, float]
    seconds: float
    stopped: bool = False


class Failed(Message, frozen=True):
    """`code`: exit code, or minus the signal. `tail`: the last lines of its log."""

    job: str
    fence: int
    seq: int
    cause: Cause
    message: str
    code: int | None
    tail: str
    seconds: float


class Pong(Message, frozen=True):
    nonce: int


class Quarantine(Message, frozen=True):
    """A process here cannot be ended and still holds the worker's GPUs: give this worker no more jobs."""

    reason: str


class Bye(Message, frozen=True):
    pass


# -- scheduler -> agent -----------------------------------------------------------------------------------------------


class Welcome(Message, frozen=True):
    """The scheduler takes this agent; `epoch` counts the schedulers of the run."""

    proto: int
    epoch: int
    run_id: str


class Reject(Message, frozen=True):
    """A Hello or a terminal message is refused. For a Hello `job` is "" and the connection closes."""

    code: str
    job: str = ""
    fence: int = 0


class Assign(Message, frozen=True):
    """Start this attempt. `config`: rendered by the target. `time_limit_s`, `stall_time_s` None: none.

    `shares`: for each GPU of the worker, which of its shares this worker has, -1 for one that no other worker uses; (): all alone.
    `measured`: built-in metrics that the job's process adds to its final values.
    `accelerate`: MONAI pipelines run fused. `cache`: bytes of prepared volumes that jobs share, None for the usual.
    `fold`: of a cross-validation. `goal`: the first objective, with this job's parameters in it. `judged`: a pruner may stop the
    attempt at any report of an objective, which waits for the Ack: a Stop comes before it.
    """

    job: str
    fence: int
    target: Spec
    config: dict[str, Value]
    config_name: str
    params: dict[str, Value]
    seed: int
    objectives: tuple[str, ...]
    time_limit_s: float | None = None
    accelerate: bool = False
    cache: int | None = None
    stall_time_s: float | None = None
    shares: tuple[int, ...] = ()
    measured: tuple[str, ...] = ()
    fold: Fold | None = None
    goal: Objective | None = None
    judged: bool = False


class Stop(Message, frozen=True):
    """`why`: pruned, budget, drain, abort, operator, abandoned. Stop with a checkpoint; kill after the grace."""

    job: str
    fence: int
    why: str


class Ack(Message, frozen=True):
    """Everything of this attempt up to `seq` is durable."""

    job: str
    fence: int
    seq: int


class Superseded(Message, frozen=True):
    """Another attempt counts: end this one and forget it."""

    job: str
    fence: int


class Ping(Message, frozen=True):
    nonce: int


class Drain(Message, frozen=True):
    """Finish or stop what runs, then say Bye and exit."""

    stop_jobs: bool


FromAgent = Hello | Accept | Metric | Progress | Done | Failed | Pong | Quarantine | Bye
ToAgent = Welcome | Reject | Assign | Stop | Ack | Superseded | Ping | Drain
