"""Flips on the CPU: a strided copy whose rows run forwards or backwards, bit for bit.

Adjacent axes with the same direction are merged first, so that flipping the slowest axis copies whole planes and flipping
every axis reverses one long row. Indices are unsigned: numba's handling of negative indices would keep a reversed row from
being vectorised, and is ten times slower.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from .compilation import kernel
from .threads import thread_count

# Voxels are moved as integers of their size, so that one kernel serves every dtype and NaN payloads survive.
_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_DTYPES = frozenset(
    {
        *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    }
)
_MAX_AXES = 4  # after merging
#: From here on `torch.flip` with several threads is quicker than this kernel with as many (measured on two cores).
_SEVERAL_THREADS_BYTES = 1 << 22

Words = npt.NDArray[np.int64]


def can_flip(x: torch.Tensor) -> bool:
    """Whether `flip_axes` handles this tensor; if not, `torch.flip` does."""
    return (
        x.layout == torch.strided
        and x.device.type == "cpu"
        and x.dtype in _DTYPES
        and not (x.requires_grad and torch.is_grad_enabled())
        and not x.is_neg()
    )


def flip_axes(x: torch.Tensor, axes: Sequence[int]) -> torch.Tensor:
    """A new tensor with `axes` (0 <= axis < x.ndim, each at most once) reversed, in x's own memory order.

    Any strides are accepted. What `can_flip` refuses, shapes that need more than four axes after merging, and volumes for which
    several threads pay go to `torch.flip`.
    """
    order = sorted(range(x.ndim), key=x.stride, reverse=True)
    plan = _merge([(x.shape[a], -x.stride(a) if a in axes else x.stride(a)) for a in order])
    threads_pay = x.nbytes >= _SEVERAL_THREADS_BYTES and thread_count() > 1
    if len(plan) > _MAX_AXES or threads_pay or not can_flip(x):
        return torch.flip(x, list(axes))
    out = torch.empty([x.shape[a] for a in order], dtype=x.dtype)
    if out.numel():
        word = _WORDS[x.element_size()]
        span = 1 + sum((n - 1) * abs(stride) for n, stride in plan)
        source = x.as_strided((span,), (1,)).view(word).numpy()
        target = out.view(-1).view(word).numpy()
        padded = [(1, 0)] * (_MAX_AXES - len(plan)) + plan
        sizes = tuple(n for n, _ in padded)
        strides = tuple(stride for _, stride in padded)
        first = sum((n - 1) * -stride for n, stride in plan if stride < 0)
        copy_rows(source, target, sizes, strides, first, 0, out.numel())
    return out.permute([order.index(a) for a in range(x.ndim)])


def _merge(axes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """(size, signed stride) from slowest to fastest, with unit axes dropped and axes that form one longer axis merged."""
    merged: list[tuple[int, int]] = []
    for size, stride in axes:
        if size == 1:
            continue
        if merged and merged[-1][1] == stride * size:
            merged[-1] = (merged[-1][0] * size, stride)
        else:
            merged.append((size, stride))
    return merged or [(1, 1)]


@kernel
def copy_rows(
    source: Words,
    target: Words,
    sizes: tuple[int, ...],
    strides: tuple[int, ...],
    first: int,
    start: int,
    stop: int,
) -> None:
    """target[i] for start <= i < stop, i counting over `sizes`, from source[first + sum(index * stride)]."""
    length, step = sizes[3], strides[3]
    one = np.uint64(1)
    while start < stop:
        row = start // length
        x = start - row * length
        rest = row // sizes[2]
        i2 = row - rest * sizes[2]
        i0 = rest // sizes[1]
        begin = first + i0 * strides[0] + (rest - i0 * sizes[1]) * strides[1] + i2 * strides[2] + x * step
        # One piece of a row where the range begins or ends inside it, else all rows up to the end of axis 2.
        rows, count = 1, min(length - x, stop - start)
        if count == length:
            rows = min(sizes[2] - i2, (stop - start) // length)
        n = np.uint64(count)
        if step == 1:
            for _ in range(rows):
                to, ahead = target[start : start + count], source[begin : begin + count]
                for k in range(n):
                    to[k] = ahead[k]
                begin += strides[2]
                start += count
        elif step == -1:
            for _ in range(rows):
                to, behind = target[start : start + count], source[begin + 1 - count : begin + 1]
                for k in range(n):
                    to[k] = behind[n - one - k]
                begin += strides[2]
                start += count
        else:
            for _ in range(rows):
                for i in range(count):
                    target[start + i] = source[begin + i * step]
                begin += strides[2]
                start += count
