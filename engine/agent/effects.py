"""What an agent does to the world, in one object, so that tests can wrap it or put a simulated world in its place."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from automl_run.dsl.ir import Value
from automl_run.engine.wire.client import connect
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.messages import ToAgent

from .folders import JobSpec, attempt_dir, prepare
from .keeper import KILL_TIMEOUT_S, Graces, Kept, start_keeper
from .outcome import Outcome, read_outcome, write_outcome
from .processes import ChildSignals, become_subreaper, children, kill_descendants
from .warm import WarmServer


class Effects:
    """The real world."""

    _warm: WarmServer | None = None

    def warm_server(self, libraries: Sequence[str], threads: int) -> WarmServer:
        """Starts the process that later forks the keepers. OSError when it cannot be started."""
        self._warm = WarmServer(libraries, threads)
        return self._warm

    @property
    def pid(self) -> int:
        return os.getpid()

    def clock(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def selector(self) -> selectors.BaseSelector:
        return selectors.DefaultSelector()

    def signals(self) -> ChildSignals:
        """Makes this process the parent of its orphans, and collects its signals."""
        become_subreaper()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return ChildSignals(also=(signal.SIGTERM, signal.SIGINT))

    def connect(self, run_dir: Path) -> Connection[ToAgent]:
        """WireError while there is no scheduler."""
        return connect(run_dir)

    def hang_up(self, connection: Connection[ToAgent], timeout_s: float) -> None:
        """Sends what was queued, for at most `timeout_s`, and closes."""
        end = self.clock() + timeout_s
        while connection.wants_write and not connection.eof and (left := end - self.clock()) > 0:
            with self.selector() as selector:
                selector.register(connection.fileno(), selectors.EVENT_WRITE)
                selector.select(left)
            connection.flush()
        connection.close()

    def has_folder(self, run_dir: Path) -> bool:
        """False only when it is certain that the folder is not there."""
        try:
            run_dir.stat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def attempt_dir(self, run_dir: Path, job: str, fence: int) -> Path:
        return attempt_dir(run_dir, job, fence)

    def spawn(self, run_dir: Path, spec: JobSpec, config: dict[str, Value], folder: Path, graces: Graces) -> Kept:
        """The keeper of an attempt whose folder is made here. OSError, ValueError when it cannot be started."""
        prepare(run_dir, spec, config)
        kept = self._warm.start(folder, graces) if self._warm is not None and self._warm.ready else None
        return start_keeper(spec, folder, graces) if kept is None else kept

    def reap(self, kept: Kept) -> int:
        """Waits for the keeper; its exit code, or minus the signal."""
        return os.waitstatus_to_exitcode(os.waitpid(kept.pid, 0)[1])

    def kill_descendants(self, signals: ChildSignals) -> list[int]:
        """The processes that could not be ended."""
        return kill_descendants(signals, KILL_TIMEOUT_S, spare=() if self._warm is None else (self._warm.pid,))

    def reap_orphans(self, known: Collection[int]) -> None:
        """Buries children that are none of `known`: keepers that waited in a warm server that is gone."""
        if self._warm is not None:
            for pid in children(os.getpid()):
                if pid != self._warm.pid and pid not in known:
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)

    def read_outcome(self, folder: Path, job: str, fence: int) -> Outcome | None:
        return read_outcome(folder, job, fence)

    def write_outcome(self, folder: Path, outcome: Outcome) -> None:
        write_outcome(folder, outcome)
