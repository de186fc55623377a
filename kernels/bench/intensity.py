"""Cases of single transforms of intensities on one 96^3 image: scale, gamma, noise, smoothing, bias field, histogram, dropout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType

import numpy as np
import torch
import torch.nn.functional as F

from .case import TORCH, Case, Check, Spec
from .checks import alike, same
from .sources import Make, add_ours, nbytes, plain, ring

_SHAPE = (96, 96, 96)
ByHand = Callable[[torch.Tensor], object]
Peer = Callable[[Sequence[torch.Tensor], ModuleType], Callable[[int], object]]


@dataclass(frozen=True, slots=True)
class Operation:
    """MONAI's transform, the tolerance against it, and how others do it."""

    make: Make
    tolerance: float
    by_hand: ByHand | None = None
    by_hand_check: Check | None = None
    peers: tuple[tuple[str, Peer, Check], ...] = ()


def specs() -> Iterator[Spec]:
    for name, operation in OPERATIONS.items():
        yield Spec(f"{name} 96^3", "intensity", partial(_build, operation), quick=name == "AdjustContrast")


def _build(operation: Operation, threads: int) -> Case:
    volumes = ring(_SHAPE, torch.float32)
    bare = [plain(volume) for volume in volumes]
    case = Case(read_bytes=nbytes(bare[0]))
    check = same(operation.tolerance)
    add_ours(case, volumes, operation.make, check)
    by_hand = operation.by_hand
    if by_hand is not None:
        case.add(TORCH, lambda turn: by_hand(bare[turn % len(bare)]), operation.by_hand_check or same(1e-4))
    for name, peer, peer_check in operation.peers:
        case.peer(name, partial(peer, bare), peer_check)
    return case


def _gamma(image: torch.Tensor) -> torch.Tensor:
    low, high = torch.aminmax(image)
    reach = high - low
    return image.sub(low).div_(reach + 1e-7).pow_(1.3).mul_(reach).add_(low)


def _normalize(image: torch.Tensor) -> torch.Tensor:
    deviation, mean = torch.std_mean(image, correction=0)
    return image.sub(mean).div_(deviation)


def _rescale(image: torch.Tensor) -> torch.Tensor:
    low, high = torch.aminmax(image)
    return image.sub(low).div_(high - low)


def _smooth(image: torch.Tensor) -> torch.Tensor:
    reach = 4
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weights = torch.erf((steps + 0.5) / 2**0.5) - torch.erf((steps - 0.5) / 2**0.5)  # a voxel's share of the Gaussian, sigma 1
    weights = weights / 2
    out = image[None]
    for axis in range(3):
        shape, padding = [1, 1, 1, 1, 1], [0, 0, 0]
        shape[2 + axis], padding[axis] = -1, reach
        out = F.conv3d(out, weights.reshape(shape), padding=padding)
    return out[0]


def _scipy_smooth(bare: Sequence[torch.Tensor], ndimage: ModuleType) -> Callable[[int], object]:
    arrays, out = [volume[0].numpy() for volume in bare], np.empty(_SHAPE, np.float32)

    def call(turn: int) -> object:
        ndimage.gaussian_filter(arrays[turn % len(arrays)], 1.0, output=out, mode="constant")
        return out

    return call


def _torchio(name: str, **arguments: object) -> tuple[str, Peer, Check]:
    """A TorchIO transform of its own draws."""

    def make(bare: Sequence[torch.Tensor], tio: ModuleType) -> Callable[[int], object]:
        images, transform = [tio.ScalarImage(tensor=volume) for volume in bare], getattr(tio, name)(**arguments)
        return lambda turn: transform(images[turn % len(images)]).data

    return "TorchIO", make, alike(1.0)


