"""`automl.defs`: the values that a controller, a handler and an executor are given, and give.

The names and the strings of `ContextKey` are those of Clara Train 4.1. What its documentation does not show is marked as ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

#: The score of a job that failed or never validated.
NO_SCORE: Final = -1000000.0


class ContextKey:
    """Names of the properties that the engine sets."""

    #: of a job: PRL -> one value for each of its arguments
    CONCRETE_SEARCH_VALUE = "_concreteSearchValue"
    #: of a job: the numbers of its GPUs
    GPUS = "_gpus"
    JOB_NAME = "_jobName"
    #: of a job that has ended: one of `Status`
    JOB_STATUS = "_jobStatus"
    NUM_WORKERS = "_numWorkers"
    #: of a job that has ended: its exit code, None where it has none
    PROCESS_EXIT_STATUS = "_processExitStatus"
    #: of a job: the `Recommendation` that it tries
    RECOMMENDATION = "_recommendation"
    #: the newest ones: a list of `Recommendation`
    RECOMMENDATIONS = "_recommendations"
    #: of a job that has ended: a float, `NO_SCORE` without one
    SCORE = "_score"
    SEARCH_SPACE = "_searchSpace"
    TRACE_DEST_FILE = "_traceDestFile"
    TRACE_DEST_TYPE = "_traceDestType"


class Status:
    """How a job ended. The values are ours."""

    OK = "ok"
    FAILED = "failed"
    #: before its end: by an operator, a budget, or an interruption
    ABORTED = "aborted"


class Context:
    """Properties that components share. A context sees those of its `parent`, and keeps what is set in it to itself."""

    def __init__(self, parent: Context | None = None) -> None:
        self.props: dict[str, Any] = {}
        self.parent = parent
        self._stop: str | None = None
        self._faults: list[str] = []

    def get_prop(self, key: str, default: Any = None) -> Any:
        if key in self.props:
            return self.props[key]
        return default if self.parent is None else self.parent.get_prop(key, default)

    def set_prop(self, key: str, value: Any) -> None:
        self.props[key] = value

    def stop_work(self, issuer: object, msg: str) -> None:
        """Ends the search: what runs is stopped, nothing new starts. The first one's `msg` is the reason."""
        root = self._root
        if root._stop is None:
            root._stop = f"{type(issuer).__name__}: {msg}"

    def ask_to_stop(self, issuer: object = None, msg: str = "asked to stop") -> None:
        self.stop_work(issuer, msg)

    def stop_work_asked(self) -> bool:
        return self._root._stop is not None

    def get_stop_message(self) -> str | None:
        return self._root._stop

    def exception_occurred(self, issuer: object, msg: str | None = None) -> None:
        """Tells whoever watches the run; it goes on."""
        self._root._faults.append(f"{type(issuer).__name__}: {msg or 'an exception has occurred'}")

    def trace(self, issuer: object, msg: str, print_to_console: bool = False) -> None:
        """A line in the log of the user's code, whatever the arguments."""
        print(f"{type(issuer).__name__}: {msg}", flush=True)

    def set_trace(self, dest: object, file_name: object) -> None:
        """Nothing: the run has its own trace."""

    def close_trace(self) -> None:
        """Nothing: the run has its own trace."""

    def add_command_module(self, module: object) -> None:
        """Nothing: a run is administered with `automl-run suspend`, `abort`, `stop`."""

    def take_faults(self) -> list[str]:
        """For the engine: what was told by `exception_occurred` since the last time."""
        told, self._root._faults = self._root._faults, []
        return told

    @property
    def _root(self) -> Context:
        return self if self.parent is None else self.parent._root


class FloatRange:
    """The range of a float search: `min` and `max`, both inclusive. The class's name is ours."""

    def __init__(self, min: float, max: float) -> None:
        self.min = min
        self.max = max

    def __repr__(self) -> str:
        return f"[{self.min:g}, {self.max:g}]"


class SearchSpace:
    """`targets`: PRL -> list. Of an enum: its choices, each a list with one value per argument; of a float: one `FloatRange`."""

    def __init__(self, targets: Mapping[str, Sequence[Any]] | None = None) -> None:
        self.targets: dict[str, Any] = dict(targets or {})

    def dump(self) -> None:
        for locator, target in self.targets.items():
            print(f"{locator}: {target}")


class SearchResult:
    """One value for every PRL of `space`: the index of a choice for an enum, the number for a float."""

    def __init__(self, space: SearchSpace, values: dict[str, Any] | None = None) -> None:
        self.space = space
        self.values: dict[str, Any] = values if values is not None else {}

    def dump(self) -> None:
        for locator, value in self.values.items():
            print(f"{locator}: {value}")


class Recommendation:
    """A point to try. `id`: whatever its controller knows it by."""

    def __init__(self, id: Any, result: SearchResult) -> None:
        self.id = id
        self.result = result


class Outcome:
    """What a recommendation came to. `score`: higher is better."""

    def __init__(self, recommendation_id: Any, score: float) -> None:
        self.recommendation_id = recommendation_id
        self.score = score


class ProcessStatus:
    """How a training process stands; for code that names the class. The values are ours."""

    RUNNING = "running"
    FINISHED = "finished"
