"""One sample of a batch: its images and labels, and how they are seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
import torch

from ..cpu.arrays import MOVABLE, overlap, span
from ..cpu.intensity import Field
from ..cpu.part import Part
from ..cpu.window import Window
from .table import IMAGES

Matrix = npt.NDArray[np.float64]

_LARGEST_PLACE = 1 << 29  # voxels; coordinates are 64 bits with 32 of them behind the point
_LARGEST_OFFSET = (1 << 31) - 1  # elements within one channel of a source


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """`parts` seen through one `window`; sampled through `matrix` (r, r + 1), as in `cpu.run_sample`, if there is one.

    An image's `out` may have another dtype than its source: all is computed in float32 and rounded once, to integers to
    the nearest even within their range. A label's `out` has the dtype of its source and no steps.
    """

    parts: tuple[Part, ...]
    window: Window
    matrix: Matrix | None = None


def can_run(source: torch.Tensor, *, image: bool) -> bool:
    """Whether `run_batch` takes this source (C, H, W) or (C, D, H, W), as an image to compute with, or to pick voxels from."""
    known = source.dtype in IMAGES if image else source.dtype in MOVABLE
    plain = type(source) is torch.Tensor and source.layout == torch.strided and not source.is_neg() and not source.is_conj()
    return known and plain and source.ndim in (3, 4) and not source.requires_grad and span(source, 1) <= _LARGEST_OFFSET


def is_image(part: Part, sampled: bool) -> bool:
    """Whether the part is computed with; else its voxels are moved as words."""
    return part.linear and (sampled or bool(part.steps) or part.out.dtype != part.source.dtype or part.source.dtype in IMAGES)


def check_sample(sample: Sample, device: torch.device) -> None:
    """Raises ValueError for what `run_batch` cannot write."""
    window, matrix = sample.window, sample.matrix
    if matrix is not None:
        if not all(window.shape):
            raise ValueError(f"nothing to sample from in the shape {window.shape}")
        rank = len(window.axes)
        if matrix.shape != (rank, rank + 1) or not all(map(math.isfinite, chain.from_iterable(matrix.tolist()))):
            raise ValueError(f"expected a finite ({rank}, {rank + 1}) matrix of voxel indices, not {matrix}")
    for part in sample.parts:
        _check_part(part, window, matrix, device)


def _check_part(part: Part, window: Window, matrix: Matrix | None, device: torch.device) -> None:
    source, out = part.source, part.out
    image = is_image(part, matrix is not None)
    if not can_run(source, image=image) or tuple(source.shape[1:]) != window.source_shape:
        raise ValueError(f"cannot take {source.dtype} of shape {tuple(source.shape)} with a window on {window.source_shape}")
    if sum(n * source.stride(axis.source + 1) for n, axis in zip(window.shape, window.axes, strict=True)) > _LARGEST_OFFSET:
        raise ValueError(f"the window {window.shape} reaches over more voxels than can be counted")
    size = tuple(out.shape[1:]) if matrix is not None and out.ndim == source.ndim else window.shape
    if matrix is not None and len(size) == len(matrix):
        farthest = max(sum(abs(v) * n for v, n in zip(row, [*size, 1], strict=True)) for row in matrix.tolist())
        if farthest > _LARGEST_PLACE:
            raise ValueError(f"the matrix leads further than {_LARGEST_PLACE} voxels from the image: {matrix}")
    reason = None
    if type(out) is not torch.Tensor or out.layout != torch.strided or out.requires_grad:
        reason = "is not a plain tensor"
    elif source.device != device or out.device != device:
        reason = f"is on {out.device} and its source on {source.device}, the batch on {device}"
    elif tuple(out.shape) != (source.shape[0], *size):
        reason = f"has the shape {tuple(out.shape)}, expected {(source.shape[0], *size)}"
    elif (out.dtype not in IMAGES) if image else (out.dtype != source.dtype or bool(part.steps)):
        reason = f"is {out.dtype} of {source.dtype}, with {len(part.steps)} steps"
    elif out.numel() and not out[0].is_contiguous():
        reason = "has channels that are not contiguous"
    elif out.numel() and out.shape[0] > 1 and out.stride(0) < out[0].numel():
        reason = "has channels that overlap"
    elif overlap(source, out):
        reason = "lies in the source's memory"
    elif out.numel() and max(out.shape) > _LARGEST_OFFSET // 64:
        reason = "is too large"
    if reason is not None:
        raise ValueError(f"the output {reason}")
    for step in part.steps:
        if isinstance(step, Field):
            _check_field(step.values, part, device)


def _check_field(values: torch.Tensor, part: Part, device: torch.device) -> None:
    fits = values.dtype == torch.float32 and values.is_contiguous() and values.device == device
    if not fits or values.numel() != part.out.numel() or overlap(values, part.out):
        place = f"{values.device} for {part.out.numel()} of float32"
        raise ValueError(f"a field of {values.numel()} voxels of {values.dtype} on {place}, or one that lies in the output")
