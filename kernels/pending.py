"""Resampling: sizes, metadata and trace by MONAI, voxels by our kernels.

The seam is MONAI's own lazy mode, which works everything out without touching a voxel: we ask it for the pending operation,
execute that, and record it as MONAI would have. So no version of its bookkeeping is copied here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from monai.config import USE_COMPILED
from monai.data.meta_obj import MetaObj, get_track_meta
from monai.data.meta_tensor import MetaTensor
from monai.data.utils import to_affine_nd
from monai.networks.utils import to_norm_affine
from monai.transforms.inverse import TraceableTransform
from monai.utils import LazyAttr, MetaKeys, TraceKeys

from .cpu.axis_weights import AxisWeights, grid_axis, interpolate_axis
from .cpu.separable import Resampling, can_resample
from .remembered import Remembered, key_of
from .torch_grid import sample, torch_matrix
from .tracking import Matrix, TransformInfo, plain_image, recorded, tracked

_COMPUTE_DTYPES = {"float32": torch.float32, "float64": torch.float64}
_LARGEST_AXIS = 2048  # the weights of an axis are found from a square matrix
# An oblique affine stored in float32 leaves off-diagonal terms of this order (in voxels over the whole axis), which move a
# linear result by less than 1e-5 of the range. A nearest result they could push over a tie, so there they must vanish.
_LARGEST_SHEAR_VOXELS = 2e-6
_SAME_AFFINE = 1e-2  # comfortably above what MONAI takes for "unchanged" and returns as it is


@dataclass(frozen=True, slots=True)
class Plan:
    """What a resampling does to every image of one shape, dtype and affine."""

    sampled: Callable[[torch.Tensor], torch.Tensor | None]  #: voxels -> voxels, or None where the kernels do not cover them
    affine: Matrix  #: (r + 1, r + 1), output to input voxels
    settings: Mapping[str, object]  #: as MONAI records them
    orig_size: tuple[int, ...]

    def carry_out(self, img: torch.Tensor, voxels: torch.Tensor, transform_info: TransformInfo) -> torch.Tensor | None:
        """`voxels`, those of `img`, resampled, with its metadata and a record of the transform; None where not covered."""
        out = self.sampled(voxels)
        if out is None:
            return None
        return recorded(
            img,
            out,
            affine=self.affine,
            extra_info={name: MetaObj.copy_items(value) for name, value in self.settings.items()},
            orig_size=self.orig_size,
            transform_info=transform_info,
        )


#: The scans of a data set come back every epoch. Each plan holds tables of some kilobytes.
_plans: Remembered[Plan | None] = Remembered(1024)


def carried_out(
    transform: TraceableTransform,
    monais: Callable[..., torch.Tensor],
    img: torch.Tensor,
    arguments: Sequence[object],
    lazy: bool,
    mode: object = "linear",
    *,
    recorder: TraceableTransform | None = None,
    comes_back: bool = False,
) -> torch.Tensor:
    """`monais(img, *arguments)`, the call of MONAI's own `transform`, its voxels by our kernels where they cover it.

    `recorder`: the transform that MONAI enters in the image, if it is another one. `comes_back`: the same transform will see
    images of the same kind, so that what MONAI works out is kept.
    """
    voxels = coverable(img, lazy, mode)
    if voxels is not None:
        image = tracked(img)

        def plan() -> Plan | None:
            pending = monais(image, *arguments, lazy=True)
            return planned(pending) if pending.shape == voxels.shape else None  # MONAI may add an axis

        tracked_as = cast(MetaTensor, image)
        kind = voxels.shape, voxels.dtype, tracked_as.meta.get(MetaKeys.AFFINE), tracked_as.spatial_ndim
        found = _plans.get(key_of(transform, arguments, *kind) if comes_back else None, plan)
        out = None if found is None else found.carry_out(image, voxels, (recorder or transform).get_transform_info())
        if out is not None:
            return out
    return monais(img, *arguments, lazy=lazy)


def coverable(img: object, lazy: bool, mode: object = "linear") -> torch.Tensor | None:
    """The voxels of `img`, if it is worth asking MONAI for the pending operation of a resampling of it."""
    if (
        lazy
        or _kind(mode) not in ("linear", "nearest", "nearest-exact")
        or not get_track_meta()
        or not isinstance(img, torch.Tensor)
    ):
        return None
    plain = plain_image(img)
    return plain if plain is not None and can_resample(plain) else None


def planned(pending: torch.Tensor) -> Plan | None:
    """The one pending operation, by `Resize` or `SpatialResample`, of a tensor from MONAI's lazy mode.

    None if the kernels do not cover it; the caller then runs MONAI eagerly.
    """
    if not isinstance(pending, MetaTensor) or len(pending.pending_operations) != 1:
        return None
    operation = pending.pending_operations[0]
    size = tuple(int(n) for n in operation[LazyAttr.SHAPE])
    channels, *source = pending.shape
    if len(size) != len(source) or min(size) < 1 or max(*size, channels, *source) > _LARGEST_AXIS:
        return None
    settings = operation[TraceKeys.EXTRA_INFO]
    affine = operation[LazyAttr.AFFINE].to(torch.float64)
    sampled: Callable[[torch.Tensor], torch.Tensor | None] | None
    if "padding_mode" not in settings:
        axes = _interpolated_axes(tuple(source), size, settings)
        sampled = None if axes is None else Resampling.of(axes)
    elif _stays(tuple(source), size, affine, settings):
        sampled = None
    else:
        axes = _grid_axes(tuple(source), size, affine, settings)
        sampled = _on_any_grid(tuple(source), size, affine, settings) if axes is None else Resampling.of(axes)
    return None if sampled is None else Plan(sampled, affine.numpy(), settings, operation[TraceKeys.ORIG_SIZE])


def _interpolated_axes(source: tuple[int, ...], size: tuple[int, ...], settings: Mapping[str, object]) -> list[AxisWeights] | None:
    """The tables of a `Resize`."""
    mode, align_corners = _kind(settings["mode"]), settings["align_corners"]
    dtype = _COMPUTE_DTYPES.get(str(settings["dtype"]))
    if align_corners == TraceKeys.NONE:
        align_corners = None
    if mode not in ("linear", "nearest", "nearest-exact") or dtype is None or source == size:
        return None
    if not (align_corners is None or (isinstance(align_corners, bool) and mode == "linear")):
        return None
    return [interpolate_axis(n_in, n_out, mode, align_corners, dtype) for n_in, n_out in zip(source, size, strict=True)]


def _grid_axes(
    source: tuple[int, ...], size: tuple[int, ...], affine: torch.Tensor, settings: Mapping[str, object]
) -> list[AxisWeights] | None:
    """The tables of a `SpatialResample` whose grid runs along the image's axes; `affine` maps output to input voxels."""
    rank = len(source)
    mode, align_corners = _kind(settings["mode"]), settings["align_corners"]
    dtype = _COMPUTE_DTYPES.get(str(settings["dtype"]))
    if mode not in ("linear", "nearest") or str(settings["padding_mode"]) != "border" or dtype is None or USE_COMPILED:
        return None
    if not isinstance(align_corners, bool) or affine.shape != (rank + 1, rank + 1):
        return None
    return _separated(source, size, tuple(affine.flatten().tolist()), mode == "nearest", align_corners, dtype)


