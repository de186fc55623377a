"""The box around the foreground of an image, found in one pass that skips what cannot widen it any more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from .candidates import can_search
from .compilation import kernel
from .cpu.arrays import Array


def bounding_box(img: torch.Tensor) -> tuple[list[int], list[int]] | None:
    """Start and stop, per spatial axis, of the box around the voxels above zero of any channel of `img` (C, H, W[, D]).

    All zero if there are none; None if MONAI has to look for itself.
    """
    if img.ndim not in (3, 4) or not can_search(img):
        return None
    volume = img.detach().contiguous().numpy().reshape(img.shape[0], -1, *img.shape[-2:])
    box = np.array([*volume.shape[1:], 0, 0, 0], dtype=np.int64)  # first voxel, then one past the last
    grow_box(volume, box, np.zeros(volume.shape[1], np.bool_), np.zeros(volume.shape[2], np.bool_))
    unit = 4 - img.ndim  # axes of size 1 put in front
    return ([0] * (img.ndim - 1),) * 2 if box[3] == 0 else (box[unit:3].tolist(), box[3 + unit :].tolist())


@kernel
def grow_box(volume: Array, box: npt.NDArray[np.int64], planes: npt.NDArray[np.bool_], lines: npt.NDArray[np.bool_]) -> None:
    """Widen `box` to hold every positive voxel of `volume` (C, D, H, W); what is known already is not looked at again."""
    channels, depth, height, width = volume.shape
    left, right = box[2], box[5]
    for c in range(channels):
        for z in range(depth):
            for y in range(height):
                row = volume[c, z, y]
                found = False
                for x in range(left):
                    if row[x] > 0:
                        left, found = x, True
                        break
                x = width
                while x > right:
                    x -= 1
                    if row[x] > 0:
                        right, found = x + 1, True
                        break
                if not found and not (planes[z] and lines[y]):
                    for x in range(left, right):
                        if row[x] > 0:
                            found = True
                            break
                if found:
                    planes[z], lines[y] = True, True
    if right > 0:
        box[2], box[5] = left, right
        for z in range(depth):
            if planes[z]:
                box[0], box[3] = min(box[0], z), max(box[3], z + 1)
        for y in range(height):
            if lines[y]:
                box[1], box[4] = min(box[1], y), max(box[4], y + 1)
