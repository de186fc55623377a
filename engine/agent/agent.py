"""The agent: the process that is a worker. One thread, one selector; it runs one attempt at a time.

It outlives its scheduler: a job that runs goes on, its messages wait, and the agent seeks the run's new endpoint until the orphan
time is over. It must stay light, and free of threads: each job is a fork of it.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import assert_never

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
from .folders import JobSpec, attempt_dir, is_safe_name, prepare
from .keeper import DEFAULT_GRACES, DISK_FULL, KILL_TIMEOUT_S, Graces, start_keeper
from .outcome import Outcome, read_outcome, write_outcome
from .processes import ChildSignals, become_subreaper, kill_descendants
from .uplink import Uplink


@dataclass(frozen=True, slots=True)
class Settings:
    """`lifeline`: a descriptor whose end of stream means: kill the jobs and exit. `orphan_time_s`: how long to seek a scheduler."""

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


class Agent:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._selector = selectors.DefaultSelector()
        self._attempts: dict[tuple[str, int], Attempt] = {}
        self._uplink = Uplink(settings.run_dir, settings.orphan_time_s, self._selector, self._hello, self._obey, self._say)
        self._draining = False
        self._exit_code: int | None = None

    def run(self) -> int:
        """The exit code: 0 after a drain or without a scheduler, 1 when the scheduler refuses this agent."""
        become_subreaper()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._signals = ChildSignals(also=(signal.SIGTERM, signal.SIGINT))
        self._watch(self._signals.fd, self._on_signals)
        if self._settings.lifeline is not None:
            self._watch(self._settings.lifeline, self._on_lifeline)
        while self._exit_code is None:
            if self._signals.received:
                self._signals.received.clear()
                self._drain("drain")
            self._tick(time.monotonic())
            if self._draining and not self._attempts:
                break
            for key, mask in self._selector.select(self._uplink.wait_s()):
                # An earlier handler of this turn may have closed what this one is about.
                if key.fd in self._selector.get_map() and self._selector.get_key(key.fd).data is key.data:
                    key.data(mask)
            self._uplink.update()
        self._leave()
        return self._exit_code or 0

    def _watch(self, fd: int, handler: Callable[[int], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, handler)

    def _unwatch(self, fd: int) -> None:
        if fd >= 0 and fd in self._selector.get_map():
            self._selector.unregister(fd)

    def _tick(self, now: float) -> None:
        self._uplink.tick(now)
        if self._uplink.is_orphan(now) and not self._draining:
            self._draining = True
            self._say("no scheduler; this agent ends with its job")
        if self._draining and not self._uplink.connected:
            # What is not acknowledged is in result.json.
            self._attempts = {key: attempt for key, attempt in self._attempts.items() if attempt.kept is not None}

    def _hello(self) -> wire.Hello:
        return wire.Hello(
            proto_min=wire.PROTOCOL,
            proto_max=wire.PROTOCOL,
            worker=self._settings.worker,
            host=socket.gethostname(),
            pid=os.getpid(),
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
                if attempt is not None and attempt.acknowledge(seq):
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
        for attempt in self._attempts.values():
            if attempt.accept is not None and not attempt.superseded:
                self._uplink.send(attempt.accept)
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
        )
        if not (is_safe_name(assign.job) and is_safe_name(assign.config_name)):
            attempt = Attempt(assign, spec, settings.run_dir)
            self._attempts[attempt.key] = attempt
            self._uplink.send(attempt.fail("internal", f"{assign.job!r} or {assign.config_name!r} is no name of a folder or file"))
            return
        attempt = Attempt(assign, spec, attempt_dir(settings.run_dir, assign.job, assign.fence))
        self._attempts[attempt.key] = attempt
        outcome = read_outcome(attempt.folder, *attempt.key)
        if outcome is not None:
            # It ran to its end here, and the scheduler never heard of it: once is enough.
            self._accept(attempt, os.getpid())
            self._uplink.send(attempt.end(outcome))
        elif self._draining:
            self._uplink.send(attempt.fail("preempted", "its worker was told to end"))
        else:
            self._start_next()

    def _start_next(self) -> None:
        """Starts the oldest waiting attempt unless another one still has processes: they share the worker's GPUs."""
        for attempt in self._attempts.values():
            if attempt.kept is not None:
                return
        for attempt in self._attempts.values():
            if not attempt.ended:
                self._start(attempt)
                return

    def _start(self, attempt: Attempt) -> None:
        try:
            prepare(self._settings.run_dir, attempt.spec, attempt.assign.config)
            kept = start_keeper(attempt.spec, attempt.folder, self._settings.graces)
        except (OSError, ValueError) as error:
            full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            self._uplink.send(attempt.fail("disk_full" if full else "internal", f"the job could not be started: {error}"))
            self._start_next()
            return
        attempt.kept = kept
        attempt.began = time.monotonic()
        attempt.channel = Connection(kept.channel, decode_from_agent)
        self._watch(kept.pidfd, partial(self._on_keeper_end, attempt))
        self._watch(kept.channel.fileno(), partial(self._on_channel, attempt))
        self._accept(attempt, kept.pid)

    def _accept(self, attempt: Attempt, pid: int) -> None:
        attempt.accept = wire.Accept(*attempt.key, pid)
        self._uplink.send(attempt.accept)

    def _on_channel(self, attempt: Attempt, mask: int = 0) -> None:
        """What the job reports goes to the scheduler, in the job's order."""
        channel = attempt.channel
        assert channel is not None
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

    def _on_keeper_end(self, attempt: Attempt, mask: int) -> None:
        kept, channel = attempt.kept, attempt.channel
        assert kept is not None
        assert channel is not None
        code = os.waitstatus_to_exitcode(os.waitpid(kept.pid, 0)[1])
        if not channel.eof:
            self._on_channel(attempt)
        self._unwatch(kept.pidfd)
        self._unwatch(channel.fileno())
        kept.close()
        attempt.kept = None
        outcome = read_outcome(attempt.folder, *attempt.key)
        if outcome is None:
            outcome = self._without_keeper(attempt, code)
        if attempt.superseded:
            self._attempts.pop(attempt.key, None)
        else:
            self._uplink.send(attempt.end(outcome))
        self._start_next()

    def _without_keeper(self, attempt: Attempt, code: int) -> Outcome:
        """The keeper died before its job: the agent, a subreaper too, has inherited the job's processes and ends them."""
        survivors = kill_descendants(self._signals, KILL_TIMEOUT_S)
        if survivors:
            self._say(f"could not end the processes {survivors} of {attempt.spec.job}")
        cause: Cause = "disk_full" if code == DISK_FULL else "lost"
        message = "its result could not be written" if code == DISK_FULL else f"its keeper ended early ({code})"
        seconds = time.monotonic() - attempt.began
        outcome = Outcome(*attempt.key, values={}, seconds=seconds, cause=cause, message=message, code=code)
        try:
            write_outcome(attempt.folder, outcome)
        except OSError as error:
            self._say(f"the result of {attempt.spec.job} cannot be written: {error}")
        return outcome

    # -- the end ------------------------------------------------------------------------------------------------------

    def _on_signals(self, mask: int) -> None:
        self._signals.clear()

    def _on_lifeline(self, mask: int) -> None:
        assert self._settings.lifeline is not None
        if not os.read(self._settings.lifeline, 4096):
            self._exit_code = 0

    def _leave(self) -> None:
        """No process of a job outlives the agent: keepers see the end of their orders, and kill."""
        for attempt in self._attempts.values():
            if attempt.kept is not None:
                attempt.kill()
                os.waitpid(attempt.kept.pid, 0)
        self._uplink.send(wire.Bye())
        self._uplink.close()
        self._selector.close()

    def _say(self, text: str) -> None:
        print(f"{self._settings.worker}: {text}", file=sys.stderr, flush=True)
