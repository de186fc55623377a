"""The scheduler's shell: one thread, one selector. A tick is: decide, apply, commit, tell, carry out.

Everything that decides is in `core`; here are sockets, processes, the clock and signals. The controller is asked in this thread: an
ask is for as many recommendations as there are free workers, and what it costs is the sampler's own time.
"""

from __future__ import annotations

import contextlib
import gc
import selectors
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from automl_run.dsl.evaluate import Undefined, infeasible_because, resolve
from automl_run.dsl.goal import goal_at
from automl_run.dsl.ir import Budget, Program, Worker
from automl_run.errors import AutoMLError, WireError

from .admin.desk import Desk
from .agent.gpu_locks import share_numbers
from .controllers.base import Controller
from .core import decide as core
from .core import ending, pruning, repetition
from .core import inputs as on
from .core.facts import AnyFact, NamedWorker
from .core.inputs import Command, Input
from .core.state import Job, State
from .disk import DiskReserve
from .folds import Fold
from .journal import Ledger
from .launchers.base import Launcher
from .publish import Publisher
from .targets.base import Target
from .targets.measured import measured_metrics, reported_objectives
from .targets.own_executor import Executors
from .user_code.own_controller import OwnController
from .user_code.process import HostProcess
from .user_code.session import UserCode
from .view import View
from .wire import messages as wire
from .wire.server import Cut, Server, listen
from .worker_agents import Agents

#: An interrupted run has ended after this, agents' ends included.
DRAIN_S: Final = 11.0
#: Then agents get this to end by themselves, and this after a SIGTERM.
GOODBYE_S: Final = 3.0
TERMINATE_S: Final = 2.0
_NAP_S: Final = 1.0

_Happening = tuple[str, wire.FromAgent] | Cut | str


@dataclass(frozen=True, slots=True)
class Effects:
    """How the shell waits and listens. Together with the journal, the launcher and the clock that is all it does to the world, so
    that tests can wrap it or put a simulated world in its place."""

    selector: Callable[[], selectors.BaseSelector] = selectors.DefaultSelector
    listen: Callable[[Path], socket.socket] = listen


@dataclass(frozen=True, slots=True)
class Parts:
    """What a scheduler is made of; `clock` gives seconds since 1970 and never goes back.

    `result`: the end of a running job as the disk has it. `beat` is called every turn: it keeps the run ours, or raises RunError.
    """

    sockets: Path
    journal: Ledger
    controller: Controller | OwnController
    target: Target
    launcher: Launcher
    publisher: Publisher
    clock: Callable[[], float]
    effects: Effects = field(default_factory=Effects)
    disk: DiskReserve | None = None
    result: Callable[[State, str], wire.Done | wire.Failed | None] = lambda _state, _job: None
    beat: Callable[[float], None] = lambda _now: None
    #: loaded, with `controller` its own if the study has one
    user_code: UserCode | None = None
    #: of a study whose jobs the user's own executor runs
    executors: Executors | None = None


