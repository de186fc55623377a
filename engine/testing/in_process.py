"""Agents as threads of this process: the whole scheduler, wire included, without a process or a folder per job.

For tests of controllers, observers and the scheduler itself: `RunOptions(launcher=lambda folder: ThreadLauncher(folder, job))`.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from automl_run.dsl.ir import Worker
from automl_run.engine.core.causes import Cause
from automl_run.engine.wire import messages as wire
from automl_run.engine.wire.client import connect
from automl_run.engine.wire.connection import Connection
from automl_run.errors import JobError, WireError

Report = Callable[..., bool]
#: What stands for training: `(assign, report) -> final values`. JobError fails the job; SystemExit kills its agent.
JobFunction = Callable[[wire.Assign, Report], Mapping[str, float]]


@dataclass(slots=True)
class ThreadAgent:
    """An agent that lives in a thread; its `fd` becomes readable when the thread ends, as a pidfd does."""

    run_dir: Path
    worker: str
    spec: Worker
    job: JobFunction
    fd: int = -1
    pid: int = field(default_factory=os.getpid)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _write_fd: int = -1

    def start(self) -> ThreadAgent:
        self.fd, self._write_fd = os.pipe()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        return self

    # -- what the scheduler's shell calls ----------------------------------------------------------------------------------

    def ended(self) -> int | None:
        return None if self._thread and self._thread.is_alive() else 0

    def signal(self, number: int) -> None:
        self._stop.set()

    def wait(self, timeout_s: float) -> bool:
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self.ended() is not None

    def close(self) -> None:
        if self._thread is not None:
            self._thread.join()
        os.close(self.fd)

    # -- the agent -----------------------------------------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            connection = connect(self.run_dir)
            connection.send(wire.Hello(1, 1, self.worker, "here", self.pid, self.spec.gpus))
            try:
                self._serve(connection)
            finally:
                connection.close()
        except (WireError, SystemExit):
            pass
        finally:
            os.close(self._write_fd)

    def _serve(self, connection: Connection[wire.ToAgent]) -> None:
        while not self._stop.is_set() and not connection.eof:
            select.select([connection], [], [], 0.05)
            for message in connection.receive():
                match message:
                    case wire.Assign():
                        self._run(connection, message)
                    case wire.Drain() | wire.Reject(job=""):
                        connection.send(wire.Bye())
                        return
                    case _:
                        pass

    def _run(self, connection: Connection[wire.ToAgent], assign: wire.Assign) -> None:
        connection.send(wire.Accept(assign.job, assign.fence, self.pid))
        began = time.monotonic()
        seq = 0
        stopped = False

        def report(step: int, **metrics: float) -> bool:
            nonlocal seq, stopped
            seq += 1
            connection.send(wire.Metric(assign.job, assign.fence, seq, step, metrics))
            seen = not assign.judged
            while True:
                select.select([connection], [], [], 0 if seen else 0.05)
                for message in connection.receive():
                    stopped = stopped or isinstance(message, wire.Stop)
                    seen = seen or (isinstance(message, wire.Ack) and message.seq >= seq)
                if seen or stopped or connection.eof or self._stop.is_set():
                    return stopped or self._stop.is_set()

        try:
            values = dict(self.job(assign, report))
        except JobError as error:
            cause: Cause = error.cause  # type: ignore[assignment]
            failed = wire.Failed(assign.job, assign.fence, seq + 1, cause, str(error), 1, "", time.monotonic() - began)
            connection.send(failed)
            return
        connection.send(wire.Done(assign.job, assign.fence, seq + 1, values, time.monotonic() - began, stopped))


class ThreadLauncher:
    """Starts `ThreadAgent`s. `launched` lists them all."""

    def __init__(self, run_dir: Path, job: JobFunction) -> None:
        self._run_dir = run_dir
        self._job = job
        self.launched: list[ThreadAgent] = []

    def start(self, worker: str, spec: Worker) -> ThreadAgent:
        agent = ThreadAgent(self._run_dir, worker, spec, self._job).start()
        self.launched.append(agent)
        return agent

    def adopt(self, worker: str, spec: Worker) -> None:
        return None

    def end_survivors(self, adopted: Collection[str]) -> None:
        pass

    def log_tail(self, worker: str) -> str:
        return ""
