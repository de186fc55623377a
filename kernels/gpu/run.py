"""`run_batch`: planning, then launching."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from .launch import launch
from .plan import Plan, plan_batch
from .sample import Sample


class Launcher(Protocol):
    """Carries out a plan on the tensors of one device. The library's own runs CUDA; tests bring one for the host."""

    def __call__(self, plan: Plan, device: torch.device) -> None: ...


def run_batch(samples: Sequence[Sample], launcher: Launcher = launch) -> None:
    """Write the `out` of every part of every sample, all on one device, in the order of torch's current stream.

    Results are those of `cpu.run_sample`: moved voxels bit for bit (NaN of 16 bits may lose their payload), sampled ones
    within 1e-5 of the range, labels but for ties, before what a 16-bit `out` rounds. The sources may be used again as soon
    as later work of the same stream may.

    Raises ValueError, before anything is written, for tensors that do not fit, a matrix that is not finite or leads more
    than 2^29 voxels away, or an empty window to sample from; RuntimeError without CuPy.
    """
    first = next((part.source for sample in samples for part in sample.parts), None)
    if first is None:
        return
    plan = plan_batch(samples, first.device)
    if plan.launches:
        launcher(plan, first.device)
