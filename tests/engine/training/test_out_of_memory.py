"""Memory that ran out is its own cause, and says what may help."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl_run.engine.agent.outcome import Ending, Seen, conclude
from automl_run.engine.targets.failures import cause_of_text
from automl_run.engine.targets.oom_kills import oom_kill_count
from automl_run.engine.targets.out_of_memory import suggestion

MMAR: dict[str, Any] = {
    "amp": False,
    "train": {
        "pre_transforms": [
            {"name": "RandCropByPosNegLabeld", "args": {"keys": "image", "spatial_size": [96, 96, 96], "num_samples": 4}},
            {"name": "Resized", "disabled": True, "args": {"spatial_size": [9, 9, 9]}},
        ],
        "dataset": {"name": "CacheDataset", "args": {"cache_num": 24, "num_workers": 8}},
        "dataloader": {"path": "monai.data.DataLoader", "args": {"batch_size": 2}},
    },
}


def test_the_suggestion_names_the_jobs_own_values() -> None:
    gpu = suggestion("oom_gpu", MMAR)
    for part in (
        "RandCropByPosNegLabeld.spatial_size = [96, 96, 96]",
        "num_samples = 4",
        "DataLoader.batch_size = 2",
        "(amp) is off",
    ):
        assert part in gpu
    assert "Resized" not in gpu
    assert "(amp)" not in suggestion("oom_gpu", {**MMAR, "amp": True})
    host = suggestion("oom_host", MMAR)
    assert "CacheDataset.cache_num = 24, CacheDataset.num_workers = 8" in host
    assert suggestion("oom_gpu", {"batch_size": 8}) == "try smaller values: the job had batch_size = 8"
    assert suggestion("oom_gpu", {"net": {"_target_": "UNet", "depth": 3}}).startswith("try a smaller batch or patch")
    assert suggestion("user_error", MMAR) == suggestion(None, MMAR) == ""


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("RuntimeError: CUDA error: out of memory", "oom_gpu"),
        ("torch.OutOfMemoryError: Allocation on device", "oom_gpu"),
        ("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "oom_gpu"),
        ("RuntimeError: HIP out of memory. Tried to allocate 2 GiB", "oom_gpu"),
        ("java.lang.OutOfMemoryError: Java heap space", "oom_host"),
        ("CUDA error: an illegal memory access was encountered", "gpu_error"),
    ],
)
def test_what_programs_say(text: str, cause: str) -> None:
    assert cause_of_text(text) == cause


@pytest.mark.parametrize(
    "message",
    [
        "the command failed: it was killed from outside (SIGKILL)",
        "RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed. ",
        "RuntimeError: DataLoader worker (pid(s) 7, 8) exited unexpectedly",
    ],
)
def test_the_kernel_may_have_killed_a_part_of_the_job(message: str) -> None:
    ending = Ending(cause="user_error", message=message, code=1)
    assert conclude(ending, Seen(1, oom_kills=1), "").cause == "oom_host"
    assert conclude(ending, Seen(1), "") == ending
    other = Ending(cause="user_error", message="ValueError: no", code=1)
    assert conclude(other, Seen(1, oom_kills=1), "") == other


def test_the_control_group_counts_before_the_host(tmp_path: Path) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    assert oom_kill_count(proc, groups) == 0
    (proc / "vmstat").write_text("nr_free_pages 1\noom_kill 5\n")
    assert oom_kill_count(proc, groups) == 5
    (proc / "self" / "cgroup").write_text("0::/user/job\n")
    assert oom_kill_count(proc, groups) == 5
    (groups / "user" / "job").mkdir(parents=True)
    (groups / "user" / "job" / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert oom_kill_count(proc, groups) == 2
    (proc / "self" / "cgroup").write_text("9:cpuset:/a\n7:cpu,memory:/b\n")
    (groups / "memory" / "b").mkdir(parents=True)
    (groups / "memory" / "b" / "memory.oom_control").write_text("oom_kill_disable 0\noom_kill 1\n")
    assert oom_kill_count(proc, groups) == 1
