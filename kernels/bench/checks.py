"""Is a contender's result right? Each check returns what is wrong, "" if nothing is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from .case import Arrays, Check

#: Labels exactly half-way between two voxels go either way with the last bit of a coordinate.
TIES = 1e-4


def arrays(result: object) -> Arrays:
    """Copies of the image, then the label, of whatever a contender returned."""
    match result:
        case torch.Tensor():
            return [result.detach().cpu().as_subclass(torch.Tensor).numpy().copy()]
        case np.ndarray():
            return [result.copy()]  # it may be a view into memory that goes with the result
        case Mapping():
            return [array for key in ("image", "label") if key in result for array in arrays(result[key])]
        case Sequence():
            return [array for part in result for array in arrays(part)]
        case float():
            return [np.array([result])]
        case _:
            raise TypeError(f"a result of type {type(result).__name__} cannot be checked")


def same(image: float = 0.0, labels: float = 0.0, *, strays: float = 0.0) -> Check:
    """Every voxel within `image` of MONAI's, as a share of the intensity range; at most a share `labels` of the labels differ.

    `strays`: the share of image voxels that may be further off, where a library treats the image's edge differently.
    """

    def check(result: Arrays, reference: Arrays) -> str:
        if wrong := _shapes(result, reference):
            return wrong
        ours, theirs = (np.squeeze(arrays[0]).astype(np.float64) for arrays in (result, reference))
        finite = theirs[np.isfinite(theirs)]
        reach = float(np.ptp(finite)) if finite.size else 0.0
        apart = np.abs(ours - theirs)
        apart[np.isnan(ours) & np.isnan(theirs)] = 0
        far = float(np.mean(~(apart <= image * reach)))
        if far > strays:
            return f"image differs by up to {np.nanmax(apart) / (reach or 1):.2g} of the range, {far:.2%} of the voxels"
        for mine, other in zip(result[1:], reference[1:], strict=True):
            share = float(np.mean(np.squeeze(mine) != np.squeeze(other)))
            if share > labels:
                return f"{share:.2%} of the labels differ"
        return ""

    return check


def alike(spread: float = 0.1, *, labels: float = 1.0) -> Check:
    """Same shape, finite, mean and standard deviation within `spread` of MONAI's, no new label: for whoever draws other numbers.

    `labels`: the share of labels that may differ.
    """

    def check(result: Arrays, reference: Arrays) -> str:
        if wrong := _shapes(result, reference):
            return wrong
        ours, theirs = result[0].astype(np.float64), reference[0].astype(np.float64)
        if not np.isfinite(ours).all():
            return "image is not finite"
        unit = float(theirs.std()) or 1.0
        for name, mine, other in (("mean", ours.mean(), theirs.mean()), ("standard deviation", ours.std(), theirs.std())):
            if abs(mine - other) > spread * unit:
                return f"image has the {name} {mine:.3g} and not about {other:.3g}"
        for mine, other in zip(result[1:], reference[1:], strict=True):
            extra = set(np.unique(mine).tolist()) - set(np.unique(other).tolist())
            if extra:
                return f"labels {sorted(extra)[:3]} are new"
            share = float(np.mean(np.squeeze(mine) != np.squeeze(other)))
            if share > labels:
                return f"{share:.2%} of the labels differ"
        return ""

    return check


def unchecked(result: Arrays, reference: Arrays) -> str:
    """For MONAI itself."""
    return ""


def _shapes(result: Arrays, reference: Arrays) -> str:
    mine, other = ([np.squeeze(array).shape for array in arrays] for arrays in (result, reference))
    return "" if mine == other else f"shapes {mine} and not {other}"
