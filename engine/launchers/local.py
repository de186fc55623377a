"""Agents as processes of this host.

    python -m automl_run.engine.agent --run RUN_DIR --worker W1 --gpus 0,1 --threads 1

`--gpus ""` is a CPU worker. RUN_DIR holds `endpoint.json` (the scheduler's socket) and `program.msgpack` (the program: target, base
folder, variables). The agent writes its own messages to stderr, which goes to `<RUN_DIR>/agents/W1.log`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from automl_run.dsl.ir import Worker
from automl_run.engine.agents import last_line


@dataclass(slots=True)
class LocalAgent:
    """A started agent. `fd` becomes readable when the process ends (a pidfd)."""

    worker: str
    process: subprocess.Popen[bytes]
    fd: int = field(init=False)

    def __post_init__(self) -> None:
        self.fd = os.pidfd_open(self.process.pid)

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> int | None:
        """The exit code, or minus the signal; None while it lives."""
        return self.process.poll()

    def signal(self, number: int) -> None:
        if self.process.poll() is None:
            signal.pidfd_send_signal(self.fd, number)

    def wait(self, timeout_s: float) -> bool:
        """True if it has ended by then."""
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        os.close(self.fd)


class LocalLauncher:
    """Starts agents in sessions of their own, so that a closed terminal or a Ctrl-C reaches the scheduler only."""

    def __init__(self, run_dir: Path, allow_modules: tuple[str, ...] = ()) -> None:
        self._run_dir = run_dir
        self._allow_modules = allow_modules

    def start(self, worker: str, spec: Worker) -> LocalAgent:
        logs = self._run_dir / "agents"
        logs.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "automl_run.engine.agent", "--run", str(self._run_dir), "--worker", worker]
        command += ["--gpus", ",".join(map(str, spec.gpus)), "--threads", str(spec.threads)]
        for module in self._allow_modules:
            command += ["--allow-module", module]
        with (logs / f"{worker}.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, close_fds=True
            )
        agent = LocalAgent(worker, process)
        record = {"pid": process.pid, "start": start_time(process.pid)}
        (logs / f"{worker}.pid").write_text(json.dumps(record), encoding="utf-8")
        return agent

    def log_tail(self, worker: str) -> str:
        return last_line(self._run_dir / "agents" / f"{worker}.log")


def start_time(pid: int) -> int | None:
    """When the process began, in clock ticks since boot: tells it from a later one of the same number. None: there is none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def end_survivors(run_dir: Path, grace_s: float = 10.0) -> None:
    """Ends the agents that outlived an earlier scheduler of this run: SIGTERM, then SIGKILL after `grace_s`."""
    left: list[int] = []
    try:
        for record in sorted((run_dir / "agents").glob("*.pid")):
            try:
                data = json.loads(record.read_text(encoding="utf-8"))
                fd = os.pidfd_open(int(data["pid"]))
            except (OSError, ValueError, KeyError, TypeError):
                continue
            left.append(fd)
            # Compared after the pidfd was opened: from here on it cannot be another process.
            if data.get("start") is None or start_time(int(data["pid"])) != data["start"]:
                os.close(left.pop())
                continue
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, signal.SIGTERM)
        until = time.monotonic() + grace_s
        for fd in left:
            readable, _, _ = select.select([fd], [], [], max(0.0, until - time.monotonic()))
            if not readable:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
    finally:
        for fd in left:
            os.close(fd)
