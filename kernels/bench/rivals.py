"""The pipelines in other libraries, each with its own draws and best settings, and preallocated batches where it has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch

from .dali import DEGREES, Pipeline
from .sources import Item

Batches = Callable[[int], list[Item]]
#: (batches, edge of the patches, threads, the library) -> what makes the batch of a turn
Rival = Callable[[Batches, int, int, ModuleType], Callable[[int], object]]


def torchio(kind: str) -> Rival:
    """TorchIO has neither quarter turns nor shifts of intensity: it does less."""

    def make(batches: Batches, edge: int, threads: int, tio: ModuleType) -> Callable[[int], object]:
        steps = [] if kind == "crop" else [tio.RandomFlip(axes=(0, 1, 2))]
        if kind == "heavy":
            steps += [
                tio.RandomAffine(scales=0.1, degrees=DEGREES, default_pad_value=0.0),
                tio.RandomNoise(std=(0, 0.1)),
                tio.RandomGamma(log_gamma=(-0.35, 0.4)),
            ]
        transform = tio.Compose(steps) if steps else None
        sampler = tio.data.UniformSampler((edge,) * 3)

        def call(turn: int) -> object:
            done = []
            for item in batches(turn):
                subject = tio.Subject(image=tio.ScalarImage(tensor=item["image"]), label=tio.LabelMap(tensor=item["label"]))
                patch = next(iter(sampler(subject, 1)))
                done.append(transform(patch) if transform else patch)
            return {key: torch.stack([patch[key].data for patch in done]) for key in ("image", "label")}

        return call

    return make


def batchgenerators(kind: str) -> Rival:
    """batchgeneratorsv2 writes into its input, so the crop is copied into the batch first, as its users' loaders do."""

    def make(batches: Batches, edge: int, threads: int, module: ModuleType) -> Callable[[int], object]:
        from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
        from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
        from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
        from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
        from batchgeneratorsv2.transforms.spatial.rot90 import Rot90Transform
        from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
        from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms

        steps: list[Any] = [MirrorTransform((0, 1, 2)), Rot90Transform(1, (1, 2, 3), {0, 1})]
        if kind == "heavy":
            angles, scales = (-0.26, 0.26), (0.9, 1.1)
            steps += [
                SpatialTransform(
                    (edge,) * 3, 0, False, p_rotation=1, rotation=angles, p_scaling=1, scaling=scales, mode_seg="nearest"
                ),
                GaussianNoiseTransform((0, 0.1)),
                GammaTransform((0.7, 1.5), p_invert_image=0, synchronize_channels=True, p_per_channel=1, p_retain_stats=0),
            ]
        steps.append(MultiplicativeBrightnessTransform((0.9, 1.1), synchronize_channels=True))
        transform = ComposeTransforms(steps)
        count = len(batches(0))
        out = {
            "image": torch.empty(count, 1, edge, edge, edge),
            "label": torch.empty(count, 1, edge, edge, edge, dtype=torch.int16),
        }
        random = np.random.RandomState(0)

        def call(turn: int) -> object:
            for i, item in enumerate(batches(turn)):
                start = [random.randint(0, size - edge + 1) for size in item["image"].shape[1:]]
                window = (slice(None), *(slice(first, first + edge) for first in start))
                image, label = item["image"][window].clone(), item["label"][window].to(torch.int16)
                done = transform(image=image, segmentation=label)
                out["image"][i], out["label"][i] = done["image"], done["segmentation"]
            return out

        return call

    return make


def dali(kind: str) -> Rival:
    """DALI on the CPU, all of it."""

    def make(batches: Batches, edge: int, threads: int, module: ModuleType) -> Callable[[int], object]:
        return Pipeline(kind, batches, edge, threads)

    return make


def kornia(kind: str) -> Rival:
    """Kornia's warp of a whole batch; its augmentations of volumes take no label, and it has neither noise nor gamma for them."""

    def make(batches: Batches, edge: int, threads: int, module: ModuleType) -> Callable[[int], object]:
        from kornia.geometry.transform import get_affine_matrix3d, warp_affine3d

        random = np.random.RandomState(0)
        size = (edge,) * 3

        def call(turn: int) -> object:
            image, label = _cropped(batches(turn), edge, random)
            flips = [axis for axis in (2, 3, 4) if random.rand() < 0.5]
            image, label = torch.flip(image, flips), torch.flip(label, flips)
            count = len(image)
            centre, still = torch.full((count, 3), (edge - 1) / 2), torch.zeros(count, 3)
            angles = torch.empty(count, 3).uniform_(-DEGREES, DEGREES)
            matrix = get_affine_matrix3d(still, centre, torch.empty(count, 3).uniform_(0.9, 1.1), angles)[:, :3]
            image = warp_affine3d(image, matrix, size, "bilinear", "zeros", True)
            label = warp_affine3d(label.float(), matrix, size, "nearest", "zeros", True)
            image.add_(torch.randn_like(image), alpha=0.05)
            low, high = image.amin((1, 2, 3, 4), keepdim=True), image.amax((1, 2, 3, 4), keepdim=True)
            return {"image": ((image - low) / (high - low)).pow_(1.1).mul_(high - low).add_(low), "label": label}

        return call

    return make


def _cropped(items: Sequence[Item], edge: int, random: np.random.RandomState) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch of random crops."""
    windows = [
        (slice(None), *(slice(s, s + edge) for s in (random.randint(0, size - edge + 1) for size in item["image"].shape[1:])))
        for item in items
    ]
    image, label = (torch.stack([item[key][at] for item, at in zip(items, windows, strict=True)]) for key in ("image", "label"))
    return image, label


#: pipeline -> library -> how it does it
RIVALS: dict[str, dict[str, Rival]] = {
    "crop": {"TorchIO": torchio("crop")},
    "light": {"TorchIO": torchio("light"), "batchgeneratorsv2": batchgenerators("light"), "DALI": dali("light")},
    "heavy": {
        "TorchIO": torchio("heavy"),
        "batchgeneratorsv2": batchgenerators("heavy"),
        "DALI": dali("heavy"),
        "Kornia": kornia("heavy"),
    },
}
