"""Cases of resampling along the axes: Resize, Spacing, and Spacing of an image with its label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import ModuleType

import monai.transforms as mt
import numpy as np
import torch
import torch.nn.functional as F
from monai.data import MetaTensor

from . import goals, itk, pairs
from .case import OURS, TORCH, Case, Spec
from .checks import TIES, alike, same
from .sources import Make, add_ours, items, nbytes, plain, ring

_INTERPOLATED = 1e-5
_GRIDS = (((64, 64, 64), (96, 96, 96)), ((128, 128, 128), (96, 96, 96)), ((160, 192, 192), (128, 128, 128)))
#: No voxel of these grids lies half-way between two of the source, where nearest would go either way.
_SPACINGS = (((64, 64, 64), 0.665), ((128, 128, 128), 1.285), ((192, 192, 156), 1.475))


def specs() -> Iterator[Spec]:
    for source, target in _GRIDS:
        for nearest in (False, True):
            yield _resize(source, target, nearest)
    for source, spacing_mm in _SPACINGS:
        for nearest in (False, True):
            yield _spacing(source, spacing_mm, nearest)
    for source, spacing_mm in _SPACINGS:
        yield _spacing_pair(source, spacing_mm)
    yield Spec("Zoom 96^3 by 1.2", "other spatial", _zoom)


def _resize(source: tuple[int, ...], target: tuple[int, ...], nearest: bool) -> Spec:
    mode, dtype = ("nearest", torch.uint8) if nearest else ("trilinear", torch.float32)
    scale = np.array(source) / np.array(target)

    def build(threads: int) -> Case:
        volumes = ring(source, dtype)
        bare = [plain(volume) for volume in volumes]
        case = Case(read_bytes=nbytes(bare[0]))
        check = same() if nearest else same(_INTERPOLATED)
        make: Make = lambda library: library.Resize(target, mode=mode)  # noqa: E731
        add_ours(case, volumes, make, check)
        case.add(TORCH, lambda turn: F.interpolate(bare[turn % len(bare)][None], size=target, mode=mode), check)
        if not nearest:  # at the centres of voxels, as trilinear does; nearest of F.interpolate takes their corners
            _add_exact(case, bare, target, np.diag(scale), (scale - 1) / 2, nearest, threads)
        return case

    name = f"resize {mode} {text(source)} -> {text(target)}"
    return Spec(name, "resize", build, {OURS: goals.RESIZE}, quick=source[0] == 64 and not nearest)


def _spacing(source: tuple[int, ...], spacing_mm: float, nearest: bool) -> Spec:
    mode, dtype = ("nearest", torch.uint8) if nearest else ("bilinear", torch.float32)

    def build(threads: int) -> Case:
        target, matrix, offset = grid(source, spacing_mm)
        volumes = ring(source, dtype)
        bare = [plain(volume) for volume in volumes]
        case = Case(read_bytes=nbytes(bare[0]))
        check = same(labels=TIES, strays=TIES) if nearest else same(_INTERPOLATED)
        make: Make = lambda library: library.Spacing((spacing_mm,) * 3, mode=mode)  # noqa: E731
        add_ours(case, volumes, make, check)
        _add_interpolate(case, bare, target, nearest)
        _add_exact(case, bare, target, matrix, offset, nearest, threads)
        return case

    name = f"spacing {mode} {text(source)} -> {spacing_mm} mm"
    return Spec(name, "spacing", build, {OURS: goals.SPACING})


def _spacing_pair(source: tuple[int, ...], spacing_mm: float) -> Spec:
    def build(threads: int) -> Case:
        target, matrix, offset = grid(source, spacing_mm)
        sources = items(source)
        images, labels = ([plain(item[key]) for item in sources] for key in ("image", "label"))
        case = Case(read_bytes=nbytes(images[0]) + nbytes(labels[0]))
        make: Make = lambda library: library.Spacingd(  # noqa: E731
            keys=("image", "label"), pixdim=(spacing_mm,) * 3, mode=("bilinear", "nearest")
        )
        add_ours(case, sources, make, same(_INTERPOLATED, TIES))

        def by_hand(turn: int) -> object:
            i = turn % len(images)
            image = F.interpolate(images[i][None], size=target, mode="trilinear")[0]
            return image, F.interpolate(labels[i][None], size=target, mode="nearest")[0]

        def resample(tio: ModuleType) -> Callable[[object], object]:
            affine = np.eye(4)
            affine[:3, :3], affine[:3, 3] = matrix, offset
            transform: Callable[[object], object] = tio.Resample((target, affine))
            return transform

        simpleitk = partial(pairs.simpleitk, images, labels, target, matrix, offset, clamp=True, threads=threads)
        case.add(TORCH, by_hand, alike())
        case.peer("SimpleITK", simpleitk, same(1e-4, 0.01, strays=0.1))
        case.peer("TorchIO", partial(pairs.torchio, images, labels, resample), alike())
        return case

    name = f"spacing image+label {text(source)} -> {spacing_mm} mm"
    return Spec(name, "spacing image+label", build, {OURS: goals.SPACING_PAIR}, quick=source[0] == 64)


def _add_interpolate(case: Case, bare: Sequence[torch.Tensor], target: tuple[int, ...], nearest: bool) -> None:
    """The same amount of work on nearly the same grid: F.interpolate cannot express Spacing's exact one."""
    mode = "nearest" if nearest else "trilinear"
    case.add(TORCH, lambda turn: F.interpolate(bare[turn % len(bare)][None], size=target, mode=mode), alike())


