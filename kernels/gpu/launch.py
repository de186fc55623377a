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
from .sample import can_run
from .source import read_source
from .table import IMAGES, ROW, THREADS, Variant

_MOST_ROWS = 65535  # of one launch: the second axis of a grid

Size = tuple[int, ...]


class Kernel(Protocol):
    """A compiled kernel, as CuPy has it."""

    def __call__(self, grid: Size, block: Size, args: tuple[object, ...]) -> None: ...


def available() -> bool:
    """Whether this process can launch: torch was built for CUDA and finds a device, and CuPy is installed."""
    return torch.cuda.is_available() and _has_cupy()


@cache
def _has_cupy() -> bool:
    with contextlib.suppress(ImportError):
        import cupy  # noqa: F401

        return True
    return False


def takes(source: torch.Tensor) -> bool:
    """Whether an image or label that lies on a device can be run through batches here."""
    return source.is_cuda and _has_cupy() and can_run(source, image=source.dtype in IMAGES)


def launch(plan: Plan, device: torch.device) -> None:
    """See `run.Launcher`. Raises RuntimeError without CuPy and ValueError for a device that is not CUDA's."""
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError("batches on a GPU need CuPy: pip install 'automl-run[gpu]'") from error
    if device.type != "cuda":
        raise ValueError(f"the tensors are on {device}, not on a CUDA device")
    with torch.cuda.device(device):
        pinned = torch.empty(len(plan.table), dtype=torch.uint8, pin_memory=True)
        pinned.numpy()[:] = np.frombuffer(plan.table, np.uint8)
        table = pinned.to(device, non_blocking=True)
        stream = torch.cuda.current_stream(device)
        with cupy.cuda.Device(device.index), _same_stream(stream.cuda_stream, stream.device_index):
            launch_rows(plan, table.data_ptr())
        for tensor in plan.kept:
            tensor.record_stream(stream)


def launch_rows(plan: Plan, address: int) -> None:
    """The launches, with the table at `address` of the current device."""
    for each in plan.launches:
        kernel = compiled(each.variant)
        for first in range(each.first, each.first + each.rows, _MOST_ROWS):
            rows = min(each.first + each.rows - first, _MOST_ROWS)
            places = address + first * ROW.size, address + plan.steps_at, address + plan.extremes_at
            kernel((each.blocks, rows), (THREADS,), tuple(np.uint64(place) for place in places))


def _same_stream(handle: int, device: int) -> contextlib.AbstractContextManager[object]:
    """A stream of torch as CuPy's current one."""
    import cupy

    if hasattr(cupy.cuda.Stream, "from_external"):  # CuPy 14 and later
        return cast(contextlib.AbstractContextManager[object], cupy.cuda.Stream.from_external(_Handle(handle)))
    return cast(contextlib.AbstractContextManager[object], cupy.cuda.ExternalStream(handle, device))


class _Handle:
    """CUDA's protocol for streams of other libraries."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self._handle


@cache
def compiled(variant: Variant) -> Kernel:
    """Compiled at its first launch on a device; CuPy keeps the machine code on disk."""
    import cupy

    module = cupy.RawModule(code=read_source(), options=("-std=c++17", *variant.options))
    return cast(Kernel, module.get_function("run_rows"))
