"""Batches on a GPU: every sample of a batch through its own crop, turn, affine map and intensities in one launch.

`run_batch` is to CUDA tensors what `cpu.run_sample` is to those of the CPU, with the same parts, windows, matrices and steps. It
needs CuPy. Nothing compiles or touches a GPU at import.
"""

from .launch import available, takes
from .plan import Launch, Plan, plan_batch
from .run import Launcher, run_batch
from .sample import Sample, can_run
from .source import read_source
from .table import Variant

__all__ = [
    "Launch",
    "Launcher",
    "Plan",
    "Sample",
    "Variant",
    "available",
    "can_run",
    "plan_batch",
    "read_source",
    "run_batch",
    "takes",
]
