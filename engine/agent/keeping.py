"""What a keeper does: gets the GPUs, starts the job, watches it, ends all its processes, and writes down how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import selectors
import signal
import socket
import time
from pathlib import Path
from typing import Final

import msgspec

from automl_run.engine.targets.oom_kills import oom_kill_count
from automl_run.engine.targets.out_of_memory import suggestion
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.frames import decode_to_agent
from automl_run.engine.wire.messages import Progress

from . import gpu_locks, gpu_memory
from .birth import Inheritance, Nursery, become_job
from .folders import JobSpec, log_tail
from .job import DUMP_SIGNAL
from .log_pump import LogPump
from .measured import PEAK_MEMORY
from .memory import INTERVAL_S, PeakMemory, sweep_shared_memory
from .orders import OVER, Graces, Order
from .outcome import Ending, Outcome, Reason, ResultFile, Seen, conclude
from .processes import ChildSignals, ended_child, has_descriptors, kill_descendants, send_signal

#: How long processes that were sent SIGKILL may take to end.
KILL_TIMEOUT_S: Final = 10.0
#: From the request to a stalled job to write down where it is, until SIGTERM.
_DUMP_S: Final = 0.5
#: Between two tries to get GPUs that another attempt has.
_LOCK_PAUSE_S: Final = 0.2
#: So long a job waits for processes that compute on its GPUs.
_MEMORY_PATIENCE_S: Final = 30.0


class Keeping:
    def __init__(
        self,
        spec: JobSpec,
        folder: Path,
        graces: Graces,
        orders: socket.socket,
        channel: socket.socket,
        nursery: Nursery | None = None,
    ) -> None:
        self._spec, self._folder, self._graces, self._orders, self._channel = spec, folder, graces, orders, channel
        self._pump = LogPump(folder)
        self._result = ResultFile(folder)
        self._nursery = nursery
        peak = PeakMemory() if nursery is None else nursery.peak
        self._peak = peak if PEAK_MEMORY in spec.measured else None
        self._job = 0
        self._began = 0.0
        #: when the job had said its last word
        self._said_at: float | None = None
        self._code: int | None = None
        self._said = b""
        self._reason: Reason | None = None
        self._stop_asked = False
        #: what is to be done next, if nothing happens before: times of the monotonic clock
        self._term_at: float | None = None
        self._kill_at: float | None = None
        self._limit_at: float | None = None
        self._stall_at: float | None = None
        self._look_at: float | None = None

    def keep(self) -> None:
        """Until nothing of the attempt is left but its folder."""
        signals = ChildSignals()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        oom_kills = oom_kill_count()
        self._orders.setblocking(False)
        held = self._get_gpus()
        self._began = ended_at = time.monotonic()
        words: int | None = None
        if held is not None:
            words, pulse = self._start(held)
            self._watch(signals, words, pulse)
            ended_at = time.monotonic()
        of_job = {self._job} - {0}
        survivors = kill_descendants(signals, KILL_TIMEOUT_S, seen=of_job)
        gpu_locks.release(held or ())
        if words is not None:
            self._hear(words)
        self._pump.drain()
        sweep_shared_memory(of_job - set(survivors))
        if survivors:
            self._pump.say(f"could not end the processes {survivors}")
        spec = self._spec
        oom_kills = oom_kill_count() - oom_kills
        seen = Seen(self._code, self._reason, self._stop_asked, oom_kills, spec.time_limit_s, spec.stall_time_s)
        self._result.write(self._outcome(seen, survivors, ended_at))
        with contextlib.suppress(OSError):  # the agent is gone
            self._orders.send(OVER)

    # -- before the job ---------------------------------------------------------------------------------------------------

    def _get_gpus(self) -> list[int] | None:
        """The locks of its GPUs, which the job inherits; None when the attempt was called off meanwhile."""
        said = False
        while (held := gpu_locks.acquire(self._spec.locks)) is None:
            if not said:
                said = True
                self._tell(f"waits for {', '.join(self._spec.locks)}: another job of this host has it")
            if self._is_called_off():
                return None
        if self._get_memory():
            return held
        gpu_locks.release(held)
        return None

    def _get_memory(self) -> bool:
        """Waits until nobody computes on its GPUs; False when the attempt was called off meanwhile. Strangers may stay for ever."""
        mine, until, said = gpu_memory.alone(self._spec.locks), time.monotonic() + _MEMORY_PATIENCE_S, False
        while busy := gpu_memory.users(mine):
            text = "; ".join(f"the processes {pids} compute on {uuid}" for uuid, pids in busy.items())
            if time.monotonic() >= until:
                self._tell(f"starts all the same: {text}")
                break
            if not said:
                said = True
                self._tell(f"waits for memory: {text}")
            if self._is_called_off():
                return False
        return True

    def _tell(self, text: str) -> None:
        self._pump.say(text)
        Connection(self._channel, decode_to_agent).send(Progress(self._spec.job, self._spec.fence, text))

    def _is_called_off(self) -> bool:
        """After a pause."""
        if select.select([self._orders], [], [], _LOCK_PAUSE_S)[0] and (self._obey() or self._stop_asked):
            self._reason = self._reason or "stop"
            return True
        return False

    def _start(self, held: list[int]) -> tuple[int, int]:
        """The job begins. The pipe of its last words, and the eventfd of its signs of life."""
        words, their_words = os.pipe()
        pulse = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        keeper_pid = os.getpid()
        has = Inheritance(self._channel, their_words, pulse, self._pump.write_end, held, self._peak)
        if self._nursery is not None:
            self._job = self._nursery.pid
            self._nursery.bear(self._folder, has)
        else:
            self._job = os.fork()
            if self._job == 0:
                become_job(self._spec, self._folder, has, keeper_pid)
        os.close(their_words)
        os.close(self._pump.write_end)
        self._channel.close()
        now = time.monotonic()
        if self._spec.time_limit_s is not None:
            self._limit_at = now + self._spec.time_limit_s
        if self._peak is not None:
            self._look_at = now
        self._live(now)
        return words, pulse

    # -- until the job's process has ended, or must be killed ---------------------------------------------------------

    def _watch(self, signals: ChildSignals, words: int, pulse: int) -> None:
        os.set_blocking(words, False)
        with selectors.DefaultSelector() as selector:
            for fd in (signals.fd, self._orders.fileno(), words, pulse, self._pump.fd):
                selector.register(fd, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select(self._wait_s()):
                    if key.fd == signals.fd:
                        signals.clear()
                    elif key.fd == words:
                        if self._hear(words):
                            selector.unregister(words)
                            self._said_at = time.monotonic()
                            self._kill_at = _sooner(self._kill_at, self._said_at + self._graces.exit_s)
                            self._stage()
                    elif key.fd == pulse:
                        os.eventfd_read(pulse)
                        self._live(time.monotonic())
                    elif key.fd == self._pump.fd:
                        some, end = self._pump.pump()
                        if end:
                            selector.unregister(self._pump.fd)
                        if some:
                            self._live(time.monotonic())
                    elif self._obey():
                        return
                if self._reap() or self._tick():
                    return

    def _live(self, now: float) -> None:
        """The job gave a sign of life."""
        if self._spec.stall_time_s is not None and self._reason is None:
            self._stall_at = now + self._spec.stall_time_s

    def _wait_s(self) -> float | None:
        known = (self._term_at, self._kill_at, self._limit_at, self._stall_at, self._look_at)
        times = [at for at in known if at is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _hear(self, words: int) -> bool:
        """Takes what the job said; True when that was all."""
        while True:
            try:
                data = os.read(words, 65536)
            except BlockingIOError:
                return False
            self._said += data
            if not data or self._said.endswith(b"\n"):
                return True

    def _obey(self) -> bool:
        """True: kill everything now."""
        try:
            orders = self._orders.recv(64)
        except BlockingIOError:
            return False
        except OSError:
            orders = b""
        if not orders:
            self._reason = "agent_lost"
            return True
        if Order.KILL.value in orders:
            self._reason = "superseded"
            return True
        if Order.STOP.value in orders and not self._stop_asked:
            self._stop_asked = True
            if self._reason is None:
                self._term_at = time.monotonic() + self._graces.stop_s
        return False

    def _reap(self) -> bool:
        """Buries the dead; True when the job's own process is among them, whose status is then in `_code`."""
        while (pid := ended_child()) is not None:
            status = os.waitpid(pid, 0)[1]
            if pid == self._job:
                self._code = os.waitstatus_to_exitcode(status)
                return True
        return False

    def _tick(self) -> bool:
        """What time demands. True: kill everything now."""
        now = time.monotonic()
        if self._look_at is not None and self._peak is not None and now >= self._look_at:
            self._peak.look(self._job)
            self._look_at = now + INTERVAL_S
        if self._limit_at is not None and now >= self._limit_at:
            self._limit_at = None
            if not self._said and self._reason is None:
                self._reason = "timeout"
                self._terminate(now)
        if self._stall_at is not None and now >= self._stall_at:
            self._stall_at = None
            if not self._said and self._reason is None:
                self._reason = "stalled"
                self._pump.say(f"nothing was reported or logged for {self._spec.stall_time_s:g} s; where the job is:")
                send_signal(self._job, DUMP_SIGNAL)
                self._term_at = now + _DUMP_S
        if self._term_at is not None and now >= self._term_at:
            self._term_at = None
            if not self._said and self._reason in (None, "stalled"):
                self._reason = self._reason or "stop"
                self._terminate(now)
        if self._kill_at is None or now < self._kill_at:
            return False
        if self._reason is None and not self._said and has_descriptors(self._job):
            self._reason = "unheard"
        return True

    def _terminate(self, now: float) -> None:
        # To the job alone: it may need its helpers for a last checkpoint, and they die with it anyway.
        send_signal(self._job, signal.SIGTERM)
        self._kill_at = _sooner(self._kill_at, now + self._graces.term_s)

    # -- after the job ------------------------------------------------------------------------------------------------

    def _stage(self) -> None:
        """The disk is slow, and so is the end of a large process: a job that says that all went well has its result written down
        while it ends. Should anything else come of it, another one is."""
        ending = self._ending()
        if ending is not None and ending.cause is None and not ending.stopped:
            with contextlib.suppress(OSError):  # there will be another try
                self._result.stage(self._outcome(Seen(code=0), [], time.monotonic()))

    def _ending(self) -> Ending | None:
        if not self._said.endswith(b"\n"):
            return None
        try:
            return msgspec.json.decode(self._said, type=Ending)
        except msgspec.MsgspecError:
            return None

    def _outcome(self, seen: Seen, survivors: list[int], ended_at: float) -> Outcome:
        ending = self._ending()
        tail = log_tail(self._folder)
        end = conclude(ending, seen, tail)
        return Outcome(
            job=self._spec.job,
            fence=self._spec.fence,
            values=end.values,
            seconds=(ended_at if self._said_at is None else self._said_at) - self._began,
            stopped=end.stopped,
            cause=end.cause,
            message=self._with_suggestion(end),
            code=seen.code if end.code is None else end.code,
            tail=tail if end.cause is not None else "",
            survivors=tuple(survivors),
            reported=ending.reported if ending is not None else {},
        )

    def _with_suggestion(self, end: Ending) -> str:
        """What it failed of, and for lack of memory what may help."""
        if end.cause not in ("oom_host", "oom_gpu"):
            return end.message
        try:
            config = json.loads((self._folder / "config" / self._spec.config_name).read_bytes())
        except (OSError, ValueError):
            config = {}
        return f"{end.message}; {suggestion(end.cause, config)}"


def _sooner(a: float | None, b: float) -> float:
    return b if a is None else min(a, b)
