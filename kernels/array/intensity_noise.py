"""Gaussian noise, bias fields and dropout of single images."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import cast

import monai.transforms as mt
import numpy as np
import numpy.typing as npt
import torch
from monai.utils import get_equivalent_dtype

from ..cpu.bias_field import LARGEST_FIELD, Doubles, apply_bias_field
from ..cpu.dropout import exact_uniform
from ..cpu.noise import exact_normal
from ..tracking import tracked, with_metadata
from .intensity_images import as_float32, float_voxels, gives_float32, is_number, voxels_of


class RandGaussianNoise(mt.RandGaussianNoise):
    """`monai.transforms.RandGaussianNoise` with the same draws and the same noise, bit for bit."""

    def randomize(self, img: torch.Tensor, mean: float | None = None) -> None:
        centre = self.mean if mean is None else mean
        known = type(self.R) is np.random.RandomState and is_number(centre) and is_number(self.std) and self.std >= 0
        if not known or get_equivalent_dtype(self.dtype, torch.Tensor) != torch.float32 or not math.isfinite(self.std):
            super().randomize(img, mean)
            return
        # The two draws of the parameters are MONAI's; only the field is made by the kernel.
        super(mt.RandGaussianNoise, self).randomize(None)
        if not self._do_transform:
            return
        std = self.R.uniform(0, self.std) if self.sample_std else self.std
        noise = torch.empty(tuple(img.shape), dtype=torch.float32)
        exact_normal(self.R, centre, std, noise)
        self.noise = noise.numpy()

    def __call__(self, img: torch.Tensor, mean: float | None = None, randomize: bool = True) -> torch.Tensor:
        img = tracked(img)
        if randomize:
            self.randomize(img, self.mean if mean is None else mean)
        voxels = voxels_of(img) if self._do_transform and isinstance(self.noise, np.ndarray) else None
        if voxels is None or self.noise is None or self.noise.dtype != np.float32 or self.noise.shape != tuple(voxels.shape):
            return cast(torch.Tensor, super().__call__(img, mean, randomize=False))
        if not gives_float32(self.dtype, img):
            return cast(torch.Tensor, super().__call__(img, mean, randomize=False))
        return with_metadata(as_float32(voxels) + torch.from_numpy(self.noise), img)


class RandBiasField(mt.RandBiasField):
    """`monai.transforms.RandBiasField` with the same draws, to a relative 2e-6."""

    def __call__(self, img: torch.Tensor, randomize: bool = True) -> torch.Tensor:
        img = tracked(img)
        if randomize:
            self.randomize(img_size=img.shape[1:])
        voxels = float_voxels(img) if self._do_transform and gives_float32(self.dtype, img) else None
        coefficients = None if voxels is None else self._coefficients(voxels.ndim - 1)
        if voxels is None or coefficients is None or not float(np.abs(coefficients).sum()) < LARGEST_FIELD:
            return cast(torch.Tensor, super().__call__(img, randomize=False))
        tables = [legendre_table(n, self.degree) for n in voxels.shape[1:]]
        return with_metadata(apply_bias_field(voxels, coefficients, tables), img)

    def _coefficients(self, rank: int) -> Doubles | None:
        """(degree + 1,) * rank: as MONAI orders them. |a Legendre polynomial| <= 1, so their sum bounds the field."""
        n = self.degree + 1
        grid = np.zeros((n,) * rank)
        if rank == 2:
            used = np.tri(n, dtype=bool)
        elif rank == 3:
            used = np.indices(grid.shape).sum(axis=0) < n
        else:
            return None
        if used.sum() != len(self._coeff):
            return None
        grid[used] = self._coeff
        return grid


@lru_cache(maxsize=64)
def legendre_table(size: int, degree: int) -> Doubles:
    """(degree + 1, size): the Legendre polynomials at MONAI's coordinates of an axis."""
    coordinates = np.linspace(-1.0, 1.0, size, dtype=np.float32).astype(np.float64)
    return cast(Doubles, np.polynomial.legendre.legvander(coordinates, degree).T)


class RandCoarseDropout(mt.RandCoarseDropout):
    """`monai.transforms.RandCoarseDropout` with the same draws, bit for bit.

    As in MONAI an image that is contiguous itself loses its voxels; a read-only array does not.
    """

    def __call__(self, img: torch.Tensor | npt.NDArray[np.generic], randomize: bool = True) -> torch.Tensor:
        if isinstance(img, np.ndarray) and not img.flags.writeable:
            img = img.copy()  # MONAI would write into it
        img = tracked(cast(torch.Tensor, img))
        if randomize:
            self.randomize(img.shape[1:])
        voxels = voxels_of(img) if self._do_transform else None
        if voxels is None:
            return cast(torch.Tensor, super().__call__(img, randomize=False))
        return with_metadata(torch.from_numpy(self._transform_holes(voxels.contiguous().numpy())), img)

    def _transform_holes(self, img: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        ends = (img.min(), img.max()) if self.fill_value is None else self.fill_value
        if img.dtype != np.float32 or type(self.R) is not np.random.RandomState or not isinstance(ends, (tuple, list)):
            return cast(npt.NDArray[np.generic], super()._transform_holes(img))
        low, high = float(ends[0]), float(ends[1])
        if self.dropout_holes:
            for hole in self.hole_coords:
                img[hole] = exact_uniform(self.R, low, high, img[hole].size).reshape(img[hole].shape)
            return img
        out = exact_uniform(self.R, low, high, img.size).reshape(img.shape)
        for hole in self.hole_coords:
            out[hole] = img[hole]
        return out
