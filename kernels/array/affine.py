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
from monai.transforms.spatial import functional as monai_functional
from monai.transforms.utils import create_grid, resolves_modes
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_tensor, fall_back_tuple, get_equivalent_dtype

from ..matrices import between_centres
from ..remembered import Remembered, key_of
from ..torch_grid import sample
from ..tracking import Inner, Matrix, TransformInfo, affine_rank, plain_image, recorded, tracked


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
            out = self.sampled(img, grid, mode, padding_mode, dtype, align_corners)
            if out is not None:
                target = convert_to_tensor(img, track_meta=get_track_meta())
                return cast(torch.Tensor, convert_to_dst_type(out, dst=target, dtype=np.float32)[0])
            grid = grid.tensor()
        return cast(torch.Tensor, super().__call__(img, grid, mode, padding_mode, dtype, align_corners))

    def sampled(
        self,
        img: torch.Tensor,
        grid: DeferredGrid,
        mode: str | int | None = None,
        padding_mode: str | None = None,
        dtype: DtypeLike = None,
        align_corners: bool | None = None,
    ) -> torch.Tensor | None:
        """The voxels alone; None where the kernels do not cover the image or the modes."""
        voxels = plain_image(img)
        backend, interpolation, padding, _ = resolves_modes(
            self.mode if mode is None else mode, self.padding_mode if padding_mode is None else padding_mode, backend=None
        )
        align = self.align_corners if align_corners is None else align_corners
        if voxels is None or USE_COMPILED or backend != TransformBackends.TORCH or not isinstance(align, bool):
            return None
        if get_equivalent_dtype(dtype or self.dtype or voxels.dtype, torch.Tensor) not in (torch.float32, torch.float64):
            return None
        if str(interpolation) not in ("bilinear", "nearest") or len(grid.size) != voxels.ndim - 1:
            return None
        matrix = grid.matrix(voxels.shape[1:], align, self.norm_coords)
        return sample(voxels, matrix, grid.size, linear=str(interpolation) == "bilinear", padding=str(padding), align_corners=align)


def _can_defer(size: Sequence[int], device: torch.device | str | None) -> bool:
    return len(size) in (2, 3) and min(size) > 0 and (device is None or torch.device(device).type == "cpu")


def _carried_out(
    img: torch.Tensor,
    affine: torch.Tensor,
    grid: torch.Tensor | DeferredGrid | None,
    resampler: mt.Resample,
    size: Sequence[int],
    mode: str | int,
    padding_mode: str,
    do_resampling: bool,
    image_only: bool,
    transform_info: TransformInfo,
) -> torch.Tensor | tuple[torch.Tensor, Matrix]:
    """As MONAI's `affine_func`; `affine` lies between the centres of the images."""
    out = resampler.sampled(img, grid, mode, padding_mode) if _is_ours(resampler, grid) and do_resampling else None
    if out is None:
        # The matrix becomes part of the record, and the one given may be kept for the next image.
        arguments = (img, affine.clone(), grid, resampler, size, mode, padding_mode, do_resampling, image_only)
        done = monai_functional.affine_func(*arguments, lazy=False, transform_info=transform_info)
        return cast(torch.Tensor | tuple[torch.Tensor, Matrix], done)
    source, rank = tuple(img.shape[1:]), affine_rank(img)
    if rank == len(source) == len(affine) - 1:
        moved = between_centres(affine.numpy(), source, size)
    else:
        moved = mt.Affine.compute_w_affine(rank, affine, source, size)
    image = recorded(
        img,
        out,
        affine=moved,
        extra_info={
            "affine": affine.clone(),
            "mode": mode,
            "padding_mode": padding_mode,
            "do_resampling": True,
            "align_corners": resampler.align_corners,
        },
        orig_size=source,
        transform_info=transform_info,
    )
    return image if image_only else (image, moved)


def _is_ours(resampler: mt.Resample, grid: object) -> bool:
    return type(resampler) is Resample and isinstance(grid, DeferredGrid)


#: Of transforms with fixed parameters.
_grids: Remembered[tuple[torch.Tensor | DeferredGrid | None, torch.Tensor]] = Remembered(256)


class Affine(mt.Affine):
    """`monai.transforms.Affine`."""

    affine_grid = Inner(AffineGrid)
    resampler = Inner(Resample)

    def __call__(
        self,
        img: torch.Tensor,
        spatial_size: Sequence[int] | int | None = None,
        mode: str | int | None = None,
        padding_mode: str | None = None,
        lazy: bool | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, Matrix]:
        if (self.lazy if lazy is None else lazy) or plain_image(img) is None:
            done = super().__call__(img, spatial_size, mode, padding_mode, lazy)
            return cast(torch.Tensor | tuple[torch.Tensor, Matrix], done)
        img = tracked(img)
        size = fall_back_tuple(self.spatial_size if spatial_size is None else spatial_size, img.shape[1:])
        made = self.affine_grid
        deferred = made.dtype is not None and _can_defer(size, made.device)  # a grid itself is too large to be kept
        grid, affine = _grids.get(key_of(made, size) if deferred else None, lambda: made(spatial_size=size, lazy=False))
        return _carried_out(
            img,
            affine,
            grid,
            self.resampler,
            size,
            self.mode if mode is None else mode,
            self.padding_mode if padding_mode is None else padding_mode,
            True,
            self.image_only,
            self.get_transform_info(),
        )


class RandAffine(mt.RandAffine):
    """`monai.transforms.RandAffine` with the same draws."""

    rand_affine_grid = Inner(RandAffineGrid)
    resampler = Inner(Resample)

    def __call__(
        self,
        img: torch.Tensor,
        spatial_size: Sequence[int] | int | None = None,
        mode: str | int | None = None,
        padding_mode: str | None = None,
        randomize: bool = True,
        grid: torch.Tensor | DeferredGrid | None = None,
        lazy: bool | None = None,
    ) -> torch.Tensor:
        if (self.lazy if lazy is None else lazy) or plain_image(img) is None:
            return cast(torch.Tensor, super().__call__(img, spatial_size, mode, padding_mode, randomize, grid, lazy))
        if randomize:
            self.randomize()
        img = tracked(img)
        shape = tuple(img.shape[1:])
        size = fall_back_tuple(self.spatial_size if spatial_size is None else spatial_size, shape)
        if grid is None:
            grid = self.get_identity_grid(size, False)
            if self._do_transform:
                grid = self.rand_affine_grid(grid=grid, randomize=randomize, lazy=False)
        out = _carried_out(
            img,
            self.rand_affine_grid.get_transformation_matrix(),
            grid,
            self.resampler,
            size,
            self.mode if mode is None else mode,
            self.padding_mode if padding_mode is None else padding_mode,
            self._do_transform or size != shape,
            True,
            self.get_transform_info(),
        )
        return cast(torch.Tensor, out)

    def get_identity_grid(self, spatial_size: Sequence[int], lazy: bool) -> torch.Tensor | DeferredGrid | None:
        if lazy or not _can_defer(spatial_size, self.rand_affine_grid.device):
            return cast(torch.Tensor | None, super().get_identity_grid(spatial_size, lazy))
        size = tuple(int(n) for n in spatial_size)
        return DeferredGrid(size, torch.eye(len(size) + 1))
