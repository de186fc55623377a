"""Built-in metrics that a job's process measures of itself, when the study reads them."""

from __future__ import annotations

import resource
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from automl_run.errors import JobError

from .memory import PeakMemory

PEAK_MEMORY = "peak_memory"
PEAK_GPU_MEMORY = "peak_gpu_memory"


def measure(wanted: Collection[str], said: Collection[str], peak: PeakMemory | None) -> dict[str, float]:
    """The built-in metrics of `wanted` that the target has not `said` itself. JobError where one cannot be measured.

    `peak`: what the keeper saw; None: this process is all that is known of.
    """
    values: dict[str, float] = {}
    if PEAK_MEMORY in wanted and PEAK_MEMORY not in said:
        values[PEAK_MEMORY] = float(max(peak.bytes if peak is not None else 0, _own_peak()))
    if PEAK_GPU_MEMORY in wanted and PEAK_GPU_MEMORY not in said:
        values[PEAK_GPU_MEMORY] = _gpu_peak(sys.modules)
    return values


def _own_peak() -> int:
    """Bytes: the most that this process ever had, or the largest of the children that it has waited for.

    `ru_maxrss` of this process would count what its parent had when it was forked, also after an exec.
    """
    own = 0
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            own = int(line.split()[1])
    return 1024 * max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def _gpu_peak(modules: Mapping[str, Any]) -> float:
    """Bytes that torch had allocated at most, on the GPU where that was most."""
    torch = modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        raise JobError(
            "user_error",
            f"the study reads `{PEAK_GPU_MEMORY}`, but this job's process used no GPU through torch: "
            "run it on a worker with a GPU, or report the value from the training code",
        )
    return float(max(torch.cuda.max_memory_allocated(device) for device in range(torch.cuda.device_count())))
