"""Which of MONAI's transforms can be taken over, and by what. Anything else, a user's subclass included, runs unchanged."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import monai.transforms as mt
import numpy as np
import torch

from . import affines, conversions, crops, intensities, turns
from .call import Call, Item

Run = Callable[[Any, Item, Call], Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """`run` draws and applies the transform to a sample's virtual images; `refuses` says why not this instance.

    `kind` is "crop", "pad", "turn", "interpolate", "intensity" or "type".
    """

    kind: str
    run: Run
    refuses: Callable[[Any], str | None] = lambda t: None
    #: looks at the voxels of the keys under `label_key` and `image_key` before it draws
    looks: bool = False
    #: needs every voxel of the image, so that none may be cut away after it
    whole: bool = False
    #: is tied to the places of the voxels, so that nothing may be moved after it
    placed: bool = False


def monai_class(transform: object) -> type | None:
    """MONAI's own class that `transform` is an instance of: exactly, or through a class of this package of the same name."""
    kind = type(transform)
    ours = __name__.rsplit(".", 2)[0]
    if kind.__module__.startswith(ours + "."):
        kind = next((c for c in kind.__mro__ if c.__name__ == kind.__name__ and c.__module__.startswith("monai.")), kind)
    return kind if kind.__module__.startswith("monai.") else None


def rule_for(transform: object) -> tuple[Rule | None, str]:
    """The rule, or None and why the transform runs unchanged."""
    kind = monai_class(transform)
    if kind is None:
        return None, "not one of MONAI's transforms"
    rule = RULES.get(kind)
    if rule is None:
        if issubclass(kind, mt.Compose):
            return None, "chooses among its transforms as it runs"
        return None, "not among the transforms that are fused"
    reason = rule.refuses(transform)
    return (rule, "") if reason is None else (None, reason)


def _inner(*names: str) -> Callable[[Any], str | None]:
    """Refuse a transform whose helper is not MONAI's."""

    def refuses(t: Any) -> str | None:
        for name in names:
            helper = t
            for part in name.split("."):
                helper = getattr(helper, part)
            if monai_class(helper) is None:
                return f"its {name} is not MONAI's"
        return None

    return refuses


def _pad_refuses(t: Any) -> str | None:
    return "pads by a function" if any(callable(m) for m in t.mode) else _inner("padder")(t)


def _spatial_crop_refuses(t: Any) -> str | None:
    return "its region is read from the data" if getattr(t, "_has_str_roi", False) else _inner("cropper")(t)


def _scale_refuses(t: Any) -> str | None:
    if t.scaler.channel_wise:
        return "scales each channel by itself"
    return _float32_refuses(t.scaler.dtype)


def _fixed_scale_refuses(t: Any) -> str | None:
    if t.scaler.minv is not None or t.scaler.maxv is not None:
        return "scales to a range, for which it looks at all voxels first"
    return "scales by no factor" if t.scaler.factor is None else _scale_refuses(t)


def _range_refuses(t: Any) -> str | None:
    s = t.scaler
    if s.a_max == s.a_min:
        return "its range is empty"
    if s.clip and s.b_min is None and s.b_max is None:
        return "clips to no range"
    return _float32_refuses(s.dtype)


def _shift_refuses(t: Any) -> str | None:
    return "shifts each channel by itself" if getattr(t.shifter, "channel_wise", False) else None


def _contrast_refuses(t: Any) -> str | None:
    if t.adjuster.invert_image or t.adjuster.retain_stats:
        return "inverts the image or retains its statistics"
    gammas = t.adjuster.gamma if isinstance(t.adjuster.gamma, (tuple, list)) else (t.adjuster.gamma,)
    if not all(isinstance(gamma, (int, float, np.floating)) and 0 <= gamma < math.inf for gamma in gammas):
        return f"its gamma is {t.adjuster.gamma}"
    return None


def _noise_refuses(t: Any) -> str | None:
    inner = t.rand_gaussian_noise
    if type(inner.R) is not np.random.RandomState:
        return "its generator is not numpy's RandomState"
    return _inner("rand_gaussian_noise")(t) or _float32_refuses(inner.dtype)


def _float32_refuses(dtype: Any) -> str | None:
    if dtype is torch.float32 or (not isinstance(dtype, torch.dtype) and dtype is not None and np.dtype(dtype) == np.float32):
        return None
    return f"gives {dtype}, not float32"


