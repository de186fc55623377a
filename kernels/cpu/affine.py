"""One array under an affine map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from .part import Part
from .sample import run_sample
from .window import Window


def resample_affine(
    source: torch.Tensor,
    window: Window,
    matrix: npt.NDArray[np.float64],
    size: Sequence[int],
    *,
    linear: bool = True,
    border: bool = False,
    out: torch.Tensor | None = None,
    threads: int | None = None,
) -> torch.Tensor:
    """One array by `run_sample`, in `out` or a new tensor (C, *size)."""
    if out is None:
        out = torch.empty((source.shape[0], *size), dtype=torch.float32 if linear else source.dtype)
    if tuple(out.shape[1:]) != tuple(size):
        raise ValueError(f"the output has the shape {tuple(out.shape)}, expected {(source.shape[0], *size)}")
    run_sample([Part(source, out, linear, border)], window, matrix, threads=threads)
    return out
