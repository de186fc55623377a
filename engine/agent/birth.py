"""From a keeper's fork to the job that runs in it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from automl_run.engine.targets.seeding import seed_libraries
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.frames import decode_to_agent

from .folders import JobSpec, read_job_spec
from .job import run_forked_job
from .memory import PeakMemory
from .processes import close_descriptors, die_with_parent, reset_signals
from .streams import set_streams
from .threads import set_threads

_OOM_SCORE: Final = "500"
#: the channel, the pipes, and two locks for each of many GPUs
_MAX_DESCRIPTORS: Final = 128


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What a job has of its keeper: the `channel` to its agent, the pipe of its last `words`, the `pulse` eventfd, where its output
    goes (`log`), the descriptors that hold its GPUs, and what is seen of its memory."""

    channel: socket.socket
    words: int
    pulse: int
    log: int
    held: list[int]
    peak: PeakMemory | None


class Nursery:
    """A process forked ahead, by what will be its keeper, that waits to become the job. It dies with its parent."""

    def __init__(self) -> None:
        self.peak = PeakMemory()
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        keeper_pid = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _wait_for_birth(theirs, self.peak, keeper_pid)
        theirs.close()

    def bear(self, folder: Path, has: Inheritance) -> None:
        """Lets it become the job of `folder`. A process that is gone is not an error: its parent sees."""
        with self.sock as sock, contextlib.suppress(OSError):
            socket.send_fds(sock, [str(folder).encode()], [has.channel.fileno(), has.words, has.pulse, has.log, *has.held])


def _wait_for_birth(sock: socket.socket, peak: PeakMemory, keeper_pid: int) -> NoReturn:
    """Never returns."""
    try:
        die_with_parent(keeper_pid)
        close_descriptors({sock.fileno()})
        _touch()
        data, (channel, words, pulse, log, *held), _, _ = socket.recv_fds(sock, 65536, _MAX_DESCRIPTORS)
        folder = Path(data.decode())
        spec = read_job_spec(folder)
        if spec is not None:
            become_job(spec, folder, Inheritance(socket.socket(fileno=channel), words, pulse, log, held, peak), keeper_pid)
    finally:
        os._exit(1)


def _touch() -> None:
    """What every job does first, done once ahead: a page of memory that is written to for the first time after a fork is copied."""
    seed_libraries(0)
    set_threads(1)
    importlib.invalidate_caches()
    importlib.util.find_spec("automl_run_has_no_such_module")


def become_job(spec: JobSpec, folder: Path, has: Inheritance, keeper_pid: int) -> NoReturn:
    """Never returns: the frames above are a copy of the keeper's."""
    try:
        die_with_parent(keeper_pid)
        os.setsid()
        set_streams(has.log)
        close_descriptors({has.channel.fileno(), has.words, has.pulse, *has.held})
        reset_signals()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _prefer_for_oom()
        run_forked_job(spec, folder, Connection(has.channel, decode_to_agent), has.words, has.pulse, has.peak)
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