def _affine_refuses(t: Any) -> str | None:
    inner = t.rand_affine if hasattr(t, "rand_affine") else t.affine
    if inner.resampler.align_corners or getattr(getattr(inner, "affine_grid", None), "align_corners", False):
        return "aligns corners"
    if getattr(getattr(inner, "affine_grid", None), "rotate_order", "XYZ") != "XYZ":
        return f"rotates in the order {inner.affine_grid.rotate_order}"
    if inner.resampler.device is not None and torch.device(inner.resampler.device).type != "cpu":
        return f"works on {inner.resampler.device}"
    if hasattr(inner, "norm_coord") and not inner.norm_coord:
        return "its affine is normalised"
    return _inner("rand_affine.rand_affine_grid" if hasattr(t, "rand_affine") else "affine")(t)


def _typed_refuses(t: Any) -> str | None:
    c = t.converter
    if c.data_type != "tensor" or c.dtype is not None:
        return f"converts to {c.data_type} of {c.dtype}"
    return None if c.device is None or torch.device(c.device).type == "cpu" else f"moves to {c.device}"


RULES: dict[type, Rule] = {
    mt.EnsureTyped: Rule("type", conversions.ensure_typed, _typed_refuses),
    mt.SpatialCropd: Rule("crop", crops.cropd, _spatial_crop_refuses),
    mt.CenterSpatialCropd: Rule("crop", crops.cropd, _inner("cropper")),
    mt.CenterScaleCropd: Rule("crop", crops.cropd, _inner("cropper")),
    mt.RandSpatialCropd: Rule("crop", crops.rand_cropd, _inner("cropper")),
    mt.RandScaleCropd: Rule("crop", crops.rand_cropd, _inner("cropper")),
    mt.RandSpatialCropSamplesd: Rule("crop", crops.rand_crop_samplesd, _inner("cropper")),
    mt.RandCropByPosNegLabeld: Rule("crop", crops.rand_crop_by_labeld, _inner("cropper"), looks=True),
    mt.RandCropByLabelClassesd: Rule("crop", crops.rand_crop_by_labeld, _inner("cropper"), looks=True),
    mt.SpatialPadd: Rule("pad", crops.padd, _pad_refuses),
    mt.BorderPadd: Rule("pad", crops.padd, _pad_refuses),
    mt.DivisiblePadd: Rule("pad", crops.padd, _pad_refuses),
    mt.ResizeWithPadOrCropd: Rule("pad", crops.resize_with_pad_or_cropd, _pad_refuses),
    mt.Flipd: Rule("turn", turns.flipd, _inner("flipper")),
    mt.RandFlipd: Rule("turn", turns.rand_flipd, _inner("flipper")),
    mt.RandAxisFlipd: Rule("turn", turns.rand_axis_flipd, _inner("flipper")),
    mt.Rotate90d: Rule("turn", turns.rotate90d, _inner("rotator")),
    mt.RandRotate90d: Rule("turn", turns.rand_rotate90d),
    mt.RandAffined: Rule("interpolate", affines.rand_affined, _affine_refuses),
    mt.Affined: Rule("interpolate", affines.affined, _affine_refuses),
    mt.RandRotated: Rule("interpolate", affines.rand_rotated, _inner("rand_rotate")),
    mt.Rotated: Rule("interpolate", affines.rotated, _inner("rotator")),
    mt.RandScaleIntensityd: Rule("intensity", intensities.rand_scaled, _scale_refuses),
    mt.ScaleIntensityd: Rule("intensity", intensities.scaled, _fixed_scale_refuses),
    mt.ScaleIntensityRanged: Rule("intensity", intensities.scale_ranged, _range_refuses),
    mt.RandShiftIntensityd: Rule("intensity", intensities.rand_shifted, _shift_refuses),
    mt.ShiftIntensityd: Rule("intensity", intensities.shifted, _shift_refuses),
    mt.RandAdjustContrastd: Rule("intensity", intensities.rand_contrastd, _contrast_refuses, whole=True),
    mt.AdjustContrastd: Rule("intensity", intensities.contrastd, _contrast_refuses, whole=True),
    mt.RandGaussianNoised: Rule("intensity", intensities.rand_noised, _noise_refuses, whole=True, placed=True),
}
