"""A job of several processes, one a GPU: started by torchrun, heard through a socket, ended together.

    job --> torchrun --> rank 0, rank 1, ...        `rank.py` is the life of one of them

Each rank says over its connection how it ended; the first rank's reports pass through here, and so does a request to stop. What
ends without a word has crashed: torchrun then ends the others at once, and nobody starts them again: retries are the scheduler's.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

from automl_run.dsl.ir import Value
from automl_run.engine.targets.base import DistributedTarget
from automl_run.engine.targets.child_output import ChildOutput
from automl_run.engine.targets.conversation import also_on_sigterm
from automl_run.engine.targets.failures import cause_of_status, cause_of_text
from automl_run.engine.targets.oom_kills import oom_kill_count
from automl_run.engine.wire import messages as wire
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.frames import decode_from_agent
from automl_run.errors import JobError

from .folders import JobSpec
from .measured import PEAK_GPU_MEMORY
from .processes import die_with_parent
from .report import ChannelReport

#: Where a rank finds its job.
SOCKET_VARIABLE: Final = "AUTOML_RANK_SOCKET"
#: How many processes a job on a CPU worker trains with: a rehearsal of as many GPUs.
CPU_RANKS_VARIABLE: Final = "AUTOML_RUN_CPU_RANKS"
_MOST_CPU_RANKS: Final = 64
#: From the first failure of a rank to the end of torchrun, which ends the others.
_END_S: Final = 20.0
_EXIT_CODE: Final = re.compile(r"exitcode\s*:\s*(-?\d+)")


def ranks_of(target: object, config: Mapping[str, Value], spec: JobSpec) -> int:
    """How many processes a job trains with. JobError for a `CPU_RANKS_VARIABLE` that is no number."""
    if not isinstance(target, DistributedTarget):
        return 1
    if spec.gpus:
        return max(1, target.ranks(config, len(spec.gpus)))
    asked = os.environ.get(CPU_RANKS_VARIABLE, "1")
    if not asked.isdecimal() or not 1 <= int(asked) <= _MOST_CPU_RANKS:
        raise JobError("user_error", f"{CPU_RANKS_VARIABLE} must be a number from 1 to {_MOST_CPU_RANKS}, not {asked!r}")
    return max(1, target.ranks(config, int(asked)))


def run_ranks(spec: JobSpec, folder: Path, ranks: int, report: ChannelReport) -> dict[str, float]:
    """The first rank's final values. JobError for the failure of any rank, with the cause that it gave."""
    with tempfile.TemporaryDirectory(prefix="automl-ranks-") as place, socket.socket(socket.AF_UNIX) as server:
        path = str(Path(place) / "socket")
        server.bind(path)
        server.listen(ranks)
        return _Ranks(spec, _torchrun(folder, ranks, path), server, report).run()


def _torchrun(folder: Path, ranks: int, path: str) -> subprocess.Popen[bytes]:
    # -P: a `random.py` of the user's in the current folder is no library.
    python = [sys.executable, "-P", "-m"]
    command = [*python, "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}", "--max-restarts=0", "--no-python"]
    command += [*python, f"{__package__}.rank", str(folder)]
    environment = {**os.environ, SOCKET_VARIABLE: path}
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=partial(die_with_parent, os.getpid()),
    )


