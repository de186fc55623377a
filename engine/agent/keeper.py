"""The keeper: parent of one job's processes. It outlives them, ends them all, and leaves `result.json` before it ends itself.

    agent --fork--> keeper --fork--> job --> whatever the job starts

The keeper talks to its agent over one socket pair: bytes to it are orders, and the end of the stream means that the agent is gone.
"""

from __future__ import annotations

import enum
import errno
import gc
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NoReturn

import msgspec

from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.frames import decode_to_agent

from .folders import LOG_FILE, JobSpec, log_tail
from .job import run_forked_job
from .outcome import Ending, Outcome, Seen, conclude, write_outcome
from .processes import (
    ChildSignals,
    become_subreaper,
    close_descriptors,
    die_with_parent,
    ended_child,
    kill_descendants,
    oom_kill_count,
    send_signal,
)

#: A keeper's exit code when it could not write `result.json` for lack of space.
DISK_FULL: Final = 28
#: How long processes that were sent SIGKILL may take to end.
KILL_TIMEOUT_S: Final = 10.0
_OOM_SCORE: Final = "500"


class Order(enum.Enum):
    """One byte from the agent."""

    STOP = b"S"
    KILL = b"K"


@dataclass(frozen=True, slots=True)
class Graces:
    """`stop_s`: from the request to stop until SIGTERM. `term_s`: from SIGTERM until SIGKILL. `exit_s`: from the job's last word to
    the end of its process."""

    stop_s: float = 10.0
    term_s: float = 5.0
    exit_s: float = 10.0


DEFAULT_GRACES: Final = Graces()


@dataclass(slots=True)
class Kept:
    """The agent's side of a keeper. `orders` also is its lifeline; `channel` leads to the job."""

    pid: int
    pidfd: int
    orders: socket.socket
    channel: socket.socket

    def order(self, order: Order) -> None:
        """A keeper that is gone is not an error: its pidfd tells."""
        try:
            self.orders.send(order.value)
        except OSError:
            return

    def close(self) -> None:
        os.close(self.pidfd)
        self.orders.close()
        self.channel.close()


def start_keeper(spec: JobSpec, folder: Path, graces: Graces) -> Kept:
    """Forks the keeper of this attempt, whose folder is prepared. The calling process must have one thread.

    A fork, not a new interpreter: it takes milliseconds, and nothing that a training library minds is loaded in an agent.
    """
    orders, their_orders = socket.socketpair()
    channel, their_channel = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _become_keeper(spec, folder, graces, their_orders, their_channel)
    their_orders.close()
    their_channel.close()
    return Kept(pid, os.pidfd_open(pid), orders, channel)


