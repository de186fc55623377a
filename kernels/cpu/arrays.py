"""What the kernels take: flat numpy views of torch tensors, moved as integers of the voxels' size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float32]

#: Voxels are moved as integers of their size, so that one kernel serves every dtype and NaN payloads survive.
WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
MOVABLE = frozenset(
    {
        *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    }
)
#: float32 holds these exactly; wider integers and float64 would lose what MONAI keeps until its last step.
INTERPOLABLE = frozenset({torch.float32, torch.uint8, torch.int8, torch.int16})
#: Nearest voxels of these are also written as float32.
CONVERTED = frozenset({torch.uint8, torch.int16})


def is_plain(x: object) -> bool:
    """Whether `x` is a dense CPU tensor that nothing differentiates, negates lazily or subclasses."""
    return (
        type(x) is torch.Tensor
        and x.layout == torch.strided
        and x.device.type == "cpu"
        and not (x.requires_grad and torch.is_grad_enabled())
        and not x.is_neg()
        and not x.is_conj()
    )


def span(x: torch.Tensor, first_axis: int = 0) -> int:
    """How many elements of its storage one slice of `x` (the axes from `first_axis` on) reaches over; 0 if it is empty."""
    reach = 1
    for n, stride in zip(x.shape[first_axis:], x.stride()[first_axis:], strict=True):
        if n == 0:
            return 0
        reach += (n - 1) * stride
    return reach


def flat_channels(x: torch.Tensor, dtype: torch.dtype | None = None) -> list[Array]:
    """One flat array for each channel of `x` (C, ...), over its memory as it lies; `dtype` reinterprets the elements."""
    length = span(x, 1)
    views = [x.as_strided((length,), (1,), x.storage_offset() + c * x.stride(0)) for c in range(x.shape[0])]
    return [(view if dtype is None else view.view(dtype)).numpy() for view in views]


def fits(out: torch.Tensor, shape: Sequence[int], dtype: torch.dtype) -> str | None:
    """Why `out` cannot take channels of `shape[1:]` one after the other in memory, or None if it can."""
    if not is_plain(out):
        return "is not a plain CPU tensor"
    if tuple(out.shape) != tuple(shape) or out.dtype != dtype:
        return f"is {out.dtype} of shape {tuple(out.shape)}, expected {dtype} of shape {tuple(shape)}"
    if out.is_contiguous():
        return None
    if out.numel() and not out[0].is_contiguous():
        return "has channels that are not contiguous"
    if out.shape[0] > 1 and out.stride(0) < out[0].numel():
        return "has channels that overlap"
    return None


def overlap(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether the memory that `a` reaches over and that of `b` have a byte in common."""
    first, second = a.data_ptr(), b.data_ptr()
    return first < second + span(b) * b.element_size() and second < first + span(a) * a.element_size()


@lru_cache(maxsize=64)
def word_of(value: float, dtype: torch.dtype) -> int:
    """The bits of `value` converted to `dtype`, as the signed or unsigned integer that `WORDS` moves them as."""
    return int(torch.tensor([value]).to(dtype).view(WORDS[dtype.itemsize]).item())


@lru_cache(maxsize=64)
def value_of(value: float, dtype: torch.dtype) -> np.float32:
    """`value` converted to `dtype` and from there to float32."""
    return np.float32(torch.tensor(value).to(dtype).item())
