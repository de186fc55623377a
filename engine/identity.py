"""Who a process is: its number alone names another one later, and on another host."""

from __future__ import annotations

import contextlib
import socket
from functools import cache
from pathlib import Path


@cache
def boot_id() -> str:
    """One string from the start of the kernel to its end; "" where the kernel has none."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def host() -> str:
    return socket.gethostname()


def start_time(pid: int) -> int | None:
    """When the process began, in clock ticks since boot: tells it from a later one of the same number. None: there is none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
