"""The interface of everything that decides which point to try next.

    scheduler --recommend--> Recommendation ... job runs ... Outcome --observe--> controller

A controller is never the truth: after a restart a new one is made from the same program and fed, in journal order, every
recommendation it once made (`restore`) and every outcome (`observe`). What it recommends next may depend on nothing else, so it
draws random numbers only from `f(study seed, recommendation index)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from automl_run.dsl.ir import Point


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One point to try.

    `index`: 0 is the baseline, made by the scheduler itself (its `point` is None: every value as the configuration had it); then
    from 1, unique in a study; tables are sorted by it. A controller may give indices out of order, when they are keys of its own
    (combination, round).
    `seed_key`: what the job's seed is derived from, beside the study's seed.
    """

    index: int
    point: Point | None
    seed_key: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a recommendation ended. `scores`: one value per objective, only when `state` is "done", or "stopped" with a value.

    `pruned_at`: a pruner stopped it after so many epochs, steps or reports, and `scores` is what it had come to then.
    """

    index: int
    state: Literal["done", "stopped", "failed", "infeasible"]
    scores: tuple[float, ...] | None
    pruned_at: int | None = None


class Controller(Protocol):
    """Called from one thread only. Deterministic (see the module's docstring)."""

    def recommend(self, n: int) -> list[Recommendation]:
        """At most `n` new recommendations, all feasible. [] while it waits for outcomes, or when there is nothing left."""
        ...

    def observe(self, outcome: Outcome) -> None:
        """Each outcome exactly once, in journal order. Never a failure as a score."""
        ...

    def restore(self, recommendation: Recommendation) -> None:
        """A recommendation this controller made before a restart, in the order it made them."""
        ...

    @property
    def exhausted(self) -> bool:
        """True when no outcome that may still come can lead to another recommendation."""
        ...
