"""SimpleITK's images from tensors and back. Its axes are (x, y, z), ours (D, H, W)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch

Matrix = npt.NDArray[np.float64]


def images(sitk: ModuleType, volumes: Sequence[torch.Tensor]) -> list[object]:
    """One image with unit spacing for each (1, D, H, W)."""
    return [sitk.GetImageFromArray(volume[0].numpy()) for volume in volumes]


def array(sitk: ModuleType, image: object) -> dict[str, object]:
    """The voxels without another copy; the image is held, for it owns them."""
    return {"image": sitk.GetArrayViewFromImage(image), "owner": image}


def pair(sitk: ModuleType, image: object, label: object) -> dict[str, object]:
    """As `array`, of an image and its label."""
    return {
        "image": sitk.GetArrayViewFromImage(image),
        "label": sitk.GetArrayViewFromImage(label),
        "owners": (image, label),
    }


def resampler(
    sitk: ModuleType, size: Sequence[int], matrix: Matrix, offset: Matrix, *, nearest: bool, clamp: bool, threads: int
) -> Callable[[object], object]:
    """A filter that reads voxel `matrix @ v + offset` for voxel v, in (D, H, W). `clamp`: outside lies the nearest voxel, not 0."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(np.ascontiguousarray(matrix[::-1, ::-1]).ravel().tolist())
    transform.SetTranslation(offset[::-1].tolist())
    resample = sitk.ResampleImageFilter()
    resample.SetSize([int(edge) for edge in reversed(size)])
    resample.SetTransform(transform)
    resample.SetInterpolator(sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear)
    resample.SetUseNearestNeighborExtrapolator(clamp)
    execute: Callable[[object], object] = resample.Execute
    return execute
