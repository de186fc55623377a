"""Affine matrices with the arithmetic of MONAI, without its tensors: float32 where it is float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from monai.transforms.utils import create_rotate, create_scale, create_shear, create_translate
from monai.utils import ensure_tuple

from .tracking import Matrix

Params = Sequence[float] | float | None


def grid_float32(grid: Any, rank: int) -> npt.NDArray[np.float32]:
    """The matrix of one of MONAI's `AffineGrid`: the one it was given, or composed of its parameters in the usual order."""
    if grid.affine is None:
        return affine_float32(rank, grid.rotate_params, grid.shear_params, grid.translate_params, grid.scale_params)
    matrix = np.eye(rank + 1, dtype=np.float32)
    given = np.asarray(grid.affine, dtype=np.float32)
    n = min(len(given) - 1, rank)
    matrix[:n, :n], matrix[:n, -1] = given[:n, :n], given[:n, -1]
    return matrix


def affine_float32(rank: int, rotate: Params, shear: Params, translate: Params, scale: Params) -> npt.NDArray[np.float32]:
    """As MONAI's AffineGrid composes them: centre to centre, (r + 1, r + 1)."""
    affine = np.eye(rank + 1, dtype=np.float32)
    if rotate:
        affine = affine @ _rotate_float32(rank, rotate)
    if shear:
        affine = affine @ create_shear(rank, shear).astype(np.float32)
    if translate:
        affine = affine @ create_translate(rank, translate).astype(np.float32)
    if scale:
        affine = affine @ np.asarray(create_scale(rank, scale), dtype=np.float32)
    return affine


def _rotate_float32(rank: int, radians: Sequence[float] | float) -> npt.NDArray[np.float32]:
    angles = np.asarray(ensure_tuple(radians), dtype=np.float32)
    out = np.eye(rank + 1, dtype=np.float32)
    if rank == 2:
        c, s = np.cos(angles[0]), np.sin(angles[0])
        out[:2, :2] = [[c, -s], [s, c]]
        return out
    for axis, angle in enumerate(angles[:3]):
        turn = np.eye(4, dtype=np.float32)
        a, b = [i for i in range(3) if i != axis]
        c, s = np.cos(angle), np.sin(angle)
        turn[a, a], turn[b, b] = c, c
        # About y the signs are the other way round.
        turn[a, b], turn[b, a] = (s, -s) if axis == 1 else (-s, s)
        out = out @ turn
    return out


def rotate_float64(rank: int, radians: float | Sequence[float], order: str) -> Matrix:
    return np.asarray(create_rotate(rank, radians, rotate_order=order), dtype=np.float64)


def between_centres(matrix: npt.NDArray[np.floating], source: Sequence[int], target: Sequence[int]) -> Matrix:
    """`matrix` between the centres of the images as one between voxel indices."""
    out = np.array(matrix, dtype=np.float64)
    out[:-1, -1] += (np.asarray(source) - 1) / 2 - out[:-1, :-1] @ ((np.asarray(target) - 1) / 2)
    return out
