"""What the intensity transforms take from an image and how they give it back."""

from __future__ import annotations

from numbers import Real

import torch
from monai.config import DtypeLike
from monai.utils import get_equivalent_dtype

from ..cpu.arrays import is_plain
from ..tracking import plain_voxels

_TO_FLOAT32 = frozenset({torch.float32, torch.float64, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool})


def voxels_of(img: object) -> torch.Tensor | None:
    """The voxels as a plain CPU tensor of any dtype and strides, or None where only MONAI knows what to do."""
    voxels = plain_voxels(img)
    return voxels if voxels is not None and is_plain(voxels) and voxels.ndim > 1 else None


def float_voxels(img: object, *, convert: bool = False) -> torch.Tensor | None:
    """As `voxels_of`, contiguous float32 with at least one voxel; `convert`: made from any other dtype that MONAI would convert."""
    voxels = voxels_of(img)
    if voxels is None or not voxels.numel():
        return None
    if voxels.dtype == torch.float32:
        return voxels.contiguous()
    return as_float32(voxels).contiguous() if convert and voxels.dtype in _TO_FLOAT32 else None


def as_float32(voxels: torch.Tensor) -> torch.Tensor:
    return voxels.to(torch.float32)


def per_channel(values: object, voxels: torch.Tensor) -> torch.Tensor | None:
    """One number for each channel, shaped to multiply with or add to float32 `voxels` as MONAI does channel by channel."""
    if voxels.dtype != torch.float32 or not isinstance(values, list) or not values or len(values) != voxels.shape[0]:
        return None
    return torch.tensor(values, dtype=torch.float64).to(torch.float32).view(-1, *[1] * (voxels.ndim - 1))


def is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def gives_float32(dtype: DtypeLike | torch.dtype, img: torch.Tensor) -> bool:
    """Whether MONAI's argument `dtype` makes the output of `img` float32."""
    return (img.dtype if dtype is None else get_equivalent_dtype(dtype, torch.Tensor)) == torch.float32
