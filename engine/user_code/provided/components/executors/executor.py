"""`automl.components.executors.executor`."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ...defs import Context, Recommendation, SearchSpace


class Executor(ABC):
    """Tries a recommendation. One is made in the process of each job."""

    @abstractmethod
    def determine_search_space(self, ctx: Context) -> SearchSpace:
        """Once, in a process of its own, before the search. `ctx` has SEARCH_SPACE, that of the configuration: it may be returned,
        and has to be where the configuration searches anything; None means it, too."""

    @abstractmethod
    def execute(self, recommendation: Recommendation, ctx: Context) -> object:
        """The score, a number."""

    def abort(self, ctx: Context) -> None:  # noqa: B027
        """The job shall end at once; called in another thread than `execute`."""

    def shutdown(self, ctx: Context) -> None:  # noqa: B027
        """After `execute`, in the process of the job."""
