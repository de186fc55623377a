"""Cases of affine transforms of an image with its label, the same map for both: trilinear, nearest, zeros outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType

import numpy as np
import torch
import torch.nn.functional as F

from . import goals, itk, pairs
from .case import OURS, TORCH, Case, Spec
from .checks import TIES, alike, same
from .sources import Make, add_ours, items, nbytes, plain, ring

ROTATION, SCALE = (0.2, -0.15, 0.1), (1.1, 0.9, 1.05)
#: MONAI rounds coordinates to float32, and between two voxels of noise lies the whole range.
_INTERPOLATED = 3e-5


def specs() -> Iterator[Spec]:
    for edge in (96, 128):
        yield Spec(
            f"affine image+label {edge}^3",
            "affine image+label",
            partial(_pair, edge),
            {OURS: goals.AFFINE_PAIR},
            quick=edge == 96,
        )
    for name, make in _OTHERS.items():
        yield Spec(name, "other spatial", partial(_other, make))


def affine_matrix(rotation: tuple[float, ...], scale: tuple[float, ...]) -> itk.Matrix:
    """MONAI's order, rotations about D, H, W (radians), then scales: (3, 3) in (D, H, W), target to source, about the centre."""
    cos, sin = np.cos(rotation), np.sin(rotation)
    about_d = np.array([[1, 0, 0], [0, cos[0], -sin[0]], [0, sin[0], cos[0]]])
    about_h = np.array([[cos[1], 0, sin[1]], [0, 1, 0], [-sin[1], 0, cos[1]]])
    about_w = np.array([[cos[2], -sin[2], 0], [sin[2], cos[2], 0], [0, 0, 1]])
    combined: itk.Matrix = about_d @ about_h @ about_w @ np.diag(scale)
    return combined


def theta(matrix: itk.Matrix) -> torch.Tensor:
    """`matrix` for `F.affine_grid` of a cube: (1, 3, 4), axes in (x, y, z)."""
    mirrored = np.zeros((1, 3, 4), np.float32)
    mirrored[0, :, :3] = matrix[::-1, ::-1]
    return torch.from_numpy(mirrored)


def _pair(edge: int, threads: int) -> Case:
    sources = items((edge,) * 3)
    images, labels = ([plain(item[key]) for item in sources] for key in ("image", "label"))
    case = Case(read_bytes=nbytes(images[0]) + nbytes(labels[0]))
    make: Make = lambda library: library.Affined(  # noqa: E731
        keys=("image", "label"),
        rotate_params=ROTATION,
        scale_params=SCALE,
        mode=("bilinear", "nearest"),
        padding_mode="zeros",
    )
    add_ours(case, sources, make, same(_INTERPOLATED, TIES), lazy=True)
    matrix = affine_matrix(ROTATION, SCALE)
    centre = np.full(3, (edge - 1) / 2)
    offset = centre - matrix @ centre

    def by_hand(turn: int) -> object:
        i = turn % len(images)
        where = F.affine_grid(theta(matrix), [1, 1, edge, edge, edge], align_corners=False)
        image = F.grid_sample(images[i][None], where, "bilinear", "zeros", align_corners=False)
        return image, F.grid_sample(labels[i][None].float(), where, "nearest", "zeros", align_corners=False)

    def scipy(ndimage: ModuleType) -> Callable[[int], object]:
        arrays = [(image[0].numpy(), label[0].numpy()) for image, label in zip(images, labels, strict=True)]
        out = np.empty_like(arrays[0][0]), np.empty_like(arrays[0][1])

        def call(turn: int) -> object:
            image, label = arrays[turn % len(arrays)]
            ndimage.affine_transform(image, matrix, offset, output=out[0], order=1, mode="grid-constant", prefilter=False)
            ndimage.affine_transform(label, matrix, offset, output=out[1], order=0, mode="grid-constant", prefilter=False)
            return out

        return call

    # TorchIO's angles turn the other way about other axes: as much work, not the same image.
    turned = lambda tio: tio.Affine(SCALE, tuple(np.degrees(ROTATION)), (0, 0, 0), default_pad_value=0.0)  # noqa: E731

    def kornia(module: ModuleType) -> Callable[[int], object]:
        from kornia.geometry.transform import warp_affine3d

        xyz = pairs.kornia_matrix(matrix, edge)

        def call(turn: int) -> object:
            i, size = turn % len(images), (edge,) * 3
            image = warp_affine3d(images[i][None], xyz, size, "bilinear", "zeros", True)
            return image, warp_affine3d(labels[i][None].float(), xyz, size, "nearest", "zeros", True)

        return call

    case.add(TORCH, by_hand, same(1e-4, 1e-3))
    simpleitk = partial(pairs.simpleitk, images, labels, (edge,) * 3, matrix, offset, clamp=False, threads=threads)
    case.peer("SimpleITK", simpleitk, same(1e-4, 0.05, strays=0.1))
    case.peer("scipy", scipy, same(1e-4, 0.05, strays=0.1))
    case.peer("TorchIO", partial(pairs.torchio, images, labels, turned), alike(0.3))
    case.peer("Kornia", kornia, same(1e-3, 0.05, strays=0.1))
    return case


_OTHERS: dict[str, Make] = {
    "Rotate 96^3": lambda library: library.Rotate(ROTATION, mode="bilinear", padding_mode="zeros"),
    "RandRotate 96^3": lambda library: library.RandRotate(0.3, 0.3, 0.3, prob=1.0, padding_mode="zeros"),
    "RandZoom 96^3": lambda library: library.RandZoom(prob=1.0, min_zoom=0.9, max_zoom=1.1, mode="trilinear"),
    "RandAffine 96^3": lambda library: library.RandAffine(
        prob=1.0, rotate_range=(0.3,) * 3, scale_range=(0.1,) * 3, mode="bilinear", padding_mode="zeros"
    ),
    "RandAffine 96^3 border": lambda library: library.RandAffine(
        prob=1.0, rotate_range=(0.3,) * 3, shear_range=(0.1,) * 6, mode="bilinear", padding_mode="border"
    ),
}


def _other(make: Make, threads: int) -> Case:
    case = Case(read_bytes=0)
    add_ours(case, ring((96, 96, 96), torch.float32), make, same(_INTERPOLATED))
    return case
