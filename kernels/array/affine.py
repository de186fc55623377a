"""Affine transforms of single images.

MONAI writes out the coordinates of every output voxel, multiplies them by the matrix and hands them on. Here the matrix itself
is handed on, and the coordinates are made only if MONAI has to do the sampling after all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import monai.transforms as mt
import numpy as np
import torch
from monai.config import USE_COMPILED, DtypeLike
from monai.data.meta_obj import get_track_meta
from monai.transforms.utils import create_grid, resolves_modes
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_tensor, get_equivalent_dtype

from ..torch_grid import Matrix, sample
from ..tracking import Inner, plain_image


@dataclass(frozen=True, slots=True)
class DeferredGrid:
    """The grid (rank + 1, *size) that MONAI would make: centred voxel coordinates multiplied by `affine`."""

    size: tuple[int, ...]
    affine: torch.Tensor
    align_corners: bool = False

    def tensor(self) -> torch.Tensor:
        """The grid itself, made by MONAI."""
        dtype = get_equivalent_dtype(self.affine.dtype, np.ndarray)
        build = mt.AffineGrid(affine=self.affine, dtype=dtype, align_corners=self.align_corners)
        return cast(torch.Tensor, build(grid=create_grid(self.size, backend="torch"))[0])

    def matrix(self, source: Sequence[int], align_corners: bool, centred: bool) -> Matrix:
        """(rank, rank + 1): output voxel to voxel of an image of spatial shape `source`, as `Resample` reads this grid.

        `centred`: whether the grid is in voxels from the image's centre, not in torch's normalised coordinates.
        """
        rank = len(self.size)
        n_out, n_in = np.array(self.size, np.float64), np.array(source, np.float64)
        affine = self.affine.to(torch.float64).numpy()[:rank]
        wide = np.maximum(n_out, 2)
        linear = affine[:, :-1] * (wide / (wide - 1) if self.align_corners else 1.0)
        scale = (n_in - 1 if align_corners else n_in) / (np.maximum(n_in, 2) if centred else 2)
        offset = scale * (affine[:, -1] - linear @ ((n_out - 1) / 2)) + (n_in - 1) / 2
        return np.column_stack([scale[:, None] * linear, offset])


class AffineGrid(mt.AffineGrid):
    """`monai.transforms.AffineGrid`, which leaves the grid of an image on the CPU to be made later."""

    def __call__(
        self, spatial_size: Sequence[int] | None = None, grid: torch.Tensor | None = None, lazy: bool | None = None
    ) -> tuple[torch.Tensor | DeferredGrid | None, torch.Tensor]:
        lazy_ = self.lazy if lazy is None else lazy
        if lazy_ or grid is not None or spatial_size is None or not _can_defer(spatial_size, self.device) or self.dtype is None:
            return cast(tuple[torch.Tensor | None, torch.Tensor], super().__call__(spatial_size, grid, lazy))
        _, affine = super().__call__(spatial_size, lazy=True)
        affine = convert_to_tensor(affine, dtype=self.dtype, track_meta=False)
        return DeferredGrid(tuple(int(n) for n in spatial_size), affine, self.align_corners), affine


class RandAffineGrid(mt.RandAffineGrid):
    """`monai.transforms.RandAffineGrid` with the same draws; a grid that was deferred stays so."""

    def __call__(
        self,
        spatial_size: Sequence[int] | None = None,
        grid: torch.Tensor | DeferredGrid | None = None,
        randomize: bool = True,
        lazy: bool | None = None,
    ) -> torch.Tensor | DeferredGrid | None:
        if not isinstance(grid, DeferredGrid):
            return cast(torch.Tensor | None, super().__call__(spatial_size, grid, randomize, lazy))
        if randomize:
            self.randomize()
        build = AffineGrid(
            rotate_params=self.rotate_params,
            shear_params=self.shear_params,
            translate_params=self.translate_params,
            scale_params=self.scale_params,
            device=self.device,
            dtype=self.dtype,
        )
        turned, self.affine = build(grid.size)
        return turned


class Resample(mt.Resample):
    """`monai.transforms.Resample`; deferred grids are ours where the kernels cover the image and the modes."""

    def __call__(
        self,
        img: torch.Tensor,
        grid: torch.Tensor | DeferredGrid | None = None,
        mode: str | int | None = None,
        padding_mode: str | None = None,
        dtype: DtypeLike = None,
        align_corners: bool | None = None,
    ) -> torch.Tensor:
        if isinstance(grid, DeferredGrid):
            align = self.align_corners if align_corners is None else align_corners
            out = self._sampled(img, grid, mode, padding_mode, dtype or self.dtype, align)
            if out is not None:
                return out
            grid = grid.tensor()
        return cast(torch.Tensor, super().__call__(img, grid, mode, padding_mode, dtype, align_corners))

    def _sampled(
        self,
        img: torch.Tensor,
        grid: DeferredGrid,
        mode: str | int | None,
        padding_mode: str | None,
        dtype: DtypeLike,
        align_corners: bool,
    ) -> torch.Tensor | None:
        voxels = plain_image(img)
        backend, interpolation, padding, _ = resolves_modes(
            self.mode if mode is None else mode, self.padding_mode if padding_mode is None else padding_mode, backend=None
        )
        if voxels is None or USE_COMPILED or backend != TransformBackends.TORCH or not isinstance(align_corners, bool):
            return None
        if get_equivalent_dtype(dtype or voxels.dtype, torch.Tensor) not in (torch.float32, torch.float64):
            return None
        if str(interpolation) not in ("bilinear", "nearest") or len(grid.size) != voxels.ndim - 1:
            return None
        matrix = grid.matrix(voxels.shape[1:], align_corners, self.norm_coords)
        linear = str(interpolation) == "bilinear"
        out = sample(voxels, matrix, grid.size, linear=linear, padding=str(padding), align_corners=align_corners)
        if out is None:
            return None
        target = convert_to_tensor(img, track_meta=get_track_meta())
        return cast(torch.Tensor, convert_to_dst_type(out, dst=target, dtype=np.float32)[0])


def _can_defer(size: Sequence[int], device: torch.device | str | None) -> bool:
    return len(size) in (2, 3) and min(size) > 0 and (device is None or torch.device(device).type == "cpu")


class Affine(mt.Affine):
    """`monai.transforms.Affine`."""

    affine_grid = Inner(AffineGrid)
    resampler = Inner(Resample)


class RandAffine(mt.RandAffine):
    """`monai.transforms.RandAffine` with the same draws."""

    rand_affine_grid = Inner(RandAffineGrid)
    resampler = Inner(Resample)

    def get_identity_grid(self, spatial_size: Sequence[int], lazy: bool) -> torch.Tensor | DeferredGrid | None:
        if lazy or not _can_defer(spatial_size, self.rand_affine_grid.device):
            return cast(torch.Tensor | None, super().get_identity_grid(spatial_size, lazy))
        size = tuple(int(n) for n in spatial_size)
        return DeferredGrid(size, torch.eye(len(size) + 1))