def _batchgenerators(module_name: str, name: str, *arguments: object) -> tuple[str, Peer, Check]:
    """A batchgeneratorsv2 transform of its own draws; it writes into its input, which is copied for it."""

    def make(bare: Sequence[torch.Tensor], module: ModuleType) -> Callable[[int], object]:
        import importlib

        transform = getattr(importlib.import_module(f"batchgeneratorsv2.transforms.{module_name}"), name)(*arguments)
        return lambda turn: transform(image=bare[turn % len(bare)].clone())["image"]

    return "batchgeneratorsv2", make, alike(1.0)


OPERATIONS: dict[str, Operation] = {
    "ScaleIntensity": Operation(lambda m: m.ScaleIntensity(), 1e-6, _rescale, None, (_torchio("RescaleIntensity"),)),
    "ScaleIntensity factor": Operation(lambda m: m.ScaleIntensity(None, None, factor=0.1), 1e-6, lambda x: x * 1.1),
    "ScaleIntensityRange": Operation(
        lambda m: m.ScaleIntensityRange(0.2, 0.8, 0.0, 1.0, clip=True), 1e-6, lambda x: x.sub(0.2).div_(0.6).clamp_(0, 1)
    ),
    "NormalizeIntensity": Operation(lambda m: m.NormalizeIntensity(), 1e-5, _normalize, None, (_torchio("ZNormalization"),)),
    "ShiftIntensity": Operation(lambda m: m.ShiftIntensity(0.1), 1e-6, lambda x: x + 0.1),
    "AdjustContrast": Operation(
        lambda m: m.AdjustContrast(1.3),
        1e-6,
        _gamma,
        None,
        (
            _torchio("RandomGamma", log_gamma=(0.26, 0.27)),
            _batchgenerators("intensity.gamma", "GammaTransform", (1.3, 1.31), 0, True, 1, 0),
        ),
    ),
    "GaussianSmooth": Operation(
        lambda m: m.GaussianSmooth(1.0),
        1e-5,
        _smooth,
        None,
        (
            ("scipy", _scipy_smooth, same(0.02, strays=0.2)),
            _torchio("RandomBlur", std=(1.0, 1.0)),
            _batchgenerators("noise.gaussian_blur", "GaussianBlurTransform", (1.0, 1.0), True, True, 1.0),
        ),
    ),
    "RandScaleIntensity": Operation(
        lambda m: m.RandScaleIntensity(0.1, prob=1.0), 1e-6, lambda x: x * (1 + 0.1 * float(torch.rand(1))), alike(1.0)
    ),
    "RandShiftIntensity": Operation(
        lambda m: m.RandShiftIntensity(0.1, prob=1.0), 1e-6, lambda x: x + 0.1 * float(torch.rand(1)), alike(1.0)
    ),
    "RandAdjustContrast": Operation(lambda m: m.RandAdjustContrast(prob=1.0, gamma=(0.7, 1.5)), 1e-6, _gamma, alike(1.0)),
    "RandGaussianNoise": Operation(
        lambda m: m.RandGaussianNoise(prob=1.0, std=0.1),
        1e-6,
        lambda x: torch.randn_like(x).mul_(0.05).add_(x),
        alike(1.0),
        (
            _torchio("RandomNoise", std=(0.0, 0.1)),
            _batchgenerators("intensity.gaussian_noise", "GaussianNoiseTransform", (0.0, 0.1), 1.0, True),
        ),
    ),
    "RandGaussianSmooth": Operation(lambda m: m.RandGaussianSmooth(prob=1.0), 1e-5),
    "RandBiasField": Operation(
        lambda m: m.RandBiasField(prob=1.0), 1e-5, None, None, (_torchio("RandomBiasField", coefficients=(0.0, 0.1)),)
    ),
    "RandHistogramShift": Operation(lambda m: m.RandHistogramShift(prob=1.0), 1e-5),
    "RandCoarseDropout": Operation(lambda m: m.RandCoarseDropout(holes=8, spatial_size=16, fill_value=0.0, prob=1.0), 0.0),
}
