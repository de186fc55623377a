"""The process of user code: makes the user's controller and handlers, and calls them, one at a time.

    python -P -m automl_run.engine.user_code.host FD PARENT

FD is its end of the socket pair. It dies with the scheduler. A handler that raises is left out from there on; a controller that
raises is left out, too, and the handlers go on.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import socket
import sys
from typing import Any, Final

from automl_run.engine.agent.processes import die_with_parent
from automl_run.errors import InputError

from . import messages as m
from .loading import clean, extend_path, make, said, shown
from .provide import provide
from .space_objects import choices_of, space_of

#: Makes the host write to its log where it is.
DUMP_SIGNAL: Final = signal.SIGUSR1

_CONTROLLER: Final = ("set_search_space", "initial_recommendation", "refine_recommendation")
_CHUNK: Final = 1 << 16


class Host:
    """One end of the conversation, with everything that user code is given."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._controller: Any = None
        self._controller_path = ""
        self._handlers: dict[int, tuple[str, Any]] = {}
        self._recommended: dict[tuple[int, int], Any] = {}
        self._by_index: dict[int, Any] = {}
        self._jobs: dict[str, Any] = {}
        self._space: Any = None
        self._context: Any = None
        self._defs: Any = None

    def serve(self) -> None:
        stream = m.Stream()
        while True:
            while (message := stream.next_to_host()) is not None:
                recommended = self._deal_with(message)
                context = self._context
                for text in context.take_faults() if context is not None else ():
                    self._say(m.Told(clean(text)))
                sys.stdout.flush()
                stop = context.get_stop_message() if context is not None else None
                self._say(m.Done(recommended, None if stop is None else clean(stop)))
            data = self._sock.recv(_CHUNK)
            if not data:
                return
            stream.feed(data)

    def _deal_with(self, message: m.ToHost) -> list[dict[str, Any]]:
        match message:
            case m.Load():
                self._load(message)
            case m.Determine():
                self._determine(message)
            case m.Begin():
                self._begin(message)
            case m.Call():
                return self._call(message)
            case m.Recommended(known, announce):
                self._know(known)
                if announce:
                    self._context.set_prop(self._key.RECOMMENDATIONS, [self._by_index[each.index] for each in known])
                    self._event("recommendations_available", self._context)
            case m.JobStarted():
                self._job_started(message)
            case m.JobEnded():
                self._job_ended(message)
            case m.RoundEnded():
                self._event("round_ended", self._context)
            case m.Finish():
                self._event("end_automl", self._context)
                self._controlled("shutdown", self._context)
                self._event("shutdown", self._context, reverse=True)
        return []

    # -- the beginning ----------------------------------------------------------------------------------------------------

    def _load(self, load: m.Load) -> None:
        provide()
        extend_path(load.folders)
        try:
            if load.controller is not None:
                self._say(m.Calling(load.controller.path))
                self._controller_path = load.controller.path
                self._controller = make(load.controller, "controller", _CONTROLLER)
            for number, part in load.handlers.items():
                self._say(m.Calling(part.path, number))
                self._handlers[number] = (part.path, make(part, "handler", ("handle_event",)))
        except InputError as error:
            self._say(m.Failed(str(error)))
            return
        # Under the name by which user code knows it: an installed `automl` may have its own.
        self._defs = importlib.import_module("automl.defs")
        self._context = self._defs.Context()

    def _determine(self, asked: m.Determine) -> None:
        provide()
        extend_path(asked.folders)
        self._defs = importlib.import_module("automl.defs")
        what = f"{asked.executor.path}.determine_search_space"
        self._say(m.Calling(what))
        try:
            executor = make(asked.executor, "executor", ("determine_search_space", "execute"))
            context = self._defs.Context()
            context.set_prop(self._key.SEARCH_SPACE, space_of(self._defs, asked.choices))
            found = executor.determine_search_space(context)
            if context.stop_work_asked():
                raise InputError(f"{what} asked for an end: {context.get_stop_message()}")
            self._say(m.Determined(None if found is None else choices_of(found)))
        except InputError as error:
            self._say(m.Failed(str(error)))
        except BaseException as error:
            self._say(m.Failed(f"{what} failed: {said(error)}"))

    def _begin(self, begin: m.Begin) -> None:
        log = os.open(begin.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        sys.stdout.flush()
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        self._space = space_of(self._defs, begin.choices)
        context = self._context
        context.set_prop(self._key.NUM_WORKERS, begin.workers)
        context.set_prop("run_root", begin.root)
        self._event("startup", context)
        self._event("start_automl", context)
        context.set_prop(self._key.SEARCH_SPACE, self._space)
        self._event("search_space_available", context)
        self._controlled("set_search_space", self._space, context)

    @property
    def _key(self) -> Any:
        return self._defs.ContextKey

    # -- the controller ---------------------------------------------------------------------------------------------------

    def _call(self, call: m.Call) -> list[dict[str, Any]]:
        if call.number == 0:
            method = "initial_recommendation"
            given = self._controlled(method, self._context)
        else:
            method = "refine_recommendation"
            known = self._recommended.get(call.place) if call.place is not None else None
            id = known.id if known is not None else call.place
            given = self._controlled(method, self._defs.Outcome(id, call.score), self._context)
        if self._controller is None:
            return []
        try:
            return self._taken(call, given)
        except (ValueError, TypeError, AttributeError) as error:
            self._drop_controller(f"{self._controller_path}.{method}: {error}")
            return []

    def _taken(self, call: m.Call, given: object) -> list[dict[str, Any]]:
        """The values that were recommended. ValueError for what is no list of recommendations."""
        if given is None:
            given = []
        if not isinstance(given, list | tuple):
            raise ValueError(f"it gave {shown(given)}, where a list of Recommendation was expected")
        out: list[dict[str, Any]] = []
        for position, recommendation in enumerate(given):
            what = f"recommendation {position + 1} of {len(given)}"
            values = getattr(getattr(recommendation, "result", None), "values", None)
            if not isinstance(values, dict):
                raise ValueError(f"{what} is {shown(recommendation)}, where a Recommendation with a SearchResult was expected")
            if position < len(call.stored):
                # What a controller kept of it is this very dict: after a restart it has what was tried, even if it drew at random.
                values.clear()
                values.update(call.stored[position])
            out.append({str(name): _number(value, f"{what}: `{name}`") for name, value in values.items()})
            self._recommended[call.number, position] = recommendation
        return out

    def _controlled(self, method: str, *args: object) -> object:
        """What the controller's method gives; None without one, and when it raises."""
        if self._controller is None:
            return None
        what = f"{self._controller_path}.{method}"
        self._say(m.Calling(what))
        try:
            return getattr(self._controller, method, lambda *_: None)(*args)
        except BaseException as error:
            self._drop_controller(f"{what} failed: {said(error)}")
            return None

    def _drop_controller(self, message: str) -> None:
        self._controller = None
        self._say(m.Failed(message))

    # -- events -----------------------------------------------------------------------------------------------------------

    def _event(self, event: str, context: Any, *, reverse: bool = False) -> None:
        for number in sorted(self._handlers, reverse=reverse):
            path, handler = self._handlers[number]
            what = f"{path}.{event}"
            self._say(m.Calling(what, number))
            try:
                handler.handle_event(event, context)
            except BaseException as error:
                del self._handlers[number]
                self._say(m.HandlerFailed(number, f"{what} failed: {said(error)}"))

    def _know(self, known: list[m.Known]) -> None:
        for each in known:
            found = self._recommended.get(each.place) if each.place is not None else None
            if found is None:
                found = self._defs.Recommendation(each.index, self._defs.SearchResult(self._space, dict(each.values)))
            self._by_index[each.index] = found

    def _job_started(self, started: m.JobStarted) -> None:
        context = self._defs.Context(self._context)
        context.set_prop(self._key.JOB_NAME, started.job)
        context.set_prop(self._key.RECOMMENDATION, self._by_index[started.index])
        context.set_prop(self._key.CONCRETE_SEARCH_VALUE, started.concrete)
        context.set_prop(self._key.GPUS, list(started.gpus))
        context.set_prop("job_mmar_root", started.folder)
        self._jobs[started.job] = context
        self._event("start_job", context)

    def _job_ended(self, ended: m.JobEnded) -> None:
        context = self._jobs.pop(ended.job)
        context.set_prop(self._key.SCORE, ended.score)
        context.set_prop(self._key.JOB_STATUS, ended.status)
        context.set_prop(self._key.PROCESS_EXIT_STATUS, ended.exit_status)
        self._event("end_job", context)

    def _say(self, message: m.FromHost) -> None:
        self._sock.sendall(m.encode(message))


def _number(value: object, what: str) -> int | float:
    """numpy's and torch's scalars as Python's. ValueError for what is no number, or one that no message can hold."""
    item = getattr(value, "item", None)
    found = item() if callable(item) else value
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ValueError(f"{what} is a number, not {shown(value)}")
    if isinstance(found, int) and not -(2**63) <= found < 2**63:
        raise ValueError(f"{what} is too large a number")
    # Subclasses too: what is sent is plain.
    return int(found) if isinstance(found, int) else float(found)


def main() -> None:
    die_with_parent(int(sys.argv[2]))
    faulthandler.register(DUMP_SIGNAL, 2, all_threads=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as sock:
        Host(sock).serve()


if __name__ == "__main__":
    main()
