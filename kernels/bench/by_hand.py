"""The pipelines written out in torch, as one would who needs speed and no metadata: no interface, results into one batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import monai.transforms as mt
import numpy as np
import torch
import torch.nn.functional as F

from .affine import affine_matrix, theta
from .case import Arrays, Check
from .checks import TIES, alike, arrays, same
from .sources import Item, label_ring, plain, ring

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Draw:
    """The random numbers of one sample."""

    start: tuple[int, ...]
    flipped: tuple[int, ...]
    quarters: int
    rotation: tuple[float, ...]
    scale: tuple[float, ...]
    noise_std: float
    gamma: float
    factor: float
    offset: float


def draw(random: np.random.RandomState, shape: tuple[int, ...], edge: int) -> Draw:
    """From the same ranges as the pipelines of MONAI."""
    return Draw(
        start=tuple(random.randint(0, size - edge + 1) for size in shape),
        flipped=tuple(axis for axis in range(3) if random.rand() < 0.5),
        quarters=random.randint(0, 4),
        rotation=tuple(random.uniform(-0.26, 0.26, 3).tolist()),
        scale=tuple(random.uniform(0.9, 1.1, 3).tolist()),
        noise_std=random.uniform(0, 0.1),
        gamma=random.uniform(0.7, 1.5),
        factor=random.uniform(-0.1, 0.1),
        offset=random.uniform(-0.1, 0.1),
    )


def pipeline(kind: str, edge: int, batches: Callable[[int], list[Item]]) -> Callable[[int], Batch]:
    """`kind`: crop, light or heavy. The batch's memory is used again by the next call."""
    random = np.random.RandomState(0)
    count = len(batches(0))
    out = {
        "image": torch.empty(count, 1, edge, edge, edge),
        "label": torch.empty(count, 1, edge, edge, edge, dtype=torch.uint8),
    }

    def call(turn: int) -> Batch:
        for i, item in enumerate(batches(turn)):
            image, label = plain(item["image"]), plain(item["label"])
            sample(kind, image, label, draw(random, tuple(image.shape[1:]), edge), edge, out["image"][i], out["label"][i])
        return out

    return call


def sample(
    kind: str, image: torch.Tensor, label: torch.Tensor, drawn: Draw, edge: int, out: torch.Tensor, out_label: torch.Tensor
) -> None:
    """One sample into `out` and `out_label`, (1, D, H, W) each."""
    window = (slice(None), *(slice(start, start + edge) for start in drawn.start))
    image, label = image[window], label[window]
    if kind == "crop":
        out.copy_(image)
        out_label.copy_(label)
        return
    dims = [axis + 1 for axis in drawn.flipped]
    if dims:
        image, label = torch.flip(image, dims), torch.flip(label, dims)
    if drawn.quarters:
        image, label = torch.rot90(image, drawn.quarters, (1, 2)), torch.rot90(label, drawn.quarters, (1, 2))
    if kind == "light":
        torch.mul(image, 1 + drawn.factor, out=out).add_(drawn.offset)
        out_label.copy_(label)
        return
    size = [1, 1, edge, edge, edge]
    where = F.affine_grid(theta(affine_matrix(drawn.rotation, drawn.scale)), size, align_corners=False)
    out.copy_(F.grid_sample(image[None], where, "bilinear", "zeros", align_corners=False)[0])
    out_label.copy_(F.grid_sample(label[None].float(), where, "nearest", "zeros", align_corners=False)[0])
    if drawn.noise_std:
        out.add_(torch.randn(out.shape), alpha=drawn.noise_std)
    low, high = torch.aminmax(out)
    reach = high - low
    out.sub_(low).div_(reach + 1e-7).pow_(drawn.gamma).mul_(reach).add_(low)
    out.mul_(1 + drawn.factor).add_(drawn.offset)


def verified(kind: str) -> Check:
    """MONAI's fixed transforms with the same numbers must give the same result; then the draws of the batch need only be alike."""

    def check(result: Arrays, reference: Arrays) -> str:
        edge, shape = 24, (40, 36, 32)
        image, label = ring(shape, torch.float32, count=1)[0], label_ring(shape, 1)[0]
        for seed in range(3):
            drawn = dataclasses.replace(draw(np.random.RandomState(seed), shape, edge), noise_std=0.0)
            out, out_label = torch.empty(1, edge, edge, edge), torch.empty(1, edge, edge, edge, dtype=torch.uint8)
            sample(kind, plain(image), plain(label), drawn, edge, out, out_label)
            theirs = fixed(kind, drawn, edge)({"image": image, "label": label})
            if wrong := same(1e-4, TIES)(arrays([out, out_label]), arrays(theirs)):
                return wrong
        return alike(0.6)(result, reference)

    return check


def fixed(kind: str, drawn: Draw, edge: int) -> mt.Compose:
    """MONAI's transforms that do with these numbers what the random ones do, without noise."""
    keys = ("image", "label")
    end = tuple(start + edge for start in drawn.start)
    steps: list[object] = [mt.SpatialCropd(keys=keys, roi_start=drawn.start, roi_end=end)]
    if kind == "crop":
        return mt.Compose(steps)
    steps += [mt.Flipd(keys=keys, spatial_axis=axis) for axis in drawn.flipped]
    steps.append(mt.Rotate90d(keys=keys, k=drawn.quarters, spatial_axes=(0, 1)))
    if kind == "heavy":
        affine = {"rotate_params": drawn.rotation, "scale_params": drawn.scale, "padding_mode": "zeros"}
        steps.append(mt.Affined(keys=keys, mode=("bilinear", "nearest"), **affine))
        steps.append(mt.AdjustContrastd(keys="image", gamma=drawn.gamma))
    steps.append(mt.ScaleIntensityd(keys="image", minv=None, maxv=None, factor=drawn.factor))
    steps.append(mt.ShiftIntensityd(keys="image", offset=drawn.offset))
    return mt.Compose(steps)