class Scheduler:
    """Runs one study from `state` until it ended or was interrupted."""

    def __init__(self, parts: Parts, state: State, program: Program) -> None:
        self._parts = parts
        self._program = program
        self._state = state
        #: the state that the journal has: behind `_state` within a tick, and after a failed commit
        self._stored = state
        self._inputs: deque[Input] = deque()
        self._selector = parts.effects.selector()
        self._agents = Agents(parts.launcher, self._watch_process, self._unwatch_process)
        self._server = Server(parts.sockets / "agents.sock", self._selector, self._accept_hello, parts.effects.listen)
        self._view = View(
            parts.sockets / "view.sock",
            self._selector,
            Desk(
                lambda: self._state,
                lambda: parts.publisher.summary(self._state, live=True),
                self._inputs.append,
                self.interrupt,
            ),
            parts.effects.listen,
        )
        self._interrupts = 0
        self._drain_by: float | None = None

    def run(
        self,
        workers: tuple[NamedWorker, ...],
        trials: int | None = None,
        budget: Budget | None = None,
        seen_at: float | None = None,
    ) -> State:
        """The state at the end. No agent is alive afterwards, whatever is raised (JournalError, mostly).

        `seen_at`: see `inputs.Began`.
        """
        # What is loaded by now lives as long as the run: the collector need not look at it again and again.
        gc.freeze()
        with _Signals(self._selector, self.interrupt):
            try:
                self.begin(workers, trials, budget, seen_at)
                while not self.turn():
                    pass
            finally:
                self.shut_down()
                gc.unfreeze()
        return self._state

    @property
    def state(self) -> State:
        return self._state

    def begin(
        self,
        workers: tuple[NamedWorker, ...],
        trials: int | None = None,
        budget: Budget | None = None,
        seen_at: float | None = None,
    ) -> None:
        alive = self._adopt(workers)
        # After the agents that are of no use any more have ended, so that whatever they still finish is read.
        jobs = [self._state.jobs[name] for name in self._state.running]
        # An attempt that was asked to stop is not waited for, even where its agent lives: it may have ended meanwhile.
        orphaned = [job.name for job in jobs if job.worker not in alive or job.stop is not None]
        found = [self._parts.result(self._state, name) for name in orphaned]
        ended = tuple(message for message in found if message is not None)
        self._inputs.append(on.Began(workers, trials, alive, budget, ended, seen_at))
        self._look_at_disk()
        code = self._parts.user_code
        if code is not None:
            publisher = self._parts.publisher
            code.begin(publisher.root, self._state, len(workers), self._inputs.append, publisher.warn, self._watch_user_code)
        self._tick()
        if code is not None:
            code.adopt(self._state)

    def turn(self) -> bool:
        """Waits for something to happen, and deals with it; True when it is time to `shut_down`."""
        if self._over():
            return True
        self._wait()
        self._tick()
        return self._over()

    def _adopt(self, workers: tuple[NamedWorker, ...]) -> frozenset[str]:
        before = {(worker.name, worker.gpus, worker.threads) for worker in self._state.workers}
        same = {w.name: Worker(w.gpus, w.threads) for w in workers if (w.name, w.gpus, w.threads) in before}
        return self._agents.adopt(same, self._parts.clock())

    # -- ticks -----------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Digests all inputs, those included that carrying out commands brings."""
        while self._inputs:
            batch = list(self._inputs)
            self._inputs.clear()
            commands: list[Command] = []
            told: list[tuple[State, AnyFact]] = []
            now = self._parts.clock()
            for input in batch:
                told_, commands_ = self._decide(input, now)
                if told_:
                    self._state = told_[-1][0]
                told += told_
                commands += commands_
            self._parts.journal.append([fact for _, fact in told])
            self._stored = self._state
            for state, fact in told:
                self._parts.publisher.fact(state, fact, now)
            if self._parts.user_code is not None:
                self._parts.user_code.facts(told)
            for command in commands:
                self._carry_out(command)

    def _decide(self, input: Input, now: float) -> tuple[list[tuple[State, AnyFact]], list[Command]]:
        """`decide`, where a mistake of our own costs the job it is about, not the run."""
        try:
            return core.decide(self._state, input, now)
        except Exception as error:
            if not isinstance(input, on.Received) or not isinstance(input.message, wire.Metric | wire.Done | wire.Failed):
                raise
            text = f"{type(error).__name__}: {error}"
            broken = on.CannotRun(input.message.job, input.message.fence, "failed", "internal", text)
            return core.decide(self._state, broken, now)

    def _carry_out(self, command: Command) -> None:
        match command:
            case on.Send(worker, message):
                self._send(worker, message)
            case on.StartAttempt(worker, job, fence):
                self._start_attempt(worker, job, fence)
            case on.StartAgent(worker):
                self._start_agent(worker)
            case on.Drop(worker, reason):
                self._parts.publisher.warn(f"{worker} was cut off: {reason}")
                self._server.drop(worker)
                self._on_cut(worker)
            case on.Ask(n):
                self._ask(n)
            case on.Observe(outcome):
                try:
                    self._parts.controller.observe(outcome)
                except Exception as error:
                    self._inputs.append(on.ControllerFailed(f"{type(error).__name__}: {error}"))
                if self._parts.user_code is not None and outcome.index:
                    self._parts.user_code.observed()

    def _send(self, worker: str, message: wire.ToAgent) -> None:
        self._parts.publisher.trace.engine("sent", message, self._parts.clock(), worker=worker)
        self._server.send(worker, message)

    def _start_attempt(self, worker: str, name: str, fence: int) -> None:
        """Renders the configuration of the job and sends it."""
        job = self._state.jobs[name]
        if job.fence != fence or job.ended:
            return
        point = self._state.recommended[job.index].point
        study = self._program.study
        try:
            if study.target is None:
                raise ValueError("the study has no target")
            if isinstance(self._parts.controller, OwnController) and point is not None:
                # The stock controllers recommend nothing that a `require` forbids; Clara's know of no such thing.
                reason = infeasible_because(self._program, point)
                if reason is not None:
                    raise Undefined(reason)
            executors, target = self._parts.executors, study.target
            if executors is not None:
                target = executors.spec(job.index, point, len(self._state.workers))
            config = self._parts.target.render(resolve(self._program, point))
            params = self._parts.publisher.params(self._state, job.index)
            self._send(
                worker,
                wire.Assign(
                    job=name,
                    fence=fence,
                    target=target,
                    config=config,
                    config_name=self._parts.target.config_name,
                    params=params,
                    seed=job.seed,
                    objectives=reported_objectives(study),
                    time_limit_s=study.budget.job_time_s,
                    accelerate=study.accelerate,
                    cache=study.cache,
                    stall_time_s=study.stall_time_s,
                    shares=share_numbers([(w.name, w.gpus) for w in self._state.workers], worker),
                    measured=measured_metrics(study),
                    fold=self._fold(job),
                    goal=goal_at(self._program, point),
                    judged=pruning.is_judged(self._state, job),
                ),
            )
        except Undefined as undefined:
            self._inputs.append(on.CannotRun(name, fence, "infeasible", "infeasible", str(undefined)))
        except (AutoMLError, ValueError, TypeError, LookupError) as error:
            self._inputs.append(on.CannotRun(name, fence, "failed", "user_error", f"its configuration cannot be made: {error}"))

    def _fold(self, job: Job) -> Fold | None:
        study = self._program.study
        number = repetition.fold(study.repeat, job.repetition)
        return None if number is None or study.repeat is None else Fold(number, study.repeat.folds or 1, study.seed)

    def _start_agent(self, worker: str) -> None:
        known = self._state.worker(worker)
        if known is not None:
            hopeless = self._agents.start(worker, Worker(known.gpus, known.threads), self._parts.clock())
            if hopeless is not None:
                self._inputs.append(hopeless)

    def _ask(self, n: int) -> None:
        controller = self._parts.controller
        if isinstance(controller, OwnController):
            controller.ask(n)
            return
        try:
            recommendations = tuple(controller.recommend(n))
            answer = on.Answer(recommendations, controller.exhausted)
        except Exception as error:
            self._inputs.append(on.ControllerFailed(f"{type(error).__name__}: {error}"))
            return
        self._inputs.append(answer)

    # -- what happens ----------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Waits for something to happen, and makes inputs of it."""
        ready = self._selector.select(self.wait_s())
        now = self._parts.clock()
        # Sockets before processes: an agent that said goodbye and ended is heard out first.
        for key, mask in sorted(ready, key=lambda item: getattr(item[0].data, "__name__", "") == "process_event"):
            for happening in list(key.data(mask, now)):
                self._digest(happening, now)
        for cut in list(self._server.check_deadlines(now)):
            self._digest(cut, now)
        self._agents.check_deadlines(now)
        if self._parts.user_code is not None:
            self._parts.user_code.check()
        self._parts.beat(now)
        self._look_at_disk()
        if not self._inputs:
            self._inputs.append(on.Woke())

    def _look_at_disk(self) -> None:
        held = self._parts.disk.check(self._parts.clock()) if self._parts.disk is not None else None
        if held is not None:
            self._inputs.append(held)

    def _digest(self, happening: _Happening, now: float) -> None:
        match happening:
            case Cut(worker, reason):
                self._parts.publisher.note(f"{worker}: {reason}")
                self._on_cut(worker)
            case str(worker):
                ended = self._agents.on_process_event(worker)
                if ended is not None:
                    self._server.drop(worker)
                    self._read_back(worker)
                    self._inputs.append(ended)
            case (worker, message):
                if isinstance(message, wire.Hello):
                    self._agents.on_connected(worker)
                if isinstance(message, wire.Progress):
                    self._parts.publisher.progress(self._state, message)
                    return
                self._parts.publisher.trace.engine("received", message, now, worker=worker)
                self._inputs.append(on.Received(worker, message))

    def _read_back(self, worker: str) -> None:
        """A job may have ended, and its agent before it could say so."""
        known = self._state.worker(worker)
        if known is not None and known.job is not None:
            found = self._parts.result(self._state, known.job)
            if found is not None:
                self._inputs.append(on.Found(found))

    def _on_cut(self, worker: str) -> None:
        self._agents.on_cut(worker, self._parts.clock())
        self._inputs.append(on.AgentCut(worker))

    def _watch_process(self, fd: int, worker: str) -> None:
        def process_event(_mask: int, _now: float) -> Iterator[_Happening]:
            yield worker

        self._selector.register(fd, selectors.EVENT_READ, process_event)

    def _watch_user_code(self, old: HostProcess | None, new: HostProcess | None) -> None:
        def user_code_event(_mask: int, _now: float) -> Iterable[_Happening]:
            if self._parts.user_code is not None:
                self._parts.user_code.on_ready()
            return ()

        if old is not None and old is not new:
            self._selector.unregister(old)
        if new is not None:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if new.wants_write else 0)
            watch = self._selector.modify if old is new else self._selector.register
            watch(new, events, user_code_event)

    def _unwatch_process(self, fd: int) -> None:
        self._selector.unregister(fd)

    def _accept_hello(self, hello: wire.Hello) -> str | None:
        return None if self._state.worker(hello.worker) is not None and hello.worker in self._agents.alive else "unknown_worker"

    def interrupt(self, why: str = "interrupted") -> None:
        """Asks for an end: the first time jobs may stop in order, then they are killed."""
        self._interrupts += 1
        if self._interrupts == 1:
            self._parts.publisher.warn(f"{why}: jobs are asked to stop; once more, and they are killed")
            self._drain_by = self._parts.clock() + DRAIN_S
        else:
            self._drain_by = self._parts.clock()
        self._inputs.append(on.Interrupt())

    def wait_s(self) -> float:
        """How long a turn may wait."""
        now = self._parts.clock()
        waits = [_NAP_S]
        if self._drain_by is not None:
            waits.append(self._drain_by - now)
        left = ending.seconds_left(self._state, now)
        if left is not None and self._state.run == "running" and self._state.stopping is None:
            waits.append(left)
        return max(0.0, min(waits))

    def _over(self) -> bool:
        if self._state.run != "running" and not self._state.draining:
            return True
        late = self._drain_by is not None and self._parts.clock() >= self._drain_by
        return self._state.draining and (not self._state.running or late)

    def shut_down(self) -> None:
        """Ends all agents."""
        clock = self._parts.clock
        try:
            # What did not stop in time is killed by its agent, which knows all its processes.
            for name in self._stored.running:
                job = self._stored.jobs[name]
                self._server.send(job.worker, wire.Superseded(name, job.fence))
            for worker in self._agents.alive:
                self._server.send(worker, wire.Drain(stop_jobs=True))
            self._agents.signal(signal.SIGTERM, connected=False)
            self._agents.reap(GOODBYE_S, clock)
            self._agents.signal(signal.SIGTERM)
            self._agents.reap(TERMINATE_S, clock)
        except WireError:
            pass
        finally:
            self._agents.signal(signal.SIGKILL)
            self._agents.reap(TERMINATE_S, clock)
            if self._parts.user_code is not None:
                self._parts.user_code.close(interrupted=self._state.run in ("running", "paused"))
            self._view.close()
            self._server.close()
            self._selector.close()


