"""Cases on a GPU: batches that lie on the device, in and out; the device is synchronised on both sides of every call.

Ours is what is used on the CPU, given tensors on the device. MONAI goes through a batch one sample at a time, as its transforms do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType

import monai.transforms as mt
import numpy as np
import torch
import torch.nn.functional as F
from monai.data.utils import list_data_collate

from . import goals
from .affine import ROTATION, SCALE, affine_matrix, theta
from .case import LAZY, MONAI, OURS, TORCH, Case, Spec
from .checks import TIES, alike, same, unchecked
from .pairs import kornia_matrix
from .pipelines import KEYS, Batches, Steps, add_fused, heavy_steps, light_steps
from .sources import Item, items, lazily, reseed, ring

#: More than the second-level cache of a GPU holds.
_VOLUME, _VOLUMES = (192, 192, 160), 32


def specs() -> Iterator[Spec]:
    for edge in (96, 128):
        for name, steps in (("light", light_steps), ("heavy", heavy_steps)):
            yield Spec(
                f"GPU {name} pipeline 4 x {edge}^3",
                f"GPU {name} pipeline",
                partial(_pipeline, edge, steps),
                quick=edge == 96,
                gpu=True,
            )
        yield Spec(f"GPU affine image+label 4 x {edge}^3", "GPU affine", partial(_affine, edge), gpu=True)
    yield Spec("GPU RandAffine 5 x 4 x 128^3", "GPU affine", partial(_rand_affine, 128), {OURS: goals.GPU_RAND_AFFINE}, gpu=True)


def on_device(sources: list[Item]) -> list[Item]:
    return [{key: volume.cuda() for key, volume in item.items()} for item in sources]


def _pipeline(edge: int, steps: Steps, threads: int) -> Case:
    batches = Batches(on_device(items(_VOLUME, count=8)))
    case = Case(read_bytes=4 * edge**3 * 5)
    for name, lazy in ((MONAI, False), (LAZY, True)):
        compose = lazily(steps(edge)) if lazy else mt.Compose(steps(edge))

        def collated(turn: int, compose: mt.Compose = compose) -> object:
            return list_data_collate([compose(item) for item in batches(turn)])

        case.add(name, collated, alike(0.6) if lazy else unchecked, reseed(compose))
    add_fused(case, steps, edge, batches, same(3e-5, TIES))
    return case


def _affine(edge: int, threads: int) -> Case:
    size = (edge,) * 3
    batches = Batches(on_device(items(size, count=_VOLUMES)))
    matrix = affine_matrix(ROTATION, SCALE)
    case = Case(read_bytes=4 * edge**3 * 5)

    def steps(edge: int) -> list[object]:
        settings = {"rotate_params": ROTATION, "scale_params": SCALE, "padding_mode": "zeros"}
        return [mt.Affined(keys=KEYS, mode=("bilinear", "nearest"), **settings)]

    compose = mt.Compose(steps(edge))
    case.add(MONAI, lambda turn: list_data_collate([compose(item) for item in batches(turn)]), unchecked)
    add_fused(case, steps, edge, batches, same(3e-5, TIES))

    def stacked(turn: int) -> tuple[torch.Tensor, torch.Tensor]:
        image, label = (torch.stack([item[key].as_subclass(torch.Tensor) for item in batches(turn)]) for key in KEYS)
        return image, label.float()

    def by_hand(turn: int) -> object:
        image, label = stacked(turn)
        where = F.affine_grid(theta(matrix).cuda().expand(len(image), -1, -1), [len(image), 1, *size], align_corners=False)
        return F.grid_sample(image, where, "bilinear", "zeros", align_corners=False), F.grid_sample(
            label, where, "nearest", "zeros", align_corners=False
        )

    def kornia(module: ModuleType) -> Callable[[int], object]:
        from kornia.geometry.transform import warp_affine3d

        xyz = kornia_matrix(matrix, edge).cuda()

        def call(turn: int) -> object:
            image, label = stacked(turn)
            every = xyz.expand(len(image), -1, -1)
            return warp_affine3d(image, every, size, "bilinear", "zeros", True), warp_affine3d(
                label, every, size, "nearest", "zeros", True
            )

        return call

    def cucim(module: ModuleType) -> Callable[[int], object]:
        import cupy
        from cupyx.scipy import ndimage  # what cuCIM's transforms of volumes are made of

        centre = np.full(3, (edge - 1) / 2)
        where = cupy.asarray(matrix), cupy.asarray(centre - matrix @ centre)
        options = {"mode": "grid-constant", "prefilter": False}

        def call(turn: int) -> object:
            image, label = stacked(turn)
            out = torch.empty_like(image), torch.empty_like(label)
            for volumes, results, order in ((image, out[0], 1), (label, out[1], 0)):
                for volume, result in zip(volumes[:, 0], results[:, 0], strict=True):
                    ndimage.affine_transform(cupy.asarray(volume), *where, output=cupy.asarray(result), order=order, **options)
            return out

        return call

    case.add(TORCH, by_hand, same(1e-4, 1e-3))
    case.peer("Kornia", kornia, same(1e-3, 0.05, strays=0.1))
    case.peer("cuCIM", cucim, same(1e-3, 0.05, strays=0.1))
    return case


def _rand_affine(edge: int, threads: int) -> Case:
    """Volumes of four channels without labels: a few-shot task."""
    volumes = ring((edge,) * 3, torch.float32, channels=4, count=10)
    batches = Batches([{"image": volume.cuda()} for volume in volumes], count=5)
    settings = {"prob": 1.0, "rotate_range": (0.26,) * 3, "scale_range": (0.1,) * 3, "padding_mode": "zeros"}
    case = Case(read_bytes=5 * 4 * edge**3 * 4)

    def steps(edge: int) -> list[object]:
        return [mt.RandAffined(keys="image", mode="bilinear", **settings)]

    compose = mt.Compose(steps(edge))
    case.add(MONAI, lambda turn: list_data_collate([compose(item) for item in batches(turn)]), unchecked, reseed(compose))
    add_fused(case, steps, edge, batches, same(3e-5))

    def batchaug(module: ModuleType) -> Callable[[int], object]:
        transform = module.RandAffined(keys=["image"], **{**settings, "rotate_range": 0.26, "scale_range": 0.1})
        return lambda turn: transform({"image": torch.stack([item["image"] for item in batches(turn)])})

    case.peer("batchaug", batchaug, alike(0.6))
    return case
