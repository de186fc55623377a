"""Processes of a run that nobody keeps any more: their keepers and their agent were killed together, and they were not.

Everything that an agent starts inherits `AUTOML_RUN_DIR`, and everything that a living agent has started is below it in the tree of
processes: agents and keepers are subreapers.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

#: The run's folder, in the environment of all processes of its agents.
VARIABLE: Final = "AUTOML_RUN_DIR"
_LOOKS: Final = 5
_END_S: Final = 2.0


def strays(run_dir: Path, agents: Collection[int] = ()) -> list[int]:
    """Processes of the run that are below none of `agents`, and are not this one or above it."""
    marked = sorted(_marked(run_dir))
    own = {os.getpid(), *(_ancestors(os.getpid()) or ())}
    found = []
    for pid in marked:
        above = _ancestors(pid)
        # None: the tree changed meanwhile; the next look tells.
        if above is not None and pid not in own and not set(agents) & {pid, *above}:
            found.append(pid)
    return found


def end_strays(run_dir: Path, agents: Collection[int] = (), grace_s: float = 3.0) -> list[int]:
    """Kills those that have not ended after `grace_s` (a keeper whose agent is gone ends its job, and says how that ended); their
    numbers."""
    ended: list[int] = []
    _wait(strays(run_dir, agents), grace_s)
    for _ in range(_LOOKS):
        found = strays(run_dir, agents)
        if not found:
            break
        for pid in found:
            with contextlib.suppress(OSError):
                fd = os.pidfd_open(pid)
                try:
                    # Looked at again: from here on the number cannot be given to another process.
                    if _is_marked(pid, run_dir):
                        signal.pidfd_send_signal(fd, signal.SIGKILL)
                        ended.append(pid)
                finally:
                    os.close(fd)
        _wait(found, _END_S)
    return sorted(set(ended))


def _wait(pids: Collection[int], timeout_s: float) -> None:
    """Until all of them have ended."""
    until = time.monotonic() + timeout_s
    for pid in pids:
        with contextlib.suppress(OSError):
            fd = os.pidfd_open(pid)
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            poll.poll(max(0.0, until - time.monotonic()) * 1000)
            os.close(fd)


def _marked(run_dir: Path) -> Iterator[int]:
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdecimal() and _is_marked(int(name), run_dir):
            yield int(name)


def _is_marked(pid: int, run_dir: Path) -> bool:
    """False also for another user's process, and for one that is ending."""
    try:
        block = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"{VARIABLE}=".encode() + os.fsencode(run_dir) in block.split(b"\0")


def _ancestors(pid: int) -> list[int] | None:
    """Parent, its parent, ...; None if one of them ended meanwhile."""
    found: list[int] = []
    while pid > 1:
        try:
            # The command's name stands in parentheses and may hold anything; the state and the parent follow the last one.
            pid = int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return None
        found.append(pid)
    return found
