"""Derives the subjects of the example from one template.

One brain is not a data set. Every subject here is the ICBM 152 template under its own smooth deformation, tissue contrast, bias
field and noise, all drawn from the subject's number: the same number gives the same subject anywhere, so no volume is stored.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Transform
from torch.nn.functional import affine_grid, grid_sample, interpolate

Volume = torch.Tensor


class DeriveSubjectd(Transform):
    """Turns the template into subject number `item["subject"]`.

    Reads `image` (1, D, H, W), the T1 template, and `label` (2, D, H, W), the grey and white matter maps as 0..255; replaces
    them by the subject's scan and its label map (1, D, H, W): 0 the rest, 1 grey matter, 2 white matter. `strength` scales how far
    subjects differ; 0 gives the template. Deterministic, so a caching data set keeps the result.
    """

    def __init__(self, strength: float = 1.0) -> None:
        self.strength = strength

    def __call__(self, item: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        image, label = item["image"], item["label"]
        draw = torch.Generator().manual_seed(1_000_003 * (int(item["subject"]) + 1))
        stack = torch.cat([image.as_tensor().float() / 255, label.as_tensor().float() / 255])
        scan, grey, white = self._deform(stack, draw)
        scan = self._contrast(scan, grey, white, draw)
        scan = scan * torch.exp(0.3 * self.strength * _smooth(scan.shape, (3, 3, 3), draw))
        # Magnitude images have Rician noise: two Gaussian channels.
        sigma = self.strength * (0.02 + 0.03 * _uniform(draw))
        scan = torch.hypot(scan + sigma * torch.randn(scan.shape, generator=draw), sigma * torch.randn(scan.shape, generator=draw))
        tissue = torch.stack([1 - grey - white, grey, white]).argmax(dim=0)
        out = dict(item)
        out["image"] = MetaTensor(scan[None], affine=image.affine)
        out["label"] = MetaTensor(tissue[None].float(), affine=image.affine)
        return out

    def _deform(self, stack: Volume, draw: torch.Generator) -> Volume:
        """Rotates by up to 6 degrees, scales each axis by up to 8 %, then bends smoothly by a few voxels."""
        angles = [self.strength * math.radians(6) * (2 * _uniform(draw) - 1) for _ in range(3)]
        scales = [1 + self.strength * 0.08 * (2 * _uniform(draw) - 1) for _ in range(3)]
        matrix = torch.diag(torch.tensor(scales))
        for axis, angle in enumerate(angles):
            turn = torch.eye(3)
            a, b = [other for other in range(3) if other != axis]
            turn[a, a] = turn[b, b] = math.cos(angle)
            turn[a, b], turn[b, a] = -math.sin(angle), math.sin(angle)
            matrix = turn @ matrix
        theta = torch.cat([matrix, torch.zeros(3, 1)], dim=1)[None]
        grid = affine_grid(theta, [1, 1, *stack.shape[1:]], align_corners=True)
        sizes = stack.shape[:0:-1]  # grid_sample's axes run backwards
        for axis, size in enumerate(sizes):
            bend = 1.6 * self.strength * _smooth(stack.shape[1:], (6, 7, 6), draw)
            grid[0, ..., axis] += bend * 2 / (size - 1)
        return grid_sample(stack[None], grid, mode="bilinear", padding_mode="zeros", align_corners=True)[0]

    def _contrast(self, scan: Volume, grey: Volume, white: Volume, draw: torch.Generator) -> Volume:
        """Moves grey and white matter apart or together, then applies a gamma curve."""
        shift = [0.12 * self.strength * (2 * _uniform(draw) - 1) for _ in range(2)]
        gamma = math.exp(0.35 * self.strength * (2 * _uniform(draw) - 1))
        return (scan + shift[0] * grey + shift[1] * white).clamp(min=0) ** gamma


def _uniform(draw: torch.Generator) -> float:
    return float(torch.rand(1, generator=draw))


def _smooth(shape: torch.Size, knots: tuple[int, int, int], draw: torch.Generator) -> Volume:
    """A smooth field of unit variance at its knots."""
    noise = torch.randn((1, 1, *knots), generator=draw)
    return interpolate(noise, size=list(shape), mode="trilinear", align_corners=True)[0, 0]