def _become_keeper(spec: JobSpec, folder: Path, graces: Graces, orders: socket.socket, channel: socket.socket) -> NoReturn:
    """Never returns: the frames above are a copy of the agent's."""
    code = 1
    try:
        # What the agent had allocated stays out of the way of the collector, and of destructors that would close our descriptors.
        gc.freeze()
        _reset_signals()
        os.setsid()
        close_descriptors({orders.fileno(), channel.fileno()})
        _redirect(folder / LOG_FILE)
        become_subreaper()
        _Keeper(spec, folder, graces, orders).keep(channel)
        code = 0
    except BaseException as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            code = DISK_FULL
        print(f"automl-run: the keeper of {spec.job} failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


class _Keeper:
    def __init__(self, spec: JobSpec, folder: Path, graces: Graces, orders: socket.socket) -> None:
        self._spec, self._folder, self._graces, self._orders = spec, folder, graces, orders
        self._job = 0
        self._code: int | None = None
        self._said = b""
        self._reason: Literal["stop", "timeout", "superseded", "agent_lost"] | None = None
        self._stop_asked = False
        #: what is to be done next, if nothing happens before: times of the monotonic clock
        self._term_at: float | None = None
        self._kill_at: float | None = None
        self._limit_at: float | None = None

    def keep(self, channel: socket.socket) -> None:
        began = time.monotonic()
        oom_kills = oom_kill_count()
        words, their_words = os.pipe()
        signals = ChildSignals()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        keeper_pid = os.getpid()
        self._job = os.fork()
        if self._job == 0:
            os.close(words)
            self._orders.close()
            _become_job(self._spec, self._folder, channel, their_words, keeper_pid)
        os.close(their_words)
        channel.close()
        if self._spec.time_limit_s is not None:
            self._limit_at = began + self._spec.time_limit_s
        self._watch(signals, words)
        seconds = time.monotonic() - began
        survivors = kill_descendants(signals, KILL_TIMEOUT_S)
        self._hear(words)
        if survivors:
            print(f"automl-run: could not end the processes {survivors}", file=sys.stderr, flush=True)
        seen = Seen(self._code, self._reason, self._stop_asked, oom_kill_count() - oom_kills, self._spec.time_limit_s)
        self._write(seen, seconds)

    # -- until the job's process has ended, or must be killed ---------------------------------------------------------

    def _watch(self, signals: ChildSignals, words: int) -> None:
        os.set_blocking(words, False)
        self._orders.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(signals.fd, selectors.EVENT_READ)
            selector.register(self._orders, selectors.EVENT_READ)
            selector.register(words, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select(self._wait_s()):
                    if key.fd == signals.fd:
                        signals.clear()
                    elif key.fd == words:
                        if self._hear(words):
                            selector.unregister(words)
                            self._kill_at = _sooner(self._kill_at, time.monotonic() + self._graces.exit_s)
                    elif self._obey():
                        return
                if self._reap() or self._tick():
                    return

    def _wait_s(self) -> float | None:
        times = [at for at in (self._term_at, self._kill_at, self._limit_at) if at is not None]
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
        if not self._stop_asked:
            self._stop_asked = True
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
        if self._limit_at is not None and now >= self._limit_at:
            self._limit_at = None
            if not self._said and self._reason is None:
                self._reason = "timeout"
                self._terminate(now)
        if self._term_at is not None and now >= self._term_at:
            self._term_at = None
            if not self._said and self._reason is None:
                self._reason = "stop"
                self._terminate(now)
        return self._kill_at is not None and now >= self._kill_at

    def _terminate(self, now: float) -> None:
        # To the job alone: it may need its helpers for a last checkpoint, and they die with it anyway.
        send_signal(self._job, signal.SIGTERM)
        self._kill_at = _sooner(self._kill_at, now + self._graces.term_s)

    # -- after the job ------------------------------------------------------------------------------------------------

    def _write(self, seen: Seen, seconds: float) -> None:
        ending: Ending | None = None
        if self._said.endswith(b"\n"):
            try:
                ending = msgspec.json.decode(self._said, type=Ending)
            except msgspec.MsgspecError:
                ending = None
        tail = log_tail(self._folder)
        end = conclude(ending, seen, tail)
        outcome = Outcome(
            job=self._spec.job,
            fence=self._spec.fence,
            values=end.values,
            seconds=seconds,
            stopped=end.stopped,
            cause=end.cause,
            message=end.message,
            code=seen.code if end.code is None else end.code,
            tail=tail if end.cause is not None else "",
        )
        write_outcome(self._folder, outcome)


def _sooner(a: float | None, b: float) -> float:
    return b if a is None else min(a, b)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)


def _redirect(log: Path) -> None:
    """stdin from nowhere, stdout and stderr to the end of `log`, line by line."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115


def _become_job(spec: JobSpec, folder: Path, channel: socket.socket, words: int, keeper_pid: int) -> NoReturn:
    """Never returns: the frames above are a copy of the keeper's."""
    try:
        die_with_parent(keeper_pid)
        os.setsid()
        close_descriptors({channel.fileno(), words})
        _reset_signals()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _prefer_for_oom()
        run_forked_job(spec, folder, Connection(channel, decode_to_agent), words)
    except BaseException as error:
        print(f"automl-run: {spec.job} could not be started: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(1)


def _prefer_for_oom() -> None:
    """When memory runs out, the kernel should take the job, not its keeper, its agent or the scheduler."""
    try:
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    except OSError:
        return
