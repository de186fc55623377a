"""What a job finds in its environment: GPUs, threads, seed, folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from automl_run.errors import InputError

LARGE_PAGES = "glibc.malloc.hugetlb=1"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")


def visible_devices(gpus: Sequence[int], inherited: str | None) -> str:
    """CUDA_VISIBLE_DEVICES for `gpus`, which index the inherited value; "" for a CPU worker. InputError if one is not there."""
    if not gpus or inherited is None:
        return ",".join(map(str, gpus))
    # CUDA ignores everything from the first invalid entry on; "-1" and "" are the usual ways to hide all.
    devices: list[str] = []
    for entry in inherited.split(","):
        if not entry.strip() or entry.strip().startswith("-"):
            break
        devices.append(entry.strip())
    missing = [gpu for gpu in gpus if not 0 <= gpu < len(devices)]
    if missing:
        raise InputError(f"GPU {missing[0]} does not exist: CUDA_VISIBLE_DEVICES is {inherited!r}, which has {len(devices)} GPU(s)")
    return ",".join(devices[gpu] for gpu in gpus)


def warm_environment(threads: int, inherited: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a warm server: its libraries start no threads, and see no GPU while they are imported.

    numba alone fixes at its import how many threads it may ever have: as many as the worker's jobs.
    """
    out = {**inherited, **dict.fromkeys(_THREAD_VARIABLES, "1"), "NUMBA_THREADING_LAYER": "workqueue"}
    out["NUMBA_NUM_THREADS"] = str(threads)
    out["CUDA_VISIBLE_DEVICES"] = ""
    out["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    # Memory in large pages, where the kernel has any to give: a fork of this process, and the end of one, take a third of the time.
    out.setdefault("GLIBC_TUNABLES", LARGE_PAGES)
    return out


def job_environment(gpus: Sequence[int], threads: int, seed: int, inherited: Mapping[str, str]) -> dict[str, str]:
    """The variables that differ from `inherited`. PYTHONHASHSEED is the agent's: it cannot change once an interpreter runs."""
    out = {name: str(threads) for name in _THREAD_VARIABLES}
    out["CUDA_VISIBLE_DEVICES"] = visible_devices(gpus, inherited.get("CUDA_VISIBLE_DEVICES"))
    out["AUTOML_SEED"] = str(seed)
    # What a job prints must reach its log when it is printed, also from Python programs that it starts.
    out["PYTHONUNBUFFERED"] = "1"
    return out