def _stays(source: tuple[int, ...], size: tuple[int, ...], affine: torch.Tensor, settings: Mapping[str, object]) -> bool:
    """Whether MONAI might find nothing to do and return the image as it is. A `Rotate` never does."""
    if source != size or "rot_mat" in settings:
        return False
    src_affine = settings.get("src_affine")
    if not isinstance(src_affine, torch.Tensor) or src_affine.shape != affine.shape:
        return True
    return any(
        torch.allclose(a, a @ affine, rtol=_SAME_AFFINE, atol=_SAME_AFFINE)
        for a in (torch.eye(len(affine), dtype=torch.float64), src_affine.to(torch.float64))
    )


def _on_any_grid(
    source: tuple[int, ...], size: tuple[int, ...], affine: torch.Tensor, settings: Mapping[str, object]
) -> Callable[[torch.Tensor], torch.Tensor | None] | None:
    """A `SpatialResample` or `Rotate` on any grid; `affine` maps output to input voxels."""
    mode, align_corners, rank = _kind(settings["mode"]), settings["align_corners"], len(source)
    if align_corners == TraceKeys.NONE:
        align_corners = False
    if mode not in ("linear", "nearest") or not isinstance(align_corners, bool) or str(settings["dtype"]) not in _COMPUTE_DTYPES:
        return None
    if USE_COMPILED or min(affine.shape) < rank + 1:
        return None
    pulled = to_affine_nd(rank, affine)
    theta = to_norm_affine(pulled[None], source, size, align_corners=align_corners)[0, :rank].numpy()
    matrix = torch_matrix(theta, source, size, align_corners)
    padding = str(settings["padding_mode"])
    return lambda voxels: sample(voxels, matrix, size, linear=mode == "linear", padding=padding, align_corners=align_corners)


def _separated(
    source: tuple[int, ...],
    size: tuple[int, ...],
    affine: tuple[float, ...],
    nearest: bool,
    align_corners: bool,
    dtype: torch.dtype,
) -> list[AxisWeights] | None:
    """One table per axis, or None where the axes mix; `affine` is given row by row."""
    rank = len(source)
    pulled = torch.tensor(affine, dtype=torch.float64).view(1, rank + 1, rank + 1).to(dtype)
    theta = to_norm_affine(pulled, source, size, align_corners=align_corners)[0]
    off_axis = theta[:rank, :rank] - torch.diag(theta[:rank, :rank].diagonal())
    shear_voxels = float((off_axis.abs() * torch.tensor(source).view(rank, 1)).sum(1).max()) / 2
    if not bool(torch.isfinite(theta).all()) or shear_voxels > (0 if nearest else _LARGEST_SHEAR_VOXELS):
        return None
    scales, shifts = theta.diagonal().tolist(), theta[:, -1].tolist()
    return [
        grid_axis(source[i], size[i], scales[i], shifts[i], rank=rank, nearest=nearest, align_corners=align_corners, dtype=dtype)
        for i in range(rank)
    ]


def _kind(mode: object) -> str:
    """MONAI's synonyms for linear interpolation as one name."""
    return "linear" if str(mode) in ("linear", "bilinear", "trilinear") else str(mode)
