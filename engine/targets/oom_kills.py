"""Whether the kernel killed for lack of memory: its own counters, seen before and after a job."""

from __future__ import annotations

from pathlib import Path


def oom_kill_count(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """How many processes of this process's control group were killed so, by the group's limit or the host's.

    Where no control group counts, the host's counter, in which another program's death counts too; 0 where there is none.
    """
    for path, name in [*_group_files(proc, cgroups), (proc / "vmstat", "oom_kill")]:
        found = _counter(path, name)
        if found is not None:
            return found
    return 0


def _group_files(proc: Path, cgroups: Path) -> list[tuple[Path, str]]:
    """Version 2 has one line, `0::/path`; version 1 one for each controller, `7:memory:/path`."""
    try:
        lines = [line.split(":", 2) for line in (proc / "self" / "cgroup").read_text().splitlines()]
    except OSError:
        return []
    found = []
    for line in lines:
        if len(line) != 3:
            continue
        _, controllers, group = line
        if not controllers:
            found.append((cgroups / group.lstrip("/") / "memory.events", "oom_kill"))
        elif "memory" in controllers.split(","):
            found.append((cgroups / "memory" / group.lstrip("/") / "memory.oom_control", "oom_kill"))
    return found


def _counter(path: Path, name: str) -> int | None:
    try:
        for line in path.read_text().splitlines():
            if line.startswith(f"{name} "):
                return int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    return None
