"""Which GPUs this host has, without importing torch, and which workers a study therefore gets."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from automl_run.dsl.controllers import FINITE
from automl_run.dsl.ir import Study, Worker
from automl_run.errors import InputError

_DEVICE = re.compile(r"nvidia\d+")


def count_gpus() -> int:
    """How many GPUs a job can name: those of the inherited CUDA_VISIBLE_DEVICES, or all."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    present = _present()
    if visible is None:
        return present
    listed = [part for part in visible.split(",") if part.strip() not in ("", "-1")]
    return min(present, len(listed))


def _present() -> int:
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True).stdout
        return sum(line.startswith("GPU ") for line in listing.splitlines())
    except (OSError, subprocess.SubprocessError):
        return sum(_DEVICE.fullmatch(path.name) is not None for path in Path("/dev").glob("nvidia*"))


def settle_workers(asked: tuple[Worker, ...], gpus: int | None = None) -> tuple[tuple[Worker, ...], list[str]]:
    """The workers to start, and warnings. () asks for one worker with all GPUs. `gpus`: how many there are, None to look.

    InputError for a GPU that does not exist beside others that do.
    """
    here = count_gpus() if gpus is None else gpus
    if not asked:
        return (Worker(gpus=tuple(range(here))),), []
    wanted = sorted({gpu for worker in asked for gpu in worker.gpus})
    if not wanted:
        return asked, oversubscribed(asked)
    if here == 0:
        many = len(asked) > 1
        text = f"this host has no GPU: {'each of the ' + str(len(asked)) + ' workers' if many else 'the worker'} runs on the CPU"
        settled = tuple(Worker((), worker.threads) for worker in asked)
        return settled, [text, *oversubscribed(settled)]
    missing = [gpu for gpu in wanted if not 0 <= gpu < here]
    if missing:
        raise InputError(f"workers: there is no GPU {missing[0]}; this host has {', '.join(map(str, range(here)))}")
    return asked, oversubscribed(asked)


def uncounted(study: Study, workers: Sequence[Worker]) -> list[str]:
    """A warning where `gpu_hours` counts nothing, for no worker has a GPU. InputError where nothing else would end the study."""
    if study.budget.gpu_hours is None or any(worker.gpus for worker in workers):
        return []
    said = "no worker has a GPU, so `gpu_hours` counts nothing"
    budget = study.budget
    limits = (budget.trials, budget.time_s, budget.target, budget.patience)
    if set(limits) == {None} and study.controller.name not in FINITE and "." not in study.controller.name:
        raise InputError(f"{said} and nothing else would end this study: give its budget `time` or `trials`")
    return [said]


def oversubscribed(workers: Sequence[Worker], cores: int | None = None) -> list[str]:
    """What several workers use at once: allowed, and said. `cores`: how many this process may use, None to look."""
    said = []
    for gpu in sorted({gpu for worker in workers for gpu in worker.gpus}):
        users = sum(gpu in worker.gpus for worker in workers)
        if users > 1:
            said.append(f"GPU {gpu} is shared by {users} workers: their jobs have its memory together")
    there = len(os.sched_getaffinity(0)) if cores is None else cores
    threads = sum(worker.threads for worker in workers if not worker.gpus)
    if threads > there:
        said.append(f"the workers use {threads} CPU threads together; this process may use {there} cores")
    return said