def _add_exact(
    case: Case,
    bare: Sequence[torch.Tensor],
    target: tuple[int, ...],
    matrix: itk.Matrix,
    offset: itk.Matrix,
    nearest: bool,
    threads: int,
) -> None:
    """The libraries that can be given the very grid: voxel `matrix @ v + offset` for voxel v."""

    def simpleitk(sitk: ModuleType) -> Callable[[int], object]:
        images = itk.images(sitk, bare)
        resample = itk.resampler(sitk, target, matrix, offset, nearest=nearest, clamp=True, threads=threads)
        return lambda turn: itk.array(sitk, resample(images[turn % len(images)]))

    def scipy(ndimage: ModuleType) -> Callable[[int], object]:
        arrays = [volume[0].numpy() for volume in bare]
        out = np.empty(target, arrays[0].dtype)
        options = {"output_shape": target, "output": out, "order": 0 if nearest else 1, "mode": "nearest", "prefilter": False}

        def call(turn: int) -> object:
            ndimage.affine_transform(arrays[turn % len(arrays)], np.diag(matrix), offset, **options)
            return out

        return call

    # Half a voxel outside, ITK takes the nearest voxel where the others clamp each axis by itself.
    case.peer("SimpleITK", simpleitk, same(1e-4, strays=0.1))
    # Near a half, its nearest voxel may be the other one.
    case.peer("scipy", scipy, same(1e-4, strays=0.05))


def grid(source: Sequence[int], spacing_mm: float) -> tuple[tuple[int, ...], itk.Matrix, itk.Matrix]:
    """MONAI's own output grid for isotropic spacing of 1 mm: its shape, and where its voxels lie in the source's voxels."""
    done = mt.Spacing((spacing_mm,) * 3, mode="nearest")(MetaTensor(torch.zeros(1, *source, dtype=torch.uint8)))
    affine = np.asarray(done.affine, np.float64)
    return tuple(done.shape[1:]), affine[:3, :3], affine[:3, 3]


def _zoom(threads: int) -> Case:
    case = Case(read_bytes=0)
    add_ours(case, ring((96, 96, 96), torch.float32), lambda library: library.Zoom(1.2, mode="trilinear"), same(_INTERPOLATED))
    return case


def text(shape: Sequence[int]) -> str:
    return f"{shape[0]}^3" if len(set(shape)) == 1 else "x".join(map(str, shape))
