"""Images with their labels, the one interpolated and the other by the nearest voxel, in other libraries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch

from . import itk


def simpleitk(
    images: Sequence[torch.Tensor],
    labels: Sequence[torch.Tensor],
    size: Sequence[int],
    matrix: itk.Matrix,
    offset: itk.Matrix,
    sitk: ModuleType,
    *,
    clamp: bool,
    threads: int,
) -> Callable[[int], object]:
    """Both resampled as `itk.resampler` does it."""
    sources = list(zip(itk.images(sitk, images), itk.images(sitk, labels), strict=True))
    linear, nearest = (
        itk.resampler(sitk, size, matrix, offset, nearest=nearest, clamp=clamp, threads=threads) for nearest in (False, True)
    )

    def call(turn: int) -> object:
        image, label = sources[turn % len(sources)]
        return itk.pair(sitk, linear(image), nearest(label))

    return call


def torchio(
    images: Sequence[torch.Tensor],
    labels: Sequence[torch.Tensor],
    make: Callable[[ModuleType], Callable[[Any], Any]],
    tio: ModuleType,
) -> Callable[[int], object]:
    """Both as one subject through the transform that `make` makes."""
    subjects = [
        tio.Subject(image=tio.ScalarImage(tensor=image), label=tio.LabelMap(tensor=label))
        for image, label in zip(images, labels, strict=True)
    ]
    transform = make(tio)

    def call(turn: int) -> object:
        done = transform(subjects[turn % len(subjects)])
        return done.image.data, done.label.data

    return call


def kornia_matrix(matrix: itk.Matrix, edge: int) -> torch.Tensor:
    """(1, 3, 4) for `warp_affine3d` of a cube of `edge` voxels: source to target, in (x, y, z); `matrix` as in `affine_matrix`."""
    centre, inverse = np.full(3, (edge - 1) / 2), np.linalg.inv(matrix)
    moved = np.c_[inverse, centre - inverse @ centre]
    return torch.from_numpy(np.c_[moved[::-1, 2::-1], moved[::-1, 3]].astype(np.float32))[None]
