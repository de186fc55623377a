"""Comparing our transforms with MONAI's: voxels, metadata, applied operations, draws, inverses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import monai.transforms as mt
import torch
from hypothesis import strategies as st
from monai.data import MetaTensor

from automl_run import kernels

AFFINE = torch.tensor([[1.5, 0, 0.1, -7], [0, -2, 0, 3], [0.2, 0, 3, 11], [0, 0, 0, 1]], dtype=torch.float64)
DTYPES = [torch.float32, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.float64, torch.bool]

#: 2-D and 3-D images, thin, odd, shorter than a vector, not cubic.
shapes = st.lists(st.sampled_from([1, 2, 3, 5, 9, 15, 17, 24, 33]), min_size=2, max_size=3).flatmap(
    lambda spatial: st.sampled_from([1, 2]).map(lambda channels: (channels, *spatial))
)


def scan(shape: Sequence[int], dtype: torch.dtype = torch.float32, seed: int = 0, *, layout: str = "contiguous") -> MetaTensor:
    """An image with an oblique affine, which has three axes or, sometimes, as many as the image."""
    values = torch.randint(-100, 100, tuple(shape), generator=torch.Generator().manual_seed(seed))
    voxels = (values > 0) if dtype == torch.bool else values.to(dtype)
    if layout == "transposed":
        voxels = voxels.transpose(0, -1).contiguous().transpose(0, -1)
    elif layout == "cropped":
        wide = voxels.new_zeros([n + 2 for n in voxels.shape])
        voxels = wide[tuple(slice(1, -1) for _ in voxels.shape)].copy_(voxels)
    affine = AFFINE if len(shape) == 4 or seed % 2 else AFFINE[[0, 1, 3]][:, [0, 1, 3]]
    return MetaTensor(voxels, affine=affine.clone())


def pair(name: str, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Our transform and MONAI's, of one name and with the same arguments."""
    return getattr(kernels, name)(*args, **kwargs), getattr(mt, name)(*args, **kwargs)


def records(entry: object) -> object:
    """Applied operations without the addresses of the transforms."""
    if isinstance(entry, Mapping):
        return {key: records(value) for key, value in entry.items() if key != "id"}
    return [records(value) for value in entry] if isinstance(entry, list | tuple) else entry


def assert_same(ours: Any, theirs: Any, *, within: float = 0.0) -> None:
    """The same voxels, up to `within`, and the same metadata; of whole items too."""
    if isinstance(theirs, Mapping):
        assert ours.keys() == theirs.keys()
        for key in theirs:
            assert_same(ours[key], theirs[key], within=within)
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for mine, expected in zip(ours, theirs, strict=True):
            assert_same(mine, expected, within=within)
    elif not isinstance(theirs, torch.Tensor):
        assert repr(ours) == repr(theirs)
    else:
        assert type(ours) is type(theirs)
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        assert_close(ours, theirs, within)
        if isinstance(ours, MetaTensor) and isinstance(theirs, MetaTensor):
            # BLAS rounds the product of two affines differently from one memory address to another.
            torch.testing.assert_close(ours.affine, theirs.affine, rtol=1e-12, atol=1e-12)
            assert ours.meta.keys() == theirs.meta.keys()
            assert repr(records(ours.applied_operations)) == repr(records(theirs.applied_operations))
            assert ours.pending_operations == theirs.pending_operations == []


def assert_close(ours: torch.Tensor, theirs: torch.Tensor, within: float) -> None:
    mine, expected = torch.as_tensor(ours), torch.as_tensor(theirs)
    if within == 0:
        assert torch.equal(mine, expected)
    elif mine.numel():
        assert float((mine.double() - expected.double()).abs().max()) <= within


def assert_same_draws(ours: Any, theirs: Any, item: Any, *, seeds: int = 6, within: float = 0.0) -> None:
    """Two calls from each of some seeds agree, and so does the inverse of the last."""
    for seed in range(seeds):
        ours.set_random_state(seed)
        theirs.set_random_state(seed)
        for _ in range(2):
            mine, expected = ours(item), theirs(item)
            assert_same(mine, expected, within=within)
        if hasattr(theirs, "inverse") and not isinstance(expected, list):
            assert_same(ours.inverse(mine), theirs.inverse(expected), within=within)
