"""`automl.components.executors.executor`."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ...defs import Context, Recommendation, SearchSpace


class Executor(ABC):
    """Tries a recommendation. One is made in the process of each job."""

    @abstractmethod
    def determine_search_space(self, ctx: Context) -> SearchSpace:
        """Not called: the search space is that of the configuration."""

    @abstractmethod
    def execute(self, recommendation: Recommendation, ctx: Context) -> object:
        """The score, a number."""

    def abort(self, ctx: Context) -> None:  # noqa: B027
        """The job shall end at once; called in another thread than `execute`."""

    def shutdown(self, ctx: Context) -> None:  # noqa: B027
        """After `execute`, in the process of the job."""
