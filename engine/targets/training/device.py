"""Where a job trains, and with which seed."""

from __future__ import annotations

import contextlib
import logging
import os

import numpy as np
import torch
from monai.utils import set_determinism

from automl_run.engine.targets.base import Job

_log = logging.getLogger("automl_run.training")


def device_of(job: Job, use_gpu: bool = True) -> torch.device:
    """The GPU of this process, or the CPU with the job's threads. Call it before anything is computed."""
    if use_gpu and torch.cuda.is_available():
        if job.ranks == 1 and torch.cuda.device_count() > 1:
            _log.info("trains on the first of %d GPUs", torch.cuda.device_count())
        # Needed for deterministic matrix products; read when CUDA starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        device = torch.device("cuda", job.rank)
        torch.cuda.set_device(device)
        return device
    torch.set_num_threads(max(1, job.threads))
    with contextlib.suppress(RuntimeError):  # too late in a process that has computed already
        torch.set_num_interop_threads(1)
    return torch.device("cpu")


def seed_training(own: int, job: Job) -> None:
    """Mixes a config's `own` seed with the job's, so that repetitions of one config differ, and with the rank, so that the ranks of
    a job augment differently; the first rank draws what the only one would. Operations without a deterministic form warn."""
    entropy = [abs(own), abs(job.seed), *([job.rank] if job.rank else [])]
    set_determinism(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
    # Torch's own error names what to do where an operation has no deterministic form; that is a warning here.
    torch.use_deterministic_algorithms(True, warn_only=True)
