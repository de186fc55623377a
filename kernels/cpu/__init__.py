"""The voxel kernels of the CPU: plain tensors in, plain tensors out, nothing known of metadata.

Everything is single-threaded code that releases the GIL; the functions here spread it over the threads that `threads.py`
grants. Nothing compiles at import.
"""

from .affine import resample_affine
from .axis_permutation import can_permute
from .backend import choose_backend
from .intensity import Clip, CounterNoise, Field, Gamma, Linear, Step, apply_steps, can_step, min_max
from .moves import Moves, permute
from .noise import counter_normal, exact_normal
from .part import Part, can_run
from .sample import run_sample
from .scratch import Scratch
from .window import Axis, Window

__all__ = [
    "Axis",
    "Clip",
    "CounterNoise",
    "Field",
    "Gamma",
    "Linear",
    "Moves",
    "Part",
    "Scratch",
    "Step",
    "Window",
    "apply_steps",
    "can_permute",
    "can_run",
    "can_step",
    "choose_backend",
    "counter_normal",
    "exact_normal",
    "min_max",
    "permute",
    "resample_affine",
    "run_sample",
]
