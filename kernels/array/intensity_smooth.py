"""Gaussian smoothing and sharpening of single images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import monai.transforms as mt
import torch
from monai.data.meta_tensor import get_spatial_ndim
from monai.networks.layers.convutils import gaussian_1d
from monai.utils import ensure_tuple_size

from ..cpu.convolution import Weights, smooth
from ..tracking import tracked, with_metadata
from .intensity_images import float_voxels, is_number


class GaussianSmooth(mt.GaussianSmooth):
    """`monai.transforms.GaussianSmooth`, within 1e-6 of the largest intensity."""

    def __call__(self, img: torch.Tensor) -> torch.Tensor:
        img = tracked(img)
        voxels = float_voxels(img, convert=True)
        kernels = None if voxels is None else kernels_for(self.sigma, self.approx, img)
        if voxels is None or kernels is None:
            return cast(torch.Tensor, super().__call__(img))
        return with_metadata(smooth(voxels, kernels), img)


class RandGaussianSmooth(mt.RandGaussianSmooth):
    """`monai.transforms.RandGaussianSmooth` with the same draws; see `GaussianSmooth`."""

    def __call__(self, img: torch.Tensor, randomize: bool = True) -> torch.Tensor:
        img = tracked(img)
        if randomize:
            self.randomize()
        if not self._do_transform:
            return img
        sigma = ensure_tuple_size(vals=(self.x, self.y, self.z), dim=get_spatial_ndim(img))
        return GaussianSmooth(sigma=sigma, approx=self.approx)(img)


class GaussianSharpen(mt.GaussianSharpen):
    """`monai.transforms.GaussianSharpen`, within 1e-6 * (1 + 2 * alpha) of the largest intensity."""

    def __call__(self, img: torch.Tensor) -> torch.Tensor:
        img = tracked(img)
        voxels = float_voxels(img, convert=True) if is_number(self.alpha) else None
        kernels = None if voxels is None else [kernels_for(sigma, self.approx, img) for sigma in (self.sigma1, self.sigma2)]
        if voxels is None or kernels is None or kernels[0] is None or kernels[1] is None:
            return cast(torch.Tensor, super().__call__(img))
        blurred = smooth(voxels, kernels[0])
        out = smooth(blurred, kernels[1])
        torch.sub(blurred, out, out=out)
        return with_metadata(out.mul_(self.alpha).add_(blurred), img)


class RandGaussianSharpen(mt.RandGaussianSharpen):
    """`monai.transforms.RandGaussianSharpen` with the same draws; see `GaussianSharpen`."""

    def __call__(self, img: torch.Tensor, randomize: bool = True) -> torch.Tensor:
        img = tracked(img)
        if randomize:
            self.randomize()
        if not self._do_transform or self.x2 is None or self.a is None:
            return cast(torch.Tensor, super().__call__(img, randomize=False))
        rank = get_spatial_ndim(img)
        sigma1 = ensure_tuple_size(vals=(self.x1, self.y1, self.z1), dim=rank)
        sigma2 = ensure_tuple_size(vals=(self.x2, self.y2, self.z2), dim=rank)
        return GaussianSharpen(sigma1=sigma1, sigma2=sigma2, alpha=self.a, approx=self.approx)(img)


def kernels_for(sigma: Sequence[float] | float, approx: str, img: torch.Tensor) -> list[Weights] | None:
    """Half a kernel for each spatial axis of `img`, or None where MONAI has to say what `sigma` means."""
    rank = img.ndim - 1
    if rank not in (2, 3) or get_spatial_ndim(img) != rank:
        return None
    sigmas = list(sigma) if isinstance(sigma, Sequence) else [sigma] * rank
    if len(sigmas) != rank or not all(map(is_number, sigmas)):
        return None
    return [half_kernel(float(s), approx) for s in sigmas]


@lru_cache(maxsize=256)
def half_kernel(sigma: float, approx: str) -> Weights:
    """MONAI's kernel from its centre on. Raises what MONAI raises for an unknown `approx`."""
    kernel = gaussian_1d(torch.as_tensor(sigma, dtype=torch.float32), truncated=4.0, approx=approx)
    half: Weights = kernel[kernel.numel() // 2 :].contiguous().numpy()
    return half
