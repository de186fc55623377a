"""The agent: the process that is a worker. One thread, one selector; it runs one attempt at a time.

It outlives its scheduler: a job that runs goes on, its messages wait, and the agent seeks the run's new endpoint until the orphan
time is over. It must stay light, and free of threads: each job is a fork of it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, assert_never

from automl_run.dsl.ir import Value
from automl_run.engine.core.causes import Cause

# The thin targets are loaded here, once, and not in each job.
from automl_run.engine.targets import command as _command  # noqa: F401
from automl_run.engine.targets import python_function as _python_function  # noqa: F401
from automl_run.engine.wire import messages as wire
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.frames import decode_from_agent
from automl_run.errors import WireError

from .attempt import Attempt
from .effects import Effects
from .folders import JobSpec, is_safe_name
from .gpu_locks import lock_names
from .keeper import DEFAULT_GRACES, DISK_FULL, Graces, Kept
from .outcome import Outcome
from .uplink import Uplink
from .warm import WarmServer


@dataclass(frozen=True, slots=True)
class Settings:
    """`lifeline`: a descriptor whose end of stream means: kill the jobs and exit. `orphan_time_s`: how long to seek a scheduler.

    `libraries`: what a warm server imports for the jobs; () for none. `gpu_ids`: the identity of each of `gpus`, for their locks.
    """

    run_dir: Path
    worker: str
    gpus: tuple[int, ...]
    threads: int
    base_dir: Path
    variables: Mapping[str, Value]
    allow_modules: tuple[str, ...] = ()
    lifeline: int | None = None
    graces: Graces = DEFAULT_GRACES
    orphan_time_s: float = 600.0
    libraries: tuple[str, ...] = ()
    gpu_ids: tuple[str, ...] = ()


#: How often a warm server that is still starting is looked at.
WARM_PATIENCE_S: Final = 10.0
#: So many warm servers may end one after another without having started a job.
WARM_STARTS: Final = 3


class Agent:
    def __init__(self, settings: Settings, effects: Effects | None = None) -> None:
        self._settings = settings
        self._effects = effects if effects is not None else Effects()
        self._selector = self._effects.selector()
        self._attempts: dict[tuple[str, int], Attempt] = {}
        #: keepers that have only themselves to end, by their number
        self._leaving: dict[int, Kept] = {}
        #: the newest attempt of each job that was ever assigned here
        self._newest: dict[str, int] = {}
        self._uplink = Uplink(
            settings.run_dir, settings.orphan_time_s, self._effects, self._selector, self._hello, self._obey, self._say
        )
        self._warm: WarmServer | None = None
        #: since one of them last started a job
        self._warm_starts = 0
        #: why this worker's GPUs are not to be used any more
        self._quarantine: wire.Quarantine | None = None
        self._draining = False
        self._exit_code: int | None = None

    def run(self) -> int:
        """The exit code: 0 after a drain or without a scheduler, 1 when the scheduler refuses this agent."""
        self.begin()
        while not self.turn():
            pass
        return self.leave()

    def begin(self) -> None:
        self._signals = self._effects.signals()
        self._watch(self._signals.fd, self._on_signals)
        if self._settings.lifeline is not None:
            self._watch(self._settings.lifeline, self._on_lifeline)
        if self._settings.libraries:
            self._warm_up()

    def _warm_up(self) -> None:
        self._warm_starts += 1
        try:
            self._warm = self._effects.warm_server(self._settings.libraries, self._settings.threads)
        except OSError as error:
            self._say(f"jobs start cold: the warm server cannot be started: {error}")
            return
        self._watch(self._warm.fd, self._on_warm)

    def _on_warm(self, mask: int = 0) -> None:
        warm = self._warm
        assert warm is not None
        warm.hear()
        if not warm.ready:
            self._cool()
        self._start_next()

    def _cool(self) -> None:
        """The warm server is gone. Another one is started, or from now on each job imports its libraries itself."""
        warm, self._warm = self._warm, None
        assert warm is not None
        self._unwatch(warm.fd)
        warm.close()
        if warm.hopeless or self._warm_starts >= WARM_STARTS:
            self._say(f"warning: jobs start cold from now on; the warm server is not fit: {warm.reason}")
        elif not self._draining:
            self._say(f"the warm server is started again: {warm.reason}")
            self._warm_up()

    def turn(self) -> bool:
        """Waits for something to happen, and deals with it; True when it is time to `leave`."""
        if self._signals.received:
            self._signals.received.clear()
            self._drain("drain")
        self._tick(self._effects.clock())
        if self._draining and not self._attempts:
            return True
        for key, mask in self._selector.select(self.wait_s()):
            # An earlier handler of this turn may have closed what this one is about.
            if key.fd in self._selector.get_map() and self._selector.get_key(key.fd).data is key.data:
                key.data(mask)
        self._uplink.update()
        self._watch_room()
        return self._exit_code is not None

    def wait_s(self) -> float | None:
        """How long a turn may wait; None: until something happens."""
        wait = self._uplink.wait_s()
        if self._warm is not None and self._warm.starting:
            return WARM_PATIENCE_S if wait is None else min(wait, WARM_PATIENCE_S)
        return wait

    def _watch(self, fd: int, handler: Callable[[int], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, handler)

    def _watch_room(self) -> None:
        """A job that has not read for a while gets what waits for it, a Stop behind many an Ack, when it reads again."""
        for attempt in self._attempts.values():
            channel = attempt.channel
            if attempt.kept is None or channel is None or channel.eof or channel.fileno() not in self._selector.get_map():
                continue
            key = self._selector.get_key(channel.fileno())
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.wants_write else 0)
            if key.events != events:
                self._selector.modify(channel.fileno(), events, key.data)

    def _unwatch(self, fd: int) -> None:
        if fd >= 0 and fd in self._selector.get_map():
            self._selector.unregister(fd)

    def _tick(self, now: float) -> None:
        self._uplink.tick(now)
        if self._warm is not None and self._warm.is_late():
            self._cool()
            self._start_next()
        if self._uplink.is_orphan(now):
            if not self._draining:
                self._draining = True
                self._say("no scheduler; this agent ends with its job")
            if not self._effects.has_folder(self._settings.run_dir):
                # Nobody can ever go on with this run, nor read what its jobs write.
                self._say("the run's folder is gone; this agent and its jobs end")
                self._exit_code = 0
        if self._draining and not self._uplink.connected:
            # What is not acknowledged is in result.json.
            self._attempts = {key: attempt for key, attempt in self._attempts.items() if attempt.kept is not None}

    def _hello(self) -> wire.Hello:
        return wire.Hello(
            proto_min=wire.PROTOCOL,
            proto_max=wire.PROTOCOL,
            worker=self._settings.worker,
            host=socket.gethostname(),
            pid=self._effects.pid,
            gpus=self._settings.gpus,
            running=tuple(key for key, attempt in self._attempts.items() if not attempt.superseded),
        )

    # -- what the scheduler says --------------------------------------------------------------------------------------

    def _obey(self, message: wire.ToAgent) -> None:
        match message:
            case wire.Welcome():
                self._welcomed()
            case wire.Reject(code, "", _):
                self._say(f"the scheduler refuses this agent: {code}")
                self._exit_code = 1
            case wire.Reject(code, job, fence):
                self._say(f"the scheduler refuses the result of {job}: {code}")
                self._forget((job, fence))
            case wire.Assign():
                self._assign(message)
            case wire.Stop(job, fence, why):
                self._stop((job, fence), why)
            case wire.Ack(job, fence, seq):
                attempt = self._attempts.get((job, fence))
                if attempt is not None:
                    attempt.pass_on(message)
                    if attempt.acknowledge(seq):
                        del self._attempts[job, fence]
            case wire.Superseded(job, fence):
                self._forget((job, fence))
            case wire.Ping(nonce):
                self._uplink.send(wire.Pong(nonce))
            case wire.Drain(stop_jobs):
                self._drain("drain" if stop_jobs else None)
            case _:
                assert_never(message)

    def _welcomed(self) -> None:
        self._uplink.welcomed()
        if self._quarantine is not None:
            self._uplink.send(self._quarantine)
        for attempt in self._attempts.values():
            if attempt.superseded:
                continue
            if attempt.accept is not None:
                self._uplink.send(attempt.accept)
            # Also of an attempt that failed before it was accepted: somebody waits for that word.
            for message in attempt.unacknowledged:
                self._uplink.send(message)

    def _stop(self, key: tuple[str, int], why: str) -> None:
        attempt = self._attempts.get(key)
        if attempt is None or attempt.ended:
            return
        if attempt.kept is None:
            self._uplink.send(attempt.end(Outcome(*key, values={}, seconds=0.0, stopped=True)))
        attempt.stop(why)

    def _forget(self, key: tuple[str, int]) -> None:
        """Nobody waits for this attempt any more; it leaves when its processes have left."""
        attempt = self._attempts.get(key)
        if attempt is None:
            return
        attempt.superseded = True
        attempt.unacknowledged.clear()
        attempt.kill()
        if attempt.kept is None:
            del self._attempts[key]

    def _drain(self, stop: str | None) -> None:
        self._draining = True
        for key, attempt in list(self._attempts.items()):
            if attempt.kept is None and not attempt.ended:
                self._uplink.send(attempt.fail("preempted", "its worker was told to end"))
            elif stop is not None:
                self._stop(key, stop)

    # -- attempts -----------------------------------------------------------------------------------------------------

    def _assign(self, assign: wire.Assign) -> None:
        known = self._attempts.get((assign.job, assign.fence))
        if known is not None:
            if known.accept is not None:
                self._uplink.send(known.accept)
            return
        settings = self._settings
        spec = JobSpec(
            job=assign.job,
            fence=assign.fence,
            target=assign.target,
            config_name=assign.config_name,
            params=assign.params,
            seed=assign.seed,
            objectives=assign.objectives,
            gpus=settings.gpus,
            threads=settings.threads,
            base_dir=str(settings.base_dir),
            variables=dict(settings.variables),
            allow_modules=settings.allow_modules,
            time_limit_s=assign.time_limit_s,
            accelerate=assign.accelerate,
            cache=assign.cache,
            stall_time_s=assign.stall_time_s,
            locks=lock_names(settings.gpu_ids, assign.shares),
            measured=assign.measured,
            fold=assign.fold,
            goal=assign.goal,
            judged=assign.judged,
        )
        if not (is_safe_name(assign.job) and is_safe_name(assign.config_name)):
            attempt = Attempt(assign, spec, settings.run_dir)
            self._attempts[attempt.key] = attempt
            self._uplink.send(attempt.fail("internal", f"{assign.job!r} or {assign.config_name!r} is no name of a folder or file"))
            return
        attempt = Attempt(assign, spec, self._effects.attempt_dir(settings.run_dir, assign.job, assign.fence))
        self._attempts[attempt.key] = attempt
        outcome = self._effects.read_outcome(attempt.folder, *attempt.key)
        over = assign.fence <= self._newest.get(assign.job, 0)
        self._newest[assign.job] = max(assign.fence, self._newest.get(assign.job, 0))
        if outcome is None and over:
            # A repeated message about an attempt that was over before it ran, or was called off.
            del self._attempts[attempt.key]
        elif outcome is not None:
            # It ran to its end here, and the scheduler never heard of it: once is enough.
            self._accept(attempt, self._effects.pid)
            self._uplink.send(attempt.end(outcome))
        elif self._draining:
            self._uplink.send(attempt.fail("preempted", "its worker was told to end"))
        elif self._quarantine is not None:
            self._uplink.send(attempt.fail("lost", self._quarantine.reason))
        else:
            self._start_next()

    def _start_next(self) -> None:
        """Starts the oldest waiting attempt unless another one still has processes: they share the worker's GPUs."""
        for attempt in self._attempts.values():
            if attempt.kept is not None:
                return
        if self._quarantine is not None or (self._warm is not None and self._warm.starting):
            return
        for attempt in self._attempts.values():
            if not attempt.ended:
                self._start(attempt)
                return

    def _start(self, attempt: Attempt) -> None:
        try:
            settings = self._settings
            kept = self._effects.spawn(settings.run_dir, attempt.spec, attempt.assign.config, attempt.folder, settings.graces)
        except (OSError, ValueError) as error:
            full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            self._uplink.send(attempt.fail("disk_full" if full else "internal", f"the job could not be started: {error}"))
            self._start_next()
            return
        finally:
            if self._warm is not None and not self._warm.ready:
                self._cool()
        if self._warm is not None and self._warm.ready:
            self._warm_starts = 0
        attempt.kept = kept
        attempt.began = self._effects.clock()
        attempt.channel = Connection(kept.channel, decode_from_agent)
        self._watch(kept.pidfd, partial(self._on_keeper_end, attempt))
        self._watch(kept.orders.fileno(), partial(self._on_keeper_word, attempt))
        self._watch(kept.channel.fileno(), partial(self._on_channel, attempt))
        self._accept(attempt, kept.pid)

    def _accept(self, attempt: Attempt, pid: int) -> None:
        attempt.accept = wire.Accept(*attempt.key, pid)
        self._uplink.send(attempt.accept)

    def _on_channel(self, attempt: Attempt, mask: int = 0) -> None:
        """What the job reports goes to the scheduler, in the job's order."""
        channel = attempt.channel
        assert channel is not None
        if mask & selectors.EVENT_WRITE:
            channel.flush()
        try:
            for message in channel.receive():
                match message:
                    case wire.Metric() if not attempt.superseded:
                        self._uplink.send(attempt.metric(message.step, message.values))
                    case wire.Progress() if not attempt.superseded:
                        self._uplink.send(wire.Progress(*attempt.key, message.text, message.fraction))
                    case _:
                        pass
        except WireError as error:
            attempt.broken = f"the job's reports cannot be read: {error}"
            self._unwatch(channel.fileno())
            channel.close()
            attempt.kill()
        else:
            if channel.eof:
                self._unwatch(channel.fileno())

    def _on_keeper_word(self, attempt: Attempt, mask: int) -> None:
        """Its keeper says that the attempt is over: the next one need not wait for the end of the keeper itself."""
        kept = attempt.kept
        assert kept is not None
        self._unwatch(kept.orders.fileno())
        if kept.is_over():
            self._unwatch(kept.pidfd)
            self._leaving[kept.pid] = kept
            self._watch(kept.pidfd, partial(self._bury, kept))
            self._attempt_over(attempt, 0)
        # Else it has closed its end, and ends: its pidfd tells.

    def _bury(self, kept: Kept, mask: int = 0) -> None:
        """Of a keeper that had said its word."""
        del self._leaving[kept.pid]
        self._unwatch(kept.pidfd)
        with contextlib.suppress(ChildProcessError):  # it was among what a dead keeper had left
            self._effects.reap(kept)
        kept.close()

    def _on_keeper_end(self, attempt: Attempt, mask: int) -> None:
        kept = attempt.kept
        assert kept is not None
        self._unwatch(kept.pidfd)
        self._unwatch(kept.orders.fileno())
        code = self._effects.reap(kept)
        self._attempt_over(attempt, code)
        kept.close()

    def _attempt_over(self, attempt: Attempt, code: int) -> None:
        """`code`: the keeper's, of use where it has left no result."""
        channel = attempt.channel
        assert channel is not None
        # Whatever a failed send made of its `eof`: what the job had said is still there to be read.
        self._on_channel(attempt)
        self._unwatch(channel.fileno())
        attempt.kept = None
        outcome = self._effects.read_outcome(attempt.folder, *attempt.key)
        if outcome is None:
            outcome = self._without_keeper(attempt, code)
        if attempt.superseded:
            self._attempts.pop(attempt.key, None)
        else:
            self._uplink.send(attempt.end(outcome))
        if outcome.survivors:
            self._report_survivors(attempt.spec.job, outcome.survivors)
        self._start_next()

    def _report_survivors(self, job: str, survivors: tuple[int, ...]) -> None:
        """Processes in an uninterruptible system call: nothing waits for them, but their GPUs are not to be used."""
        text = f"the processes {list(survivors)} of {job} cannot be ended"
        self._say(text)
        if self._settings.gpus:
            self._quarantine = wire.Quarantine(f"{self._settings.worker} gets no more jobs: {text}, and may still use its GPUs")
            self._uplink.send(self._quarantine)

    def _without_keeper(self, attempt: Attempt, code: int) -> Outcome:
        """The keeper died before its job: the agent, a subreaper too, has inherited the job's processes and ends them."""
        survivors = self._effects.kill_descendants(self._signals)
        cause: Cause = "disk_full" if code == DISK_FULL else "lost"
        message = "its result could not be written" if code == DISK_FULL else f"its keeper ended early ({code})"
        seconds = self._effects.clock() - attempt.began
        left = tuple(survivors)
        outcome = Outcome(*attempt.key, values={}, seconds=seconds, cause=cause, message=message, code=code, survivors=left)
        try:
            self._effects.write_outcome(attempt.folder, outcome)
        except OSError as error:
            self._say(f"the result of {attempt.spec.job} cannot be written: {error}")
        return outcome

    # -- the end ------------------------------------------------------------------------------------------------------

    def _on_signals(self, mask: int) -> None:
        self._signals.clear()
        kept = [attempt.kept.pid for attempt in self._attempts.values() if attempt.kept is not None]
        self._effects.reap_orphans([*kept, *self._leaving])

    def _on_lifeline(self, mask: int) -> None:
        assert self._settings.lifeline is not None
        if not os.read(self._settings.lifeline, 4096):
            self._exit_code = 0

    def leave(self) -> int:
        """The exit code. No process of a job outlives the agent: keepers see the end of their orders, and kill."""
        for attempt in self._attempts.values():
            if attempt.kept is not None:
                attempt.kill()
                self._effects.reap(attempt.kept)
        for kept in list(self._leaving.values()):
            self._bury(kept)
        if self._warm is not None:
            self._warm.close()
        self._uplink.send(wire.Bye())
        self._uplink.close()
        self._selector.close()
        return self._exit_code or 0

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):  # its log lies on the disk of the run, which may be full
            print(f"{self._settings.worker}: {text}", file=sys.stderr, flush=True)
