"""Agents as processes of this host.

    python -m automl_run.engine.agent --run RUN_DIR --worker W1 --gpus 0,1 --threads 1

`--gpus ""` is a CPU worker. RUN_DIR holds `endpoint.json` (the scheduler's socket) and `program.msgpack` (the program: target, base
folder, variables). What the agent says about itself goes to `<RUN_DIR>/agents/W1.log`; `W1.json` beside it says who it is, so that
a later scheduler finds an agent that outlived this one.
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
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from automl_run.dsl.ir import Worker
from automl_run.engine.identity import boot_id, start_time

from . import strays
from .base import last_line

AGENTS: Final = "agents"
_GRACE_S: Final = 10.0


@dataclass(slots=True)
class LocalAgent:
    """An agent's process. `fd`: its pidfd. `child`: None for one that an earlier scheduler started: its exit code is unknown."""

    pid: int
    fd: int
    child: subprocess.Popen[bytes] | None

    def ended(self) -> int | None:
        if self.child is not None:
            return self.child.poll()
        return 0 if _is_over(self.fd, 0.0) else None

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.fd, number)

    def wait(self, timeout_s: float) -> bool:
        return _is_over(self.fd, timeout_s) and self.ended() is not None

    def close(self) -> None:
        os.close(self.fd)


class LocalLauncher:
    """Starts agents in sessions of their own, so that a closed terminal or a Ctrl-C reaches the scheduler only.

    `module`: what Python runs as an agent.
    """

    module = "automl_run.engine.agent"

    def __init__(self, run_dir: Path, allow_modules: tuple[str, ...] = ()) -> None:
        self._run_dir = run_dir
        self._logs = run_dir / AGENTS
        self._allow_modules = allow_modules

    def start(self, worker: str, spec: Worker) -> LocalAgent:
        self._logs.mkdir(exist_ok=True)
        if (self._logs / f"{worker}.json").exists():
            # The agent before this one may have been killed, and its keepers with it: what they left may use this worker's GPUs.
            end_strays_of(self._run_dir)
        # -P: a `random.py` of the user's in the current folder is no module of ours.
        command = [sys.executable, "-P", "-m", self.module, "--run", str(self._run_dir), "--worker", worker]
        command += ["--gpus", ",".join(map(str, spec.gpus)), "--threads", str(spec.threads)]
        for module in self._allow_modules:
            command += ["--allow-module", module]
        with (self._logs / f"{worker}.log").open("ab") as log:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=self._environment
            )
        who = {"boot_id": boot_id(), "pid": child.pid, "start": start_time(child.pid)}
        record = {**who, "gpus": list(spec.gpus), "threads": spec.threads}
        (self._logs / f"{worker}.json").write_text(json.dumps(record), encoding="utf-8")
        return LocalAgent(child.pid, os.pidfd_open(child.pid), child)

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, strays.VARIABLE: str(self._run_dir.resolve())}

    def adopt(self, worker: str, spec: Worker) -> LocalAgent | None:
        path = self._logs / f"{worker}.json"
        found = _find(path)
        if found is None:
            return None
        agent, record = found
        if record.get("gpus") != list(spec.gpus) or record.get("threads") != spec.threads:
            agent.close()
            return None
        return agent

    def end_survivors(self, adopted: Collection[str]) -> None:
        """SIGTERM, and SIGKILL after 10 s; then what agents that were killed have left."""
        left: list[LocalAgent] = []
        for path in sorted(self._logs.glob("*.json")):
            found = None if path.stem in adopted else _find(path)
            if found is not None:
                left.append(found[0])
                found[0].signal(signal.SIGTERM)
        until = time.monotonic() + _GRACE_S
        for agent in left:
            if not agent.wait(max(0.0, until - time.monotonic())):
                agent.signal(signal.SIGKILL)
                agent.wait(_GRACE_S)
            agent.close()
        end_strays_of(self._run_dir)

    def log_tail(self, worker: str) -> str:
        return last_line(self._logs / f"{worker}.log")


def end_strays_of(run_dir: Path) -> list[int]:
    """Kills what agents that are gone have left alive; the numbers of these processes."""
    living = living_agents(run_dir)
    try:
        return strays.end_strays(run_dir.resolve(), [agent.pid for agent in living.values()])
    finally:
        for agent in living.values():
            agent.close()


def living_agents(run_dir: Path) -> dict[str, LocalAgent]:
    """The agents of the run that live on this host, whoever started them; each is to be closed."""
    found = {path.stem: _find(path) for path in sorted((run_dir / AGENTS).glob("*.json"))}
    return {worker: each[0] for worker, each in found.items() if each is not None}


def _find(path: Path) -> tuple[LocalAgent, dict[str, object]] | None:
    """The live process that the record at `path` is about."""
    fd = -1
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        pid, start = int(record["pid"]), record["start"]
        fd = os.pidfd_open(pid)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    # Compared after the pidfd was opened: from here on the number cannot be given to another process.
    same = start is not None and start_time(pid) == start and record.get("boot_id", boot_id()) == boot_id()
    if not same or _is_over(fd, 0.0):
        os.close(fd)
        return None
    return LocalAgent(pid, fd, None), record


def _is_over(pidfd: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))