class _Ranks:
    def __init__(self, spec: JobSpec, process: subprocess.Popen[bytes], server: socket.socket, report: ChannelReport) -> None:
        self._spec, self._process, self._server, self._report = spec, process, server, report
        self._connections: list[Connection[wire.FromAgent]] = []
        #: the final values of each rank that ended well; but for its peak of GPU memory, only the first rank has any
        self._done: list[dict[str, float]] = []
        self._failure: JobError | None = None
        assert process.stdout is not None
        self._output = ChildOutput(process.stdout.fileno())
        self._kill_at: float | None = None
        self._stopping = False
        #: told of SIGTERM, which may have been a request to stop
        self._signalled = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def run(self) -> dict[str, float]:
        kills = oom_kill_count()
        pidfd = os.pidfd_open(self._process.pid)
        before = also_on_sigterm(self._on_sigterm)
        try:
            self._watch(pidfd)
        finally:
            if before is not None:
                signal.signal(signal.SIGTERM, before)
            os.close(pidfd)
            os.close(self._signalled)
            # Ranks die with torchrun.
            self._process.kill()
            code = self._process.wait()
            for connection in self._connections:
                connection.close()
        if code != 0 or self._failure is not None:
            raise self._why(code, oom_kill_count() - kills)
        values: dict[str, float] = {}
        for found in self._done:
            peak = max(values.get(PEAK_GPU_MEMORY, 0.0), found.get(PEAK_GPU_MEMORY, 0.0))
            values |= found | ({PEAK_GPU_MEMORY: peak} if peak else {})
        return values

    def _on_sigterm(self, before: Callable[[int, FrameType | None], object], number: int, frame: FrameType | None) -> None:
        before(number, frame)
        os.eventfd_write(self._signalled, 1)

    def _watch(self, pidfd: int) -> None:
        output = self._process.stdout
        assert output is not None
        with output, selectors.DefaultSelector() as selector:
            self._server.setblocking(False)
            for fd in (pidfd, output.fileno(), self._server.fileno(), self._signalled):
                selector.register(fd, selectors.EVENT_READ)
            if self._report.fileno() >= 0:
                selector.register(self._report.fileno(), selectors.EVENT_READ)
            while True:
                wait_s = None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())
                ready = [key.fd for key, _ in selector.select(wait_s)]
                for fd in ready:
                    if fd == output.fileno():
                        if self._output.read() == b"":
                            selector.unregister(fd)
                    elif fd == self._server.fileno():
                        sock, _ = self._server.accept()
                        connection = Connection(sock, decode_from_agent)
                        self._connections.append(connection)
                        if self._stopping:
                            connection.send(self._stop)
                        selector.register(connection.fileno(), selectors.EVENT_READ, connection)
                    elif fd == self._signalled:
                        os.eventfd_read(fd)
                        self._stop_if_asked()
                    elif selector.get_key(fd).data is None and fd != pidfd:
                        self._stop_if_asked()
                        if self._report.fileno() < 0:
                            selector.unregister(fd)
                    elif fd != pidfd:
                        connection = selector.get_key(fd).data
                        self._hear(connection)
                        if connection.eof:
                            selector.unregister(fd)
                if pidfd in ready:
                    break
                if not ready and self._kill_at is not None:
                    self._process.kill()
                    self._kill_at = None
            for connection in self._connections:
                if not connection.eof:
                    self._hear(connection)
            while self._output.read():
                pass

    def _hear(self, connection: Connection[wire.FromAgent]) -> None:
        for message in connection.receive():
            match message:
                case wire.Metric(step=step, values=values):
                    if self._report(step, **values):
                        self._tell_to_stop()
                case wire.Progress(text=text, fraction=fraction):
                    self._report.progress(text, fraction)
                case wire.Pong():
                    self._report.beat()
                case wire.Done(values=values):
                    self._done.append(values)
                case wire.Failed(cause=cause, message=text):
                    self._failure = self._failure or JobError(cause, text)
                    self._kill_at = self._kill_at or time.monotonic() + _END_S
                case _:
                    pass

    @property
    def _stop(self) -> wire.Stop:
        return wire.Stop(self._spec.job, self._spec.fence, "operator")

    def _stop_if_asked(self) -> None:
        if self._report.stop_asked:
            self._tell_to_stop()

    def _tell_to_stop(self) -> None:
        """All of them: the first one decides, and they stop together."""
        if not self._stopping:
            self._stopping = True
            for connection in self._connections:
                connection.send(self._stop)

    def _why(self, code: int, oom_kills: int) -> JobError:
        """The failure that came first: one that a signal ended says nothing, and the others then say that they lost it."""
        tail = self._output.tail
        codes = [int(found) for found in _EXIT_CODE.findall(tail)]
        # By SIGTERM torchrun ends what is left.
        crashed = next((found for found in codes if found < 0 and found != -signal.SIGTERM), None)
        if crashed is None and self._failure is not None:
            return self._failure
        found = codes[0] if crashed is None and codes else crashed
        if found is None:
            return JobError(cause_of_text(tail), f"torchrun ended with exit code {code}")
        cause, message = cause_of_status(found, tail, oom_kills)
        return JobError(cause, f"one of its ranks failed: {message}")
