"""Comparing a fused pipeline with the MONAI Compose it replaces: values, metadata, trace, generators, inverse."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose

from automl_run.kernels import fuse

Sample = dict[Hashable, Any]


def volume(
    shape: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float32, channels: int = 1, top: float = 1.0
) -> MetaTensor:
    """A random image with an oblique affine. `top`: the largest value."""
    values = np.random.RandomState(seed).rand(channels, *shape) * top
    affine = np.eye(4)
    affine[:3, :3] = [[2.0, 0.1, 0.0], [-0.1, 1.0, 0.2], [0.0, 0.0, -1.5]]
    affine[:3, 3] = [3.0, -7.0, 11.0]
    meta = {"filename_or_obj": f"case{seed}.nii", "original_affine": affine.copy()}
    return MetaTensor(torch.from_numpy(values).to(dtype), affine=torch.from_numpy(affine), meta=meta)


def sample(shape: tuple[int, ...], seed: int = 0, channels: int = 1) -> Sample:
    label = volume(shape, seed + 100, torch.uint8, top=3.99)
    return {"image": volume(shape, seed, channels=channels), "label": label, "name": f"case{seed}"}


def assert_parity(
    compose: Compose,
    samples: list[Any],
    seed: int = 0,
    tolerance: float = 0.0,
    inverse: bool = True,
    untouched: bool = True,
    **options: Any,
) -> Any:
    """Run `compose` and then `fuse(compose)` from one seed over the same samples. Returns the fused pipeline.

    untouched: nothing was done to the samples; some of MONAI's own steps do, to the trace or even the voxels.
    tolerance: of the values, relative to the intensity range; labels that were interpolated may differ in 1 of 1000 (ties).
    """
    forget_affines(compose)
    compose.set_random_state(seed)
    expected = [compose(copy.deepcopy(item)) for item in samples]
    states = generator_states(compose)
    fused = fuse(compose, **options)
    forget_affines(compose)
    fused.set_random_state(seed)
    kept = [copy.deepcopy(item) for item in samples]
    actual = [fused(item) for item in kept]
    for left, right in zip(expected, actual, strict=True):
        assert_same(left, right, tolerance)
    if untouched:
        for before, after in zip(samples, kept, strict=True):
            assert_same(before, after, 0.0)
    for left, right in zip(states, generator_states(compose), strict=True):
        assert left == right, "the generators went different ways"
    if inverse:
        for left, right in zip(expected, actual, strict=True):
            lefts, rights = (left, right) if isinstance(left, list) else ([left], [right])
            for a, b in zip(lefts, rights, strict=True):
                assert_same(compose.inverse(copy.deepcopy(a)), compose.inverse(copy.deepcopy(b)), max(tolerance, 1e-5))
    return fused


def forget_affines(compose: Compose) -> None:
    """RandAffine keeps its last matrix, and writes it into the metadata where it only changes the size."""
    for transform in compose.transforms:
        if hasattr(transform, "rand_affine"):
            transform.rand_affine.rand_affine_grid.affine = torch.eye(4, dtype=torch.float64)


def generator_states(compose: Compose) -> list[Any]:
    """The state of every generator in the pipeline, in the order of a walk."""
    found: list[Any] = []
    seen: set[int] = set()

    def walk(value: Any) -> None:
        if id(value) in seen:
            return
        seen.add(id(value))
        if isinstance(value, np.random.RandomState):
            state: Any = value.get_state(legacy=True)
            found.append((state[1].tobytes(), state[2], state[3], round(state[4], 12) if state[3] else 0))
        elif isinstance(value, (list, tuple)):
            for item in value:
                walk(item)
        elif type(value).__module__.startswith(("monai.transforms", "automl_run.kernels")):
            for item in vars(value).values():
                walk(item)

    walk(compose)
    return found


def assert_same(expected: Any, actual: Any, tolerance: float, path: str = "") -> None:
    if isinstance(expected, Mapping):
        assert list(expected) == list(actual), f"{path}: {list(expected)} != {list(actual)}"
        for key in expected:
            assert_same(expected[key], actual[key], tolerance, f"{path}/{key}")
    elif isinstance(expected, (list, tuple)):
        assert len(expected) == len(actual), f"{path}: lengths {len(expected)} {len(actual)}"
        for i, (left, right) in enumerate(zip(expected, actual, strict=True)):
            assert_same(left, right, tolerance, f"{path}[{i}]")
    elif isinstance(expected, torch.Tensor):
        assert type(expected) is type(actual), f"{path}: {type(expected)} {type(actual)}"
        _same_values(expected, actual, tolerance, path)
        if isinstance(expected, MetaTensor):
            _same_meta(expected, actual, path)
    elif isinstance(expected, np.ndarray):
        np.testing.assert_allclose(expected, actual, rtol=0, atol=1e-5, err_msg=path)
    else:
        assert expected == actual or (expected != expected and actual != actual), f"{path}: {expected!r} != {actual!r}"


def _same_values(expected: torch.Tensor, actual: torch.Tensor, tolerance: float, path: str) -> None:
    left, right = torch.as_tensor(expected.detach().numpy()), torch.as_tensor(actual.detach().numpy())
    assert left.shape == right.shape, f"{path}: {tuple(left.shape)} != {tuple(right.shape)}"
    assert left.dtype == right.dtype, f"{path}: {left.dtype} != {right.dtype}"
    if left.numel() == 0:
        return
    if tolerance == 0.0:
        assert torch.equal(left, right), f"{path}: {(left != right).sum()} of {left.numel()} voxels differ"
        return
    left, right = left.double(), right.double()
    span = float(left.max() - left.min()) or 1.0
    wrong = (left - right).abs() > tolerance * span
    if bool((left == left.round()).all()) or tolerance >= 1e-4:  # a coordinate on a tie may go either way
        assert wrong.sum() <= max(3, left.numel() / 100), f"{path}: {wrong.sum()} voxels of {left.numel()} differ"
    else:
        assert not wrong.any(), f"{path}: off by {float((left - right).abs().max()) / span} of the range"


def _same_meta(expected: MetaTensor, actual: MetaTensor, path: str) -> None:
    assert expected.spatial_ndim == actual.spatial_ndim, path
    assert not actual.pending_operations, path
    assert expected.is_batch == actual.is_batch, path
    assert set(expected.meta) == set(actual.meta), f"{path}: {set(expected.meta) ^ set(actual.meta)}"
    for key in expected.meta:
        _same_meta_value(expected.meta[key], actual.meta[key], f"{path}.meta[{key}]")
    _same_meta_value(expected.applied_operations, actual.applied_operations, f"{path}.applied")


def _same_meta_value(expected: Any, actual: Any, path: str, depth: int = 0) -> None:
    if isinstance(expected, Mapping):
        assert set(expected) == set(actual), f"{path}: {expected} != {actual}"
        for key in expected:
            if key != "id" or depth == 0:  # inside a record are transforms made for the moment
                _same_meta_value(expected[key], actual[key], f"{path}.{key}", depth + 1)
    elif isinstance(expected, (torch.Tensor, np.ndarray)):
        np.testing.assert_allclose(np.asarray(expected), np.asarray(actual), rtol=1e-5, atol=1e-4, err_msg=path)
    elif isinstance(expected, (list, tuple)):
        assert len(expected) == len(actual), f"{path}: {expected} != {actual}"
        for i, (left, right) in enumerate(zip(expected, actual, strict=True)):
            _same_meta_value(left, right, f"{path}[{i}]", depth)
    else:
        assert expected == actual, f"{path}: {expected!r} != {actual!r}"
