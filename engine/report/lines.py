"""A run's events as lines of plain text: what a log, a pipe and the trace on the console show."""

from __future__ import annotations

from automl_run.engine import events
from automl_run.engine.events import Event
from automl_run.engine.words import counted

from .wording import each_text, parameters_text, score_text, seconds_text, short_names


class Lines:
    """Called with every event of a run in order: it remembers the objective and how the parameters are called."""

    def __init__(self) -> None:
        self.run: events.RunStarted | None = None
        self._paths: dict[str, None] = {}
        self._names: dict[str, str] = {}

    def __call__(self, event: Event) -> str:
        """The event as one line."""
        match event:
            case events.RunStarted():
                self.run = event
                return _started(event)
            case events.JobStarted(job, index, worker, _, _, fence):
                again = f", attempt {fence}" if fence > 1 else ""
                kind = " (baseline)" if index == 0 else ""
                which = f" ({event.repetition})" if event.repetition else ""
                return f"{job} starts on {worker}{again}{kind}{which} {self.parameters(event)}".rstrip()
            case events.MetricReported(job, step, values):
                return f"{job} step {step}: " + ", ".join(f"{name} {score_text(value)}" for name, value in values.items())
            case events.Progressed(job):
                return f"{job} {progress_text(event)}"
            case events.JobRetried(job, fence, cause, message):
                return f"{job} attempt {fence} does not count ({cause}{f': {message}' if message else ''}); it will run again"
            case events.JobEnded():
                return self._ended(event)
            case events.RecommendationEnded():
                return self._concluded(event)
            case events.WorkerChanged(worker, state):
                return f"{worker} is {state}"
            case events.Warned(message):
                return f"warning: {message}"
            case events.RunEnded(state, reason):
                return f"run {state}{f': {reason}' if reason else ''}"

    @property
    def objective(self) -> str:
        """The name of the first objective."""
        return self.run.objectives[0][0] if self.run is not None and self.run.objectives else "score"

    def parameters(self, event: events.JobStarted) -> str:
        """`lr=0.001 prob=0.5`, each under the shortest name that is clear in this run."""
        if not event.params.keys() <= self._paths.keys():
            self._paths.update(dict.fromkeys(event.params))
            self._names = short_names(list(self._paths))
        return parameters_text(event.params, self._names)

    def _ended(self, event: events.JobEnded) -> str:
        cause = f" ({event.cause})" if event.cause else ""
        score = f", {self.objective} {score_text(event.score)}" if event.score is not None else ""
        best = ", the best so far" if event.best else ""
        message = f": {event.message}" if event.message and event.state != "done" else ""
        return f"{event.job} {event.state}{cause} in {seconds_text(event.seconds)}{score}{best}{message}"

    def _concluded(self, event: events.RecommendationEnded) -> str:
        cause = f" ({event.cause})" if event.cause else ""
        score = f", {self.objective} {score_text(event.score)} of {each_text(event.each)}" if event.score is not None else ""
        best = ", the best so far" if event.best else ""
        message = f": {event.message}" if event.message and event.state != "done" else ""
        return f"recommendation {event.index} {event.state}{cause}{score}{best}{message}"


def progress_text(event: events.Progressed) -> str:
    """`epoch 2 40%`."""
    return event.text if event.fraction is None else f"{event.text} {event.fraction:.0%}".strip()


def _started(run: events.RunStarted) -> str:
    workers = ", ".join(f"{name} {'GPU ' + ','.join(map(str, gpus)) if gpus else 'CPU'}" for name, gpus in run.workers)
    goals = ", ".join(f"{direction} {name}" for name, direction in run.objectives)
    trials = f", {counted(run.trials, 'job')} at most" if run.trials is not None else ""
    resumed = f", {counted(run.resumed, 'job')} had ended before" if run.resumed else ""
    return f"run {run.run_id} in {run.folder}: {goals or 'best reported value'}; workers {workers}{trials}{resumed}"
