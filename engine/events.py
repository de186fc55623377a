"""What a run tells whoever watches it: the live table, the trace, a user's own observer.

Events are derived from facts after these were stored; nothing in the engine depends on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from automl_run.dsl.ir import Value

EndState = Literal["done", "stopped", "failed", "infeasible"]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """`trials`: the budget's, None without one. `resumed`: how many jobs had ended before."""

    run_id: str
    folder: str
    workers: tuple[tuple[str, tuple[int, ...]], ...]
    objectives: tuple[tuple[str, str], ...]
    trials: int | None
    resumed: int


@dataclass(frozen=True, slots=True)
class JobStarted:
    """`params`: target path -> value. `fence` is above 1 when the job is tried again. `repetition`: `fold 1/5`, `seed 7` or ""."""

    job: str
    index: int
    worker: str
    gpus: tuple[int, ...]
    params: dict[str, Value]
    fence: int
    repetition: str = ""


@dataclass(frozen=True, slots=True)
class MetricReported:
    job: str
    step: int
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Progressed:
    """`fraction` 0..1, None where unknown."""

    job: str
    text: str
    fraction: float | None


@dataclass(frozen=True, slots=True)
class JobRetried:
    job: str
    fence: int
    cause: str
    message: str


@dataclass(frozen=True, slots=True)
class JobEnded:
    """`score`: of the first objective, None without one. `best`: True when no earlier job was better.

    `repetition`: of which its recommendation has several: then a RecommendationEnded says the outcome, and which is the best.
    """

    job: str
    index: int
    state: EndState
    cause: str | None
    message: str
    score: float | None
    scores: dict[str, float]
    seconds: float
    best: bool
    repetition: str = ""


@dataclass(frozen=True, slots=True)
class RecommendationEnded:
    """All repetitions of a recommendation have. `each`: their scores; `score`, `scores`: what they come to. `job` stands for it."""

    index: int
    job: str
    state: EndState
    cause: str | None
    message: str
    score: float | None
    scores: dict[str, float]
    each: tuple[float | None, ...]
    best: bool


@dataclass(frozen=True, slots=True)
class WorkerChanged:
    """up and down: its agent is connected, or is not. suspended and resumed: by an operator."""

    worker: str
    state: Literal["up", "down", "suspended", "resumed"]


@dataclass(frozen=True, slots=True)
class Warned:
    message: str


@dataclass(frozen=True, slots=True)
class RunEnded:
    """`state`: done, stopped, failed or paused (interrupted, resumable). `reason` in words."""

    state: str
    reason: str


Event: TypeAlias = (
    RunStarted
    | JobStarted
    | MetricReported
    | Progressed
    | JobRetried
    | JobEnded
    | RecommendationEnded
    | WorkerChanged
    | Warned
    | RunEnded
)


class Observer(Protocol):
    """Called in the scheduler's thread, in order; it must return at once. What it raises switches it off with a warning."""

    def __call__(self, event: Event, /) -> None: ...


def silent(event: Event) -> None:
    """An observer that does nothing."""


def each_of(*observers: Observer) -> Observer:
    """All hear everything, in this order."""

    def tell(event: Event) -> None:
        for observer in observers:
            observer(event)

    return tell
