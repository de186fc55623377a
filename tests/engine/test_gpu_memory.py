"""What is asked of the driver's library, before a library that the test plays."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from automl_run.engine.agent import gpu_memory


class Driver:
    """NVML of a host on which `running` compute. `codes`: what its functions return where that is not 0."""

    def __init__(self, running: dict[str, list[int]], **codes: int) -> None:
        self._running, self._codes = running, codes
        self._handles = dict(enumerate(running, 1))
        self.started = 0

    def nvmlInit_v2(self) -> int:
        self.started += "nvmlInit_v2" not in self._codes
        return self._codes.get("nvmlInit_v2", 0)

    def nvmlShutdown(self) -> int:
        self.started -= 1
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, device: Any) -> int:
        for handle, known in self._handles.items():
            if known == uuid.decode():
                device._obj.value = handle
                return 0
        return 6

    def nvmlDeviceGetComputeRunningProcesses_v3(self, device: ctypes.c_void_p, count: Any, processes: Any) -> int:
        pids = self._running[self._handles[device.value or 0]]
        room = count._obj.value
        count._obj.value = len(pids)
        for place, pid in zip(range(room), pids, strict=False):
            processes[place].pid, processes[place].used = pid, 1 << 30
        return 7 if len(pids) > room else self._codes.get("listing", 0)


def test_who_computes() -> None:
    driver = Driver({"GPU-a": [12, 13], "GPU-b": []})
    assert gpu_memory.users(("GPU-a", "GPU-b", "GPU-none"), driver) == {"GPU-a": [12, 13]}
    assert driver.started == 0


def test_more_than_there_is_room_for() -> None:
    assert len(gpu_memory.users(("GPU-a",), Driver({"GPU-a": list(range(1, 301))}))["GPU-a"]) == 256


def test_a_driver_that_tells_nothing_keeps_nobody_waiting() -> None:
    assert gpu_memory.users(("GPU-a",), Driver({"GPU-a": [1]}, nvmlInit_v2=9)) == {}
    assert gpu_memory.users(("GPU-a",), Driver({"GPU-a": [1]}, listing=3)) == {}
    assert gpu_memory.users(("GPU-a",), object()) == {}


def test_without_a_library_or_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_memory, "_LIBRARY", "libno-such-driver.so.1")
    assert gpu_memory.users(("GPU-a",)) == {}
    assert gpu_memory.users(()) == {}


def test_which_locks_are_of_a_whole_gpu() -> None:
    assert gpu_memory.alone(("GPU-a", "GPU-b.1", "gpu3")) == ("GPU-a",)
