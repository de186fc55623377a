"""The number of CPU threads of libraries that were loaded before the job's environment was set."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from pathlib import Path
from typing import Final

_SETTERS: Final = ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads")


def set_threads(threads: int) -> None:
    """For torch, numba and the OpenBLAS of numpy and scipy, where they are loaded: nothing is imported for it."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(max(1, threads))
    if (numba := sys.modules.get("numba")) is not None:
        # Only fewer than at its import; the warm server starts with as many as the worker has.
        numba.set_num_threads(max(1, min(threads, numba.config.NUMBA_NUM_THREADS)))
    # Loaded by a warm server with one thread; anywhere else its variable was set before.
    if threads > 1 and "numpy" in sys.modules:
        for path in _loaded("openblas"):
            with contextlib.suppress(OSError):
                library = ctypes.CDLL(path)
                for name in _SETTERS:
                    if hasattr(library, name):
                        getattr(library, name)(max(1, threads))
                        break


def _loaded(part: str) -> list[str]:
    """The shared libraries of this process with `part` in their file's name."""
    try:
        lines = Path("/proc/self/maps").read_text(errors="replace").splitlines()
    except OSError:
        return []
    paths = {line.split(maxsplit=5)[5] for line in lines if len(line.split(maxsplit=5)) == 6}
    return sorted(path for path in paths if part in Path(path).name and path.startswith("/"))
