"""Who uses a GPU's memory, by the driver's own library (NVML): nothing is imported for it, and no CUDA is started.

A driver frees the memory of a process that was killed a moment after the process has gone; a job that starts in between fails for
lack of memory.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator, Sequence
from typing import Any, Final

_LIBRARY: Final = "libnvidia-ml.so.1"
_TOO_SMALL: Final = 7
_MOST: Final = 256


class _Process(ctypes.Structure):
    """`nvmlProcessInfo_t`, version 2 and 3."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


def alone(locks: Sequence[str]) -> tuple[str, ...]:
    """The UUIDs among `locks` of GPUs that their worker shares with no other one."""
    return tuple(lock for lock in locks if lock.startswith("GPU-") and "." not in lock)


def users(uuids: Sequence[str], library: Any = None) -> dict[str, list[int]]:
    """The processes that compute on each of these GPUs, those left out on which none does. {} where the driver tells nothing."""
    found: dict[str, list[int]] = {}
    if uuids:
        with contextlib.suppress(OSError, AttributeError), _nvml(library) as nvml:
            for uuid in uuids:
                pids = _processes(nvml, uuid)
                if pids:
                    found[uuid] = pids
    return found


@contextlib.contextmanager
def _nvml(library: Any) -> Iterator[Any]:
    """Started, and shut down again: what it holds open is nothing for a job to inherit."""
    nvml = ctypes.CDLL(_LIBRARY) if library is None else library
    if nvml.nvmlInit_v2() != 0:
        raise OSError("NVML cannot be started")
    try:
        yield nvml
    finally:
        nvml.nvmlShutdown()


def _processes(nvml: Any, uuid: str) -> list[int]:
    device = ctypes.c_void_p()
    if nvml.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(device)) != 0:
        return []
    count, processes = ctypes.c_uint(_MOST), (_Process * _MOST)()
    code = nvml.nvmlDeviceGetComputeRunningProcesses_v3(device, ctypes.byref(count), processes)
    return [process.pid for process in processes[: count.value]] if code in (0, _TOO_SMALL) else []
