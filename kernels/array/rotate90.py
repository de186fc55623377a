"""Quarter turns of single images."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import monai.transforms as mt
import torch
from monai.data.meta_tensor import MetaTensor
from monai.transforms.spatial import functional as monai_functional
from monai.transforms.utils import map_spatial_axes
from monai.utils import LazyAttr, TraceKeys

from ..cpu.axis_permutation import can_permute
from ..cpu.moves import moved
from ..cpu.window import Gather, Window
from ..tracking import Matrix, Traced, affine_rank, keeps_metadata, plain_voxels, recorded, tracked


class Rotate90(mt.Rotate90):
    """`monai.transforms.Rotate90`; the turned image is written out, where torch leaves a view with exchanged strides."""

    def __call__(self, img: torch.Tensor, lazy: bool | None = None) -> torch.Tensor:
        voxels = None if (self.lazy if lazy is None else lazy) else plain_voxels(img)
        if voxels is None or self.k == 0 or not can_permute(voxels):
            return cast(torch.Tensor, super().__call__(img, lazy=lazy))
        axes = tuple(int(axis) - 1 for axis in map_spatial_axes(voxels.ndim, self.spatial_axes))
        img = tracked(img)
        rank, size = affine_rank(img), tuple(voxels.shape[1:])
        if len(set(axes)) != 2 or not all(0 <= axis < len(size) for axis in axes) or rank < len(size):
            return cast(torch.Tensor, super().__call__(img, lazy=lazy))
        turned = _turned(voxels, self.k, (axes[0], axes[1]))
        if not keeps_metadata(img):
            return turned
        return recorded(
            img,
            turned,
            affine=_affine(size, (axes[0], axes[1]), self.k, rank),
            extra_info={"axes": list(axes), "k": self.k},
            orig_size=size,
            transform_info=self.get_transform_info(),
        )

    def inverse_transform(self, data: torch.Tensor, transform: dict[str, dict[str, object]]) -> torch.Tensor:
        info = transform[TraceKeys.EXTRA_INFO]
        turn_back = Rotate90(k=4 - cast(int, info["k"]) % 4, spatial_axes=cast(tuple[int, int], info["axes"]))
        with turn_back.trace_transform(False):
            return turn_back(data)


def _turned(voxels: torch.Tensor, k: int, axes: tuple[int, int]) -> torch.Tensor:
    if k == 2:
        return torch.flip(voxels, [axis + 1 for axis in axes])
    shape, gather = _gather(tuple(voxels.shape[1:]), tuple(voxels.stride()[1:]), k, axes)
    return moved(voxels, gather, shape)


@lru_cache(maxsize=512)
def _gather(size: tuple[int, ...], strides: tuple[int, ...], k: int, axes: tuple[int, int]) -> tuple[tuple[int, ...], Gather]:
    window = Window.whole(size).rot90(k, axes)
    return window.shape, window.gather(strides)


@lru_cache(maxsize=512)
def _affine(size: tuple[int, ...], axes: tuple[int, int], k: int, rank: int) -> Matrix:
    """MONAI's own matrix for such a turn, with its rounding: asked of its lazy mode for an image that occupies no memory."""
    probe = MetaTensor(torch.zeros(1).expand(1, *size), affine=torch.eye(rank + 1, dtype=torch.float64))
    turned = monai_functional.rotate90(probe, tuple(axis + 1 for axis in axes), k, lazy=True, transform_info={"tracing": True})
    return cast(Matrix, turned.pending_operations[-1][LazyAttr.AFFINE].to(torch.float64).numpy())


class RandRotate90(mt.RandRotate90, Traced):
    """`monai.transforms.RandRotate90` with the same draws."""

    def __call__(self, img: torch.Tensor, randomize: bool = True, lazy: bool | None = None) -> torch.Tensor:
        if randomize:
            self.randomize()
        if not self._do_transform:
            return cast(torch.Tensor, super().__call__(img, randomize=False, lazy=lazy))
        lazy_ = self.lazy if lazy is None else lazy
        out = Rotate90(self._rand_k, self.spatial_axes, lazy=lazy_)(img)
        self.push_transform(out, replace=True, lazy=lazy_)
        return out

    def inverse(self, data: torch.Tensor) -> torch.Tensor:
        applied = self.pop_transform(data)
        if not applied[TraceKeys.DO_TRANSFORM]:
            return data
        return Rotate90().inverse_transform(data, applied[TraceKeys.EXTRA_INFO])
