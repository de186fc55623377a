"""Which set of vector operations the kernels are compiled against: `ops.row_copy` and so on in their code.

Compiled code looks `ops` up while it compiles, so the choice is made once per process, before the first compilation: plain
numba if `AUTOML_RUN_KERNELS=plain` or if the intrinsics do not compile or compute something wrong here, else intrinsics.
"""

from __future__ import annotations

import os
import warnings
from functools import cache
from types import ModuleType
from typing import Literal

from ..compilation import set_flavour
from . import intrinsics, plain, vector_ir

Backend = Literal["intrinsics", "plain"]

VARIABLE = "AUTOML_RUN_KERNELS"
#: The names of all operations.
OPERATIONS = (
    *("prefetch", "row_copy", "row_reverse", "row_linear", "row_pairs", "tile_transpose", "lerp_columns"),
    *("cells", "gather_nearest", "add_trilinear", "row_extremes", "hash32", "xor32", "multiply_add"),
)

#: The operations in use, as attributes.
ops = ModuleType(f"{__name__}.ops")
ops.__dict__["KERNEL_SOURCES"] = tuple(str(module.__file__) for module in (intrinsics, plain, vector_ir))


def _use(name: Backend) -> Backend:
    module = plain if name == "plain" else intrinsics
    for operation in OPERATIONS:
        setattr(ops, operation, getattr(module, operation))
    set_flavour(name)
    return name


def _wanted() -> Backend:
    value = os.environ.get(VARIABLE, "intrinsics")
    if value not in ("intrinsics", "plain"):
        raise ValueError(f'{VARIABLE} is {value!r}; it may be "intrinsics" or "plain"')
    return "plain" if value == "plain" else "intrinsics"


_use("plain" if os.environ.get(VARIABLE) == "plain" else "intrinsics")


@cache
def choose_backend() -> Backend:
    """The backend of this process; the first call may compile a small check.

    Raises ValueError for an unknown AUTOML_RUN_KERNELS.
    """
    if _use(_wanted()) == "plain":
        return "plain"
    from .self_check import failing_operation

    failure = failing_operation()
    if failure is None:
        return "intrinsics"
    warnings.warn(
        f"vector operations do not work on this machine ({failure}): slower kernels are used", RuntimeWarning, stacklevel=2
    )
    return _use("plain")
