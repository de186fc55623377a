"""What a measurement was taken on."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch

from ..cpu import choose_backend
from .peers import versions

#: Small caches do not make small rings: a round passes through other data, too.
_LEAST_RING_BYTES, _MOST_RING_BYTES = 128 << 20, 2 << 30


def describe(gpu: bool) -> dict[str, object]:
    """Date, processor, load and the versions of everything that takes part."""
    about: dict[str, object] = {
        "date": datetime.date.today().isoformat(),
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": [round(load, 1) for load in os.getloadavg()],
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "monai", "numba", "numpy")},
        "kernels": choose_backend(),
        "peers": versions(gpu),
    }
    if gpu:
        about["gpu"] = torch.cuda.get_device_name()
    return about


def busy() -> str:
    """A warning if others use this machine now, "" if not."""
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    if load <= 0.5 * cores:
        return ""
    return (
        f"warning: this machine is busy (load {load:.1f} on {cores} cores). OpenMP threads, such as torch's, wait for the slowest "
        "of them and suffer more than others do: ratios flatter us"
    )


def ring_length(size: int) -> int:
    """How many sources of `size` bytes, 4 to 512, pass by before the first is used again: four times the last-level cache."""
    caches = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    sizes = [_bytes(path.read_text().strip()) for path in caches]
    ring_bytes = min(max(4 * max(sizes, default=0), _LEAST_RING_BYTES), _MOST_RING_BYTES)
    return min(max(1 + ring_bytes // max(1, size), 4), 512)


def _bytes(text: str) -> int:
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(text[:-1]) * units[text[-1]] if text[-1:] in units else int(text or 0)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())
