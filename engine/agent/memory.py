"""How much memory a job's processes use together, and what they leave in shared memory."""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import Collection
from pathlib import Path
from typing import Final

from .processes import descendants

#: seconds between two looks at the tree
INTERVAL_S: Final = 0.5
_SHARED_MEMORY: Final = Path("/dev/shm")


class PeakMemory:
    """The most memory that a tree of processes had at one time, in bytes; shared by the keeper, which looks, and the job, which
    says it. Made before the fork."""

    def __init__(self) -> None:
        self._cell = mmap.mmap(-1, 8)

    def look(self, root: int) -> None:
        """Counts `root` and all its descendants; a page that several of them share counts once."""
        now = sum(map(proportional_bytes, [root, *descendants(root)]))
        if now > self.bytes:
            self._cell[:8] = struct.pack("=Q", now)

    @property
    def bytes(self) -> int:
        return int(struct.unpack("=Q", self._cell[:8])[0])


def proportional_bytes(pid: int) -> int:
    """The memory of a process, its part of what it shares with others; 0 if it is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0


def sweep_shared_memory(pids: Collection[int], folder: Path = _SHARED_MEMORY) -> list[str]:
    """Removes what torch's data loaders of these ended processes left behind, `torch_<pid>_*`; the names."""
    removed = []
    for pid in sorted(pids):
        for path in folder.glob(f"torch_{pid}_*"):
            with contextlib.suppress(OSError):
                if path.lstat().st_uid == os.getuid():
                    path.unlink()
                    removed.append(path.name)
    return removed
