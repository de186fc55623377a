"""A plan on a CUDA device: one small copy from pinned memory, then the launches, on torch's current stream.

CuPy compiles and launches; memory is torch's on both sides, whose allocators keep it until the stream is done with it. Nothing
is converted: kernels take the addresses of torch's tensors.
"""

from __future__ import annotations

import contextlib
from functools import cache
from typing import Protocol, cast

import numpy as np
import torch

from .plan import Plan
from .source import read_source
from .table import ROW, THREADS, Variant

_MOST_ROWS = 65535  # of one launch: the second axis of a grid

Size = tuple[int, ...]


class Kernel(Protocol):
    """A compiled kernel, as CuPy has it."""

    def __call__(self, grid: Size, block: Size, args: tuple[object, ...]) -> None: ...


def available() -> bool:
    """Whether this process can launch: CuPy is installed, torch was built for CUDA and finds a device."""
    with contextlib.suppress(ImportError):
        import cupy  # noqa: F401

        return torch.cuda.is_available()
    return False


def launch(plan: Plan, device: torch.device) -> None:
    """See `run.Launcher`. Raises RuntimeError without CuPy and ValueError for a device that is not CUDA's."""
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError("batches on a GPU need CuPy: pip install 'automl-run[gpu]'") from error
    if device.type != "cuda":
        raise ValueError(f"the tensors are on {device}, not on a CUDA device")
    with torch.cuda.device(device):
        pinned = torch.empty(plan.table.size, dtype=torch.uint8, pin_memory=True)
        pinned.numpy()[:] = plan.table
        table = pinned.to(device, non_blocking=True)
        stream = torch.cuda.current_stream(device)
        address = table.data_ptr()
        with cupy.cuda.Device(device.index), cupy.cuda.ExternalStream(stream.cuda_stream, device.index):
            for each in plan.launches:
                kernel = compiled(each.variant)
                for first in range(each.first, each.first + each.rows, _MOST_ROWS):
                    rows = min(each.first + each.rows - first, _MOST_ROWS)
                    places = address + first * ROW.itemsize, address + plan.steps_at, address + plan.extremes_at
                    kernel((each.blocks, rows), (THREADS,), tuple(np.uint64(place) for place in places))
        for tensor in plan.kept:
            tensor.record_stream(stream)


@cache
def compiled(variant: Variant) -> Kernel:
    """Compiled at its first launch on a device; CuPy keeps the machine code on disk."""
    import cupy

    module = cupy.RawModule(code=read_source(), options=("-std=c++17", *variant.options))
    return cast(Kernel, module.get_function("run_rows"))
