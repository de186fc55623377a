"""The interface of what starts agents: on this host, or wherever a launcher of one's own puts them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from automl_run.dsl.ir import Worker


class AgentProcess(Protocol):
    """`fd` becomes readable when the process ends."""

    fd: int

    @property
    def pid(self) -> int: ...
    def ended(self) -> int | None: ...
    def signal(self, number: int) -> None: ...
    def wait(self, timeout_s: float) -> bool: ...
    def close(self) -> None: ...


class Launcher(Protocol):
    """Where agents run. `start` raises OSError when it cannot."""

    def start(self, worker: str, spec: Worker) -> AgentProcess: ...
    def adopt(self, worker: str, spec: Worker) -> AgentProcess | None:
        """The live agent of an earlier scheduler that is just what `start` would start, or None."""
        ...

    def end_survivors(self, adopted: Collection[str]) -> None:
        """Ends all other agents of earlier schedulers of this run."""
        ...

    def log_tail(self, worker: str) -> str:
        """The last line of what the agent wrote about itself, or ""."""
        ...


def last_line(path: Path) -> str:
    """The last line of a log that is not empty, at most 300 characters."""
    try:
        lines = path.read_bytes()[-4096:].decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")