class _Signals:
    """SIGINT and SIGTERM wake the selector instead of raising; SIGHUP costs the terminal only. A no-op outside the main thread."""

    def __init__(self, selector: selectors.BaseSelector, callback: Callable[[], None]) -> None:
        self._selector = selector
        self._callback = callback
        self._before: dict[int, Any] = {}
        self._pending = 0

    def __enter__(self) -> None:
        self._in, self._out = socket.socketpair()
        if threading.current_thread() is not threading.main_thread():
            return
        self._in.setblocking(False)
        self._out.setblocking(False)
        self._selector.register(self._out, selectors.EVENT_READ, self._on_wake)
        self._wakeup = signal.set_wakeup_fd(self._in.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def __exit__(self, *_: object) -> None:
        if self._before:
            signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._in.close()
        self._out.close()

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._pending += 1

    def _on_wake(self, _mask: int, _now: float) -> Iterable[_Happening]:
        with contextlib.suppress(BlockingIOError):
            self._out.recv(1024)
        while self._pending:
            self._pending -= 1
            self._callback()
        return ()


def steady_clock() -> Callable[[], float]:
    """Seconds since 1970 by the wall at the start, by the monotonic clock after it."""
    offset = time.time() - time.monotonic()
    return lambda: time.monotonic() + offset
