"""User code of one study: its process, what is asked of it, and what happens when it raises, hangs or dies.

A handler that raises, hangs or takes the process down is left out, with a warning, and the run goes on. A controller that does ends
the study: what runs is finished, and a resume goes on once the code is mended. A process that died is made again as after a
resume: the controller is called with everything the run has recorded, handlers hear of jobs that run.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from automl_run.dsl.ir import Program
from automl_run.engine.core import inputs as on
from automl_run.engine.core.facts import AnyFact
from automl_run.engine.core.inputs import Input
from automl_run.engine.core.state import State
from automl_run.errors import InputError

from . import messages as m
from .feed import Feed
from .loading import check, code_folders, own
from .locators import Locators
from .own_controller import OwnController
from .process import KILLED, HostProcess, converse

LOG: Final = "user_code.log"
#: One call may take this long where the study says no `stall_time`; importing and making everything may, too.
CALL_LIMIT_S: Final = 600.0
#: After this a call is worth a word.
SLOW_S: Final = 60.0
#: For the stack of a hanging call to be written.
_DUMP_S: Final = 0.5
#: At the end of an interrupted run, for handlers and all.
_GOODBYE_S: Final = 4.0
#: A process that ends outside of any user code is made again this often.
_RESTARTS: Final = 3


class UserCode:
    """Made, and loaded, before a run folder is; `begin` starts the conversation. The scheduler's thread never waits for it.

    `clock`: seconds, never going back.
    """

    def __init__(self, program: Program, allowed: Iterable[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        """InputError when a class is not where it is sought."""
        study = program.study
        self._program = program
        self._clock = clock
        self._folders = code_folders(program)
        controller = own(study.controller)
        parts = [(number, own(spec)) for number, spec in enumerate(study.handlers)]
        self._handlers = {number: part for number, part in parts if part is not None}
        if controller is not None:
            check(controller, "controller", self._folders, allowed)
        for part in self._handlers.values():
            check(part, "handler", self._folders, allowed)
        self._locators = Locators(program)
        self._controller_part = controller
        self.controller = None if controller is None else OwnController(controller.path, program, self._locators)
        self._feed = Feed(program, self._locators, self.controller)
        self._limit_s = study.stall_time_s or CALL_LIMIT_S
        self._host: HostProcess | None = None
        self._output: IO[bytes] | None = None
        self._begun: m.Begin | None = None
        self._root = Path()
        self._watch: Callable[[HostProcess | None, HostProcess | None], None] = lambda _old, _new: None
        self._put: Callable[[Input], None] = lambda _input: None
        self._warn: Callable[[str], None] = lambda _text: None
        self._heard_at = 0.0
        self._told_slow = False
        self._dumped_at: float | None = None
        self._stopped = False
        self._restarts = _RESTARTS

    # -- before the run ---------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Imports and makes everything in a new process. InputError when that fails; what it printed goes to stderr then."""
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._host = host = HostProcess(Path(self._program.base_dir), self._output)
        except OSError as error:
            raise InputError(f"the process of user code cannot be started: {error}") from error
        converse(host, self._load(), self._output, max(self._limit_s, SLOW_S), self._clock)

    def _load(self) -> m.Load:
        return m.Load(self._folders, self._controller_part, self._handlers)

    def kill(self) -> None:
        """Safe at any time."""
        host, self._host = self._host, None
        if host is not None:
            self._watch(host, None)
            host.kill()
        if self._output is not None:
            self._output.close()
            self._output = None

    # -- the run ----------------------------------------------------------------------------------------------------------

    def begin(
        self,
        root: Path,
        state: State,
        workers: int,
        put: Callable[[Input], None],
        warn: Callable[[str], None],
        watch: Callable[[HostProcess | None, HostProcess | None], None],
    ) -> None:
        """`put` hands an input to the scheduler. `watch` is told of a new process and of one that is gone; its socket is then to be
        given to `on_ready` when it can be read, or written while `wants_write`."""
        self._put, self._warn, self._watch = put, warn, watch
        self._root = root
        log = root / LOG
        assert self._host is not None
        assert self._output is not None
        self._output.seek(0)
        with log.open("ab") as file:
            shutil.copyfileobj(self._output, file)
        self._output.close()
        self._output = log.open("ab")
        self._begun = m.Begin(str(log), str(root), workers, self._locators.choices())
        self._feed.restore(state, str(root))
        self._watch(None, self._host)
        if self.controller is not None:
            self.controller.send = self._send
            self.controller.answer = lambda given, exhausted: self._put(on.Answer(given, exhausted))
        self._converse()

    def _converse(self) -> None:
        """From the beginning, with a process that has loaded everything."""
        assert self._begun is not None
        self._send(self._begun)
        if self.controller is not None and self.controller.send is not None:
            self.controller.call_all()
        for message in self._feed.open():
            self._send(message)

    def adopt(self, state: State) -> None:
        """Jobs of an earlier scheduler go on."""
        if self._handlers:
            for message in self._feed.adopt(state):
                self._send(message)

    def facts(self, told: Iterable[tuple[State, AnyFact]]) -> None:
        """Those of one tick, stored."""
        if self._handlers:
            for message in self._feed.facts(told):
                self._send(message)

    def observed(self) -> None:
        """The controller, whichever it is, was told of an outcome."""
        if self._handlers:
            self._send(m.RoundEnded())

    def ask(self, n: int) -> None:
        assert self.controller is not None
        self.controller.ask(n)

    def on_ready(self) -> None:
        host = self._host
        if host is None:
            return
        host.flush()
        for message in host.receive():
            self._heard_at, self._told_slow, self._dumped_at = self._clock(), False, None
            if message is None:
                self._died(host, "ended")
                return
            self._hear(host, message)
            if self._host is not host:
                return
        self._watch(host, host)

    def check(self) -> None:
        """Looks whether user code hangs; to be called every second or so."""
        host = self._host
        if host is None or not host.unanswered:
            return
        silent_s = self._clock() - self._heard_at
        what = host.doing.what if host.doing is not None else "user code"
        if silent_s >= self._limit_s:
            if self._dumped_at is None:
                self._dumped_at = self._clock()
                host.dump()
            elif self._clock() >= self._dumped_at + _DUMP_S:
                self._died(host, f"did not return within {self._limit_s:g} s (where it is: {LOG}) and was ended")
        elif silent_s >= SLOW_S and not self._told_slow:
            self._told_slow = True
            self._warn(f"{what} has been running for {silent_s:.0f} s; it is ended after {self._limit_s:g} s")

    def close(self, *, interrupted: bool) -> None:
        """end_job of jobs that did not end, end_automl, shutdown: waits for them, and ends the process."""
        host = self._host
        if host is None or self._begun is None:
            self.kill()
            return
        self._watch(host, None)
        self._watch = lambda _old, _new: None
        for message in self._feed.abandoned() if self._handlers else ():
            self._send(message)
        self._send(m.Finish())
        until = self._clock() + (_GOODBYE_S if interrupted else float("inf"))
        while (host := self._host) is not None and host.unanswered:
            if self._clock() >= until:
                what = host.doing.what if host.doing is not None else "user code"
                self._warn(f"{what} did not return in time, and was ended with the run")
                break
            host.wait(min(_DUMP_S, until - self._clock()))
            self.on_ready()
            self.check()
        self.kill()

    # -- what the process says --------------------------------------------------------------------------------------------

    def _send(self, message: m.ToHost) -> None:
        host = self._host
        if host is None:
            return
        if not host.unanswered:
            self._heard_at, self._told_slow, self._dumped_at = self._clock(), False, None
        host.send(message)
        self._watch(host, host)

    def _hear(self, host: HostProcess, message: m.FromHost) -> None:
        match message:
            case m.HandlerFailed(number, text):
                self._leave_out(number, text)
            case m.Failed(text):
                if self._begun is not None and isinstance(host.unanswered[0], m.Load):
                    self._give_up(text)
                else:
                    self._lose_controller(text)
            case m.Told(text):
                self._warn(text)
            case m.Done(recommended, stop):
                self._done(host, recommended, stop)
            case m.Calling():
                pass

    def _done(self, host: HostProcess, recommended: list[dict[str, object]], stop: str | None) -> None:
        request = host.dealt_with
        if isinstance(request, m.JobEnded):
            self._feed.heard(request)
        if stop is not None and not self._stopped:
            self._stopped = True
            self._put(on.StopWork(stop))
        if isinstance(request, m.Call) and self.controller is not None and self._controller_part is not None:
            try:
                # Who asks for an end recommends nothing any more.
                self.controller.answered(request.number, [] if self._stopped else recommended)
            except ValueError as error:
                self._lose_controller(str(error))

    # -- what goes wrong --------------------------------------------------------------------------------------------------

    def _died(self, host: HostProcess, why: str) -> None:
        doing, unanswered = host.doing, list(host.unanswered)
        self._watch(host, None)
        self._host = None
        how = host.kill()
        if doing is None or (why == "ended" and how == KILLED):
            # Nobody does that to himself: an operator did, or the kernel, short of memory.
            self._restarts -= 1
            if self._restarts < 0:
                self._give_up(f"the process of user code ended again and again ({how})")
                return
            self._warn(f"the process of user code ended ({how}), and is started again")
            self._start_again(unanswered)
            return
        if why == "ended":
            why = f"took the process of user code down ({how})"
        if doing.handler is not None:
            self._leave_out(doing.handler, f"{doing.what} {why}")
        else:
            self._lose_controller(f"{doing.what} {why}")
        if self._handlers or self._controller_part is not None:
            self._start_again(unanswered)

    def _start_again(self, unanswered: list[m.ToHost]) -> None:
        assert self._output is not None
        try:
            self._host = host = HostProcess(Path(self._program.base_dir), self._output)
        except OSError as error:
            self._give_up(f"the process of user code cannot be started again: {error}")
            return
        self._watch(None, host)
        self._send(self._load())
        self._converse()
        for message in unanswered:
            # Calls are made again anyway; of the rest only these are promised.
            if isinstance(message, m.JobEnded | m.Finish):
                self._send(message)

    def _leave_out(self, number: int, text: str) -> None:
        part = self._handlers.pop(number, None)
        if part is not None:
            self._warn(f"the handler {part.path} is left out from here on: {text}")

    def _lose_controller(self, text: str) -> None:
        if self._controller_part is None:
            return
        self._controller_part = None
        if self.controller is not None:
            self.controller.send = None
        self._put(on.ControllerFailed(text))
        how = f"automl-run resume {self._root}"
        self._warn(f"{text}; what runs goes on to its end, nothing new is started; once the code is mended, go on with: {how}")

    def _give_up(self, text: str) -> None:
        self._lose_controller(text)
        for number in list(self._handlers):
            self._leave_out(number, text)
        self.kill()


@contextlib.contextmanager
def hosted(program: Program, allowed: Iterable[str] = ()) -> Iterator[UserCode | None]:
    """User code of the study, loaded, and no process of it afterwards; None for a study without any. InputError."""
    study = program.study
    if own(study.controller) is None and not any(own(spec) for spec in study.handlers):
        yield None
        return
    code = UserCode(program, allowed)
    try:
        code.load()
        yield code
    finally:
        code.kill()
