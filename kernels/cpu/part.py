"""One array of a sample and where it goes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .arrays import CONVERTED, INTERPOLABLE, fits, is_plain, overlap
from .axis_permutation import can_permute
from .intensity import Field, Step, check_steps
from .window import Window


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """`source` (C, *window.source_shape), any strides, goes to `out` (C, *size), each channel contiguous.

    `out` is float32 where `linear` samples it, else of the source's dtype, or float32 where the nearest voxels of uint8 or int16
    are sampled. `border`: outside the window its nearest voxel, as
    grid_sample's "border", else zeros. `fill`: the window's padding. `steps`, in order, on what is written, not on
    nearest voxels: `out` is then contiguous float32.
    """

    source: torch.Tensor
    out: torch.Tensor
    linear: bool = True
    border: bool = False
    fill: float = 0.0
    steps: tuple[Step, ...] = ()


def can_run(source: torch.Tensor, *, linear: bool, matrix: bool) -> bool:
    """Whether `run_sample` takes this source, sampled linearly or not, with a matrix or without."""
    if not matrix or not linear:
        return can_permute(source) and (not matrix or source.numel() > 0)
    return is_plain(source) and source.ndim in (3, 4) and source.dtype in INTERPOLABLE and source.numel() > 0


def is_out(step: Step, out: torch.Tensor) -> bool:
    """Whether `step` adds a field that lies in the output itself."""
    return isinstance(step, Field) and step.values.data_ptr() == out.data_ptr()


def check_part(part: Part, window: Window, sampled: bool) -> None:
    """Raises ValueError for a part that `run_sample` cannot write, with a matrix (`sampled`) or without."""
    source, out = part.source, part.out
    if not can_run(source, linear=part.linear, matrix=sampled) or tuple(source.shape[1:]) != window.source_shape:
        raise ValueError(f"cannot take {source.dtype} of shape {tuple(source.shape)} with a window on {window.source_shape}")
    size = tuple(out.shape[1:]) if sampled and out.ndim == source.ndim else window.shape
    to_float = sampled and (part.linear or (source.dtype in CONVERTED and out.dtype == torch.float32))
    reason = fits(out, (source.shape[0], *size), torch.float32 if to_float else source.dtype)
    if reason is None and part.steps:
        check_steps(part.steps, out.numel())
        if sampled and not part.linear:
            reason = "has steps, which nearest voxels do not take"
        elif out.dtype != torch.float32 or not out.is_contiguous():
            reason = "has steps, which need contiguous float32"
        elif any(is_out(step, out) for step in part.steps[1 if sampled else 0 :]):
            reason = "is a field itself, which only the first step after sampling may use"
    if reason is None and overlap(source, out):
        reason = "lies in the source's memory"
    if reason is not None:
        raise ValueError(f"the output {reason}")
