"""`automl.components.controllers.controller`."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ...defs import Context, Outcome, Recommendation, SearchSpace


class Controller(ABC):
    """Decides what to try next. Its methods are called one at a time.

    After a restart a new one is made, and fed with what the run has recorded: see `docs/clara-code.md`.
    """

    @abstractmethod
    def set_search_space(self, space: SearchSpace, ctx: Context) -> None:
        """Once, first. Raises, or calls `ctx.stop_work`, for a space that it cannot search."""

    @abstractmethod
    def initial_recommendation(self, ctx: Context) -> list[Recommendation]:
        """Once. [] ends the search."""

    @abstractmethod
    def refine_recommendation(self, outcome: Outcome, ctx: Context) -> list[Recommendation]:
        """After every job. [] waits for the next outcome, and ends the search when there is none to come."""

    def shutdown(self, ctx: Context) -> None:  # noqa: B027
        """At the end of the search."""
