"""Trees of processes: a subreaper sees every descendant, detached ones too, and can end them all."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import time
from collections.abc import Collection
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Orphaned descendants become children of this process, whatever sessions and groups they made for themselves."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent_pid: int) -> None:
    """SIGKILL for this process when its parent, `parent_pid`, dies; a parent that is dead already counts."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, argument: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")


def close_descriptors(keep: Collection[int]) -> None:
    """Closes every descriptor from 3 on except `keep`: one that is kept by accident hides the end of its peer."""
    low = 3
    for fd in sorted(keep):
        os.closerange(low, fd)
        low = max(low, fd + 1)
    os.closerange(low, 1 + max((int(name) for name in os.listdir("/proc/self/fd")), default=low))  # noqa: PTH208


def children(pid: int) -> list[int]:
    """The direct children of `pid`, zombies too; [] if it is gone."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except FileNotFoundError:
        return _children_by_scan(pid) if Path(f"/proc/{pid}").exists() else []
    except OSError:
        return _children_by_scan(pid)
    return found


def _children_by_scan(pid: int) -> list[int]:
    """For kernels without /proc/<pid>/task/<tid>/children."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            # The command's name stands in parentheses and may hold anything; the state and the parent follow the last one.
            with contextlib.suppress(OSError, IndexError, ValueError):
                if int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]) == pid:
                    found.append(int(folder.name))
    return found


def has_descriptors(pid: int) -> bool:
    """False for a process that is ending, or gone."""
    try:
        return bool(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208
    except OSError:
        return False


def is_over(pid: int) -> bool:
    """Whether the process has ended, reaped or not. Its children may live, and hold what they have of its descriptors."""
    try:
        end = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([end], [], [], 0.0)[0])
    finally:
        os.close(end)


def descendants(pid: int, spare: Collection[int] = ()) -> list[int]:
    """All descendants of `pid`, parents first; without `spare` and theirs."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        born = [child for child in children(waiting.pop()) if child not in spare]
        found += born
        waiting += born
    return found


def send_signal(pid: int, number: int) -> None:
    """A process that is gone, or is not ours to signal, is not an error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


class ChildSignals:
    """`fd` becomes readable when a child of this process ends (SIGCHLD), and on `also`, which `received` collects.

    One for a process, made in its main thread.
    """

    def __init__(self, also: Collection[int] = ()) -> None:
        self.fd, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self.received: list[int] = []
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in also:
            signal.signal(number, lambda number, _: self.received.append(number))

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 4096)

    def wait(self, timeout_s: float) -> None:
        select.select([self.fd], [], [], max(0.0, timeout_s))
        self.clear()


def reset_signals() -> None:
    """After a fork: what the parent had made of its signals is nothing to the child."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)


def ended_child() -> int | None:
    """A child that has ended and is not reaped yet; None if there is none. It stays unreaped, so its status cannot get lost."""
    try:
        info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return info.si_pid if info is not None else None


def kill_descendants(
    signals: ChildSignals, timeout_s: float, spare: Collection[int] = (), seen: set[int] | None = None
) -> list[int]:
    """Kills and reaps every descendant of this process, which must be a subreaper, except the trees of `spare`.

    The processes that could not be ended within `timeout_s` (in an uninterruptible system call), else []. `seen` gets all the
    processes that were found.
    """
    end = time.monotonic() + timeout_s
    me = os.getpid()
    while True:
        alive = descendants(me, spare)
        if seen is not None:
            seen.update(alive)
        for pid in alive:
            send_signal(pid, signal.SIGKILL)
        reaped = False
        for pid in alive:
            with contextlib.suppress(ChildProcessError):
                reaped |= os.waitpid(pid, os.WNOHANG)[0] != 0
        # One that was reaped may have left children that are ours only since then: look again.
        if not alive:
            return []
        if not reaped:
            if time.monotonic() >= end:
                return [pid for pid in descendants(me, spare) if Path(f"/proc/{pid}").exists()]
            signals.wait(min(0.5, end - time.monotonic()))
