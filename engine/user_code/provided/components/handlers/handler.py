"""`automl.components.handlers.handler`."""

from __future__ import annotations

from ...defs import Context


class Handler:
    """Hears what happens. Its methods are called one at a time; all of them may be left as they are."""

    def startup(self, ctx: Context) -> None:
        """Before everything else."""

    def start_automl(self, ctx: Context) -> None:
        """The search begins."""

    def search_space_available(self, ctx: Context) -> None:
        """SEARCH_SPACE is set."""

    def recommendations_available(self, ctx: Context) -> None:
        """RECOMMENDATIONS are stored, and will be tried."""

    def start_job(self, ctx: Context) -> None:
        """`ctx` is the job's: JOB_NAME, RECOMMENDATION, CONCRETE_SEARCH_VALUE, GPUS."""

    def end_job(self, ctx: Context) -> None:
        """The same `ctx`, with SCORE, JOB_STATUS and PROCESS_EXIT_STATUS. Follows every `start_job`."""

    def round_ended(self, ctx: Context) -> None:
        """The controller has seen the outcome of a job."""

    def end_automl(self, ctx: Context) -> None:
        """The search is over."""

    def shutdown(self, ctx: Context) -> None:
        """After everything else; the last handler's comes first."""

    def handle_event(self, event: str, ctx: Context) -> None:
        """Every event comes in here; calls the method of that name, as Clara's does."""
        method = getattr(self, event, None)
        if callable(method):
            method(ctx)
