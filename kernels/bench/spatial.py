"""Cases of single transforms that move voxels without computing new ones: flips, quarter turns, crops, pads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from . import goals, itk
from .case import OURS, PLAIN, TORCH, Case, Spec
from .checks import same
from .goals import Goal
from .sources import Make, add_ours, items, nbytes, plain, ring


def specs() -> Iterator[Spec]:
    for edge in (64, 96, 128, 192):
        for axis in (0, 1, 2, None):
            yield _flip(edge, axis, torch.float32)
    yield _flip(128, 2, torch.uint8)
    for edge in (96, 128):
        for axes in ((0, 1), (0, 2), (1, 2)):
            yield _rotate90(edge, axes)
    for name, make in _OTHERS.items():
        yield Spec(name, "other spatial", partial(_other, make))
    yield Spec("RandCropByPosNegLabeld 128^3 -> 4 x 96^3", "other spatial", _pos_neg)


def split(goal: Goal) -> dict[str, Goal]:
    """MONAI is measured where both keep metadata; libraries that keep none, and the copy, where we keep none either."""
    return {OURS: Goal(monai=goal.monai), PLAIN: Goal(peer=goal.peer, floor=goal.floor)}


def _flip(edge: int, axis: int | None, dtype: torch.dtype) -> Spec:
    axes = [0, 1, 2] if axis is None else [axis]

    def build(threads: int) -> Case:
        volumes = ring((edge,) * 3, dtype)
        bare = [plain(volume) for volume in volumes]
        case = Case(read_bytes=nbytes(bare[0]))
        add_ours(case, volumes, lambda library: library.Flip(spatial_axis=axis), same(), bare=bare)
        case.add(TORCH, lambda turn: torch.flip(bare[turn % len(bare)], [axis + 1 for axis in axes]), same())

        def simpleitk(sitk: ModuleType) -> Callable[[int], object]:
            images = itk.images(sitk, bare)
            flags = [axis in axes for axis in (2, 1, 0)]
            return lambda turn: itk.array(sitk, sitk.Flip(images[turn % len(images)], flags))

        def torchio(tio: ModuleType) -> Callable[[int], object]:
            subjects = [tio.ScalarImage(tensor=volume) for volume in bare]
            transform = tio.Flip(axes=axes)
            return lambda turn: transform(subjects[turn % len(subjects)]).data

        if dtype == torch.float32:
            case.peer("SimpleITK", simpleitk, same())
            case.peer("TorchIO", torchio, same())
        arrays = [volume[0].numpy() for volume in bare]
        out = np.empty_like(arrays[0])
        case.add("numpy by hand", lambda turn: _copy_into(out, np.flip(arrays[turn % len(arrays)], tuple(axes))), same())
        return case

    goal = goals.FLIP if edge <= 128 else goals.FLIP_LARGE
    name = f"flip {'all axes' if axis is None else f'axis {axis}'} {edge}^3 {str(dtype)[6:]}"
    return Spec(name, "flip", build, split(goal), quick=edge == 96 and axis == 2)


def _copy_into(out: npt.NDArray[np.generic], source: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    np.copyto(out, source)
    return out


def _rotate90(edge: int, axes: tuple[int, int]) -> Spec:
    def build(threads: int) -> Case:
        volumes = ring((edge,) * 3, torch.float32)
        bare = [plain(volume) for volume in volumes]
        case = Case(read_bytes=nbytes(bare[0]))
        # A turned view would be free; somebody has to write it, at the latest when a batch is made.
        written: Callable[[Any], object] = lambda out: out.contiguous()  # noqa: E731
        make: Make = lambda library: library.Rotate90(k=1, spatial_axes=axes)  # noqa: E731
        add_ours(case, volumes, make, same(), bare=bare, after=written)
        dims = [axis + 1 for axis in axes]
        out = torch.empty_like(bare[0])
        case.add(TORCH, lambda turn: out.copy_(torch.rot90(bare[turn % len(bare)], 1, dims)), same())
        arrays = [volume[0].numpy() for volume in bare]
        case.add("numpy by hand", lambda turn: np.ascontiguousarray(np.rot90(arrays[turn % len(arrays)], 1, axes)), same())
        return case

    name = f"rot90 axes {axes[0]},{axes[1]} {edge}^3 float32"
    return Spec(name, "rot90", build, split(goals.ROTATE90), quick=edge == 96 and axes == (0, 1))


#: Transforms for which the only promise is never to be slower than MONAI's.
_OTHERS: dict[str, Make] = {
    "RandAxisFlip 96^3": lambda library: library.RandAxisFlip(prob=1.0),
    "RandRotate90 96^3": lambda library: library.RandRotate90(prob=1.0),
    "CenterSpatialCrop 96^3 -> 64^3": lambda library: library.CenterSpatialCrop((64, 64, 64)),
    "RandSpatialCrop 96^3 -> 64^3": lambda library: library.RandSpatialCrop((64, 64, 64), random_size=False),
    "SpatialPad 96^3 -> 112^3": lambda library: library.SpatialPad((112, 112, 112)),
    "BorderPad 96^3 -> 112^3": lambda library: library.BorderPad(8),
    "DivisiblePad 96^3 -> 128^3": lambda library: library.DivisiblePad(64),
    "ResizeWithPadOrCrop 96^3 -> 80x112x96": lambda library: library.ResizeWithPadOrCrop((80, 112, 96)),
}


def _other(make: Make, threads: int) -> Case:
    volumes = ring((96, 96, 96), torch.float32)
    case = Case(read_bytes=0)
    add_ours(case, volumes, make, same())
    return case


def _pos_neg(threads: int) -> Case:
    pairs = items((128, 128, 128))
    make: Make = lambda library: library.RandCropByPosNegLabeld(  # noqa: E731
        keys=("image", "label"), label_key="label", spatial_size=(96, 96, 96), num_samples=4
    )
    case = Case(read_bytes=0)
    add_ours(case, pairs, make, same())
    return case
