"""Compiling ahead of time, so that the first image does not wait for the compiler."""

from __future__ import annotations

import torch

from .axis_weights import interpolate_axis
from .flip import flip_axes
from .resample import resample_axes


def warm_up() -> None:
    """Compile every kernel for the common dtypes, or load it from the disk cache. Call it before starting DataLoader workers."""
    for dtype in (torch.uint8, torch.int16, torch.float32, torch.float64):
        flip_axes(torch.zeros(1, 2, 2, dtype=dtype), [2])
    for dtype in (torch.uint8, torch.int16, torch.float32):
        for mode in ("linear", "nearest"):
            table = interpolate_axis(2, 3, mode, None, torch.float32)
            resample_axes(torch.zeros(1, 2, 2, dtype=dtype), [table] * 2)
            resample_axes(torch.zeros(1, 2, 2, 2, dtype=dtype), [table] * 3)
