"""Affine maps, labels beside images, noise and intensities in one pass."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from voxel_reference import SIZES, Guarded, Turned, image, matrices, sampled, turned_windows

from automl_run.kernels import cpu
from automl_run.kernels.cpu import (
    Clip,
    CounterNoise,
    Field,
    Gamma,
    Linear,
    Part,
    Scratch,
    Window,
    can_run,
    resample_affine,
    run_sample,
    sampling,
)

LABELS = [torch.uint8, torch.bool, torch.int16, torch.int32, torch.float32, torch.float16, torch.int64, torch.float64]


def rotation(degrees: float, size: int, scale: float = 1.0) -> np.ndarray:
    """(3, 4): about the centre of a cube, in all three planes."""
    t = np.deg2rad(degrees)
    c, s = np.cos(t), np.sin(t)
    x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    y = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    linear = x @ y @ z * scale
    centre = np.full(3, (size - 1) / 2)
    return np.concatenate([linear, (centre - linear @ centre)[:, None]], 1)


@given(st.data(), turned_windows(), st.booleans(), st.sampled_from(LABELS), st.integers(1, 2), st.sampled_from([None, 1, 3]))
def test_images_and_labels_are_those_of_grid_sample(
    data: st.DataObject, turned: Turned, border: bool, dtype: torch.dtype, channels: int, threads: int | None
) -> None:
    window = turned.window
    size = [data.draw(SIZES) for _ in window.shape]
    matrix = data.draw(matrices(len(size), window.shape, size))
    source, labels = image([channels, *window.source_shape]), image([1, *window.source_shape], dtype, seed=1)
    picture, label = Guarded.of([channels, *size], torch.float32), Guarded.of([1, *size], dtype)
    parts = [Part(source, picture.out, border=border, fill=0.5), Part(labels, label.out, linear=False, border=border, fill=1)]
    run_sample(parts, window, matrix, threads=threads)
    expected, _ = sampled(turned.of(source, 0.5), matrix, size, linear=True, border=border)
    # Where the border of zeros falls off to nothing within a voxel, a place rounded by 1e-6 is a value rounded by 1e-6.
    assert float((picture.out - expected).abs().max()) < 1e-5
    chosen, ties = sampled(turned.of(labels, 1), matrix, size, linear=False, border=border)
    assert not bool(((label.out.double() != chosen) & ~ties).any())
    picture.check()
    label.check()


@given(st.data(), turned_windows(steps=2), st.sampled_from([torch.uint8, torch.int8, torch.int16]))
def test_integer_images_become_float32(data: st.DataObject, turned: Turned, dtype: torch.dtype) -> None:
    matrix = data.draw(matrices(len(turned.window.shape), turned.window.shape, turned.window.shape))
    source = image([1, *turned.window.source_shape], dtype)
    out = resample_affine(source, turned.window, matrix, turned.window.shape)
    expected, _ = sampled(turned.of(source, 0), matrix, turned.window.shape, linear=True, border=False)
    assert out.dtype == torch.float32
    assert float((out - expected).abs().max()) < 1e-4


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16])
@pytest.mark.parametrize("size", [[9, 11, 37], [5, 70]])
def test_nearest_voxels_become_float32_where_asked(dtype: torch.dtype, size: list[int]) -> None:
    labels, matrix = image([2, *size], dtype, seed=2), np.eye(len(size) + 1)[:-1] * 1.07
    window = Window.whole(size).flip([0])
    converted = Guarded.of([2, *size], torch.float32)
    as_it_is = torch.empty(2, *size, dtype=dtype)
    picture = torch.empty(2, *size)
    image_part = Part(image([2, *size]), picture)
    run_sample([image_part, Part(labels, converted.out, linear=False)], window, matrix)
    run_sample([image_part, Part(labels, as_it_is, linear=False)], window, matrix)
    assert torch.equal(converted.out, as_it_is.float())
    converted.check()


@pytest.mark.parametrize("border", [False, True])
def test_bricks_do_not_show(border: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window.whole([40, 40, 40]).flip([1])
    source, labels, matrix = image([1, 40, 40, 40]), image([1, 40, 40, 40], torch.uint8), rotation(25, 40, 1.2)
    results = []
    for voxels in (1 << 21, 5000):
        monkeypatch.setattr(sampling, "BRICK_VOXELS", voxels)
        out, label = torch.empty(1, 40, 40, 40), torch.empty(1, 40, 40, 40, dtype=torch.uint8)
        run_sample([Part(source, out, border=border), Part(labels, label, linear=False, border=border)], window, matrix)
        results.append((out, label))
    assert torch.equal(results[0][1], results[1][1])
    assert float((results[0][0] - results[1][0]).abs().max()) < 1e-5


def test_the_identity_returns_the_image() -> None:
    source, identity = image([2, 9, 10, 21]), np.eye(4)[:3]
    assert torch.equal(resample_affine(source, Window.whole([9, 10, 21]), identity, [9, 10, 21]), source)
    assert torch.equal(resample_affine(source, Window.whole([9, 10, 21]), identity, [9, 10, 21], linear=False), source)


def test_places_are_exact_far_from_the_origin() -> None:
    source = image([1, 3, 3, 2000])
    matrix = np.concatenate([np.eye(3), [[0], [0], [0.25]]], 1)
    out = resample_affine(source, Window.whole([3, 3, 2000]), matrix, [3, 3, 1999])
    expected = source[..., :-1] + 0.25 * (source[..., 1:] - source[..., :-1])
    assert float((out - expected).abs().max()) < 1e-6


def test_nan_spreads_to_the_voxels_that_read_it_and_no_further() -> None:
    source = image([1, 20, 20, 40])
    source[0, 10, 10, 20] = torch.nan
    matrix = np.concatenate([np.eye(3), [[0.5], [0.5], [0.5]]], 1)
    out = resample_affine(source, Window.whole([20, 20, 40]), matrix, [19, 19, 39])
    assert torch.isnan(out).sum() == 8
    assert bool(torch.isnan(out[0, 9:11, 9:11, 19:21]).all())


def chain_by_torch(x: torch.Tensor, field: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    x = x + noise
    low, span = x.min(), x.max() - x.min()
    x = ((x - low) / float(span + 1e-7)) ** 0.7 * span + low
    x = (x * 1.1 - 0.05).clamp(-0.2, 0.9) + field
    low, span = x.min(), x.max() - x.min()
    return ((x - low) / float(span + 1e-7)) ** 1.6 * span + low


@pytest.mark.parametrize("matrix", [None, rotation(20, 30)])
@pytest.mark.parametrize("threads", [1, 2])
def test_steps_follow_in_order_and_extremes_are_of_all_channels(matrix: np.ndarray | None, threads: int) -> None:
    window = Window.whole([30, 30, 30]).rot90(1, (0, 2))
    source, field = image([2, 30, 30, 30]), image([2, 30, 30, 30], seed=3)
    source[1] += 2
    noise = torch.zeros(2, 30, 30, 30)
    cpu.counter_normal(5, 0.1, 0.2, noise)
    steps = (CounterNoise(5, 0.1, 0.2), Gamma(0.7), Linear(1.1, -0.05), Clip(-0.2, 0.9), Field(field), Gamma(1.6))
    guarded = Guarded.of([2, 30, 30, 30], torch.float32)
    run_sample([Part(source, guarded.out, steps=steps)], window, matrix, threads=threads)
    plain = torch.empty(2, 30, 30, 30)
    run_sample([Part(source, plain)], window, matrix)
    assert float((guarded.out - chain_by_torch(plain, field, noise)).abs().max()) < 1e-5
    guarded.check()


def test_a_field_that_already_lies_in_the_output() -> None:
    source, window, out = image([1, 20, 24, 28]), Window.whole([20, 24, 28]), torch.empty(1, 20, 24, 28)
    matrix = np.concatenate([np.eye(3), np.full((3, 1), 0.3)], 1)
    cpu.exact_normal(np.random.RandomState(3), 0.0, 0.1, out)
    noise = out.clone()
    run_sample([Part(source, out, steps=(Field(out), Linear(2.0, 0.0)))], window, matrix)
    expected = (resample_affine(source, window, matrix, [20, 24, 28]) + noise) * 2
    assert float((out - expected).abs().max()) < 1e-6


def test_padding_is_not_scaled_with_the_copy_but_by_the_steps() -> None:
    source, out = image([1, 4, 4, 4]), torch.empty(1, 4, 4, 6)
    run_sample([Part(source, out, fill=1.0, steps=(Linear(2.0, 1.0),))], Window.whole([4, 4, 4]).pad([0, 0, 1], [0, 0, 1]))
    assert bool((out[..., 0] == 3).all())
    assert torch.equal(out[..., 1:5], source * 2 + 1)


def test_what_does_not_fit_is_refused_before_anything_is_written() -> None:
    source, window, identity = image([1, 8, 8, 8]), Window.whole([8, 8, 8]), np.eye(4)[:3]
    good = torch.full((1, 8, 8, 8), 7.0)
    first = Part(source, good)
    wrong: list[tuple[Part, np.ndarray | None]] = [
        (Part(source.double(), torch.empty(1, 8, 8, 8)), identity),
        (Part(source, torch.empty(1, 8, 8, 8, dtype=torch.float64)), identity),
        (Part(source, torch.empty(1, 8, 8)), identity),
        (Part(source, torch.empty(2, 8, 8, 8)), identity),
        (Part(source, torch.empty(1, 7, 8, 8)), None),
        (Part(image([1, 8, 8]), good), identity),
        (Part(source, torch.empty(1, 8, 8, 8), steps=(Field(torch.zeros(3)),)), identity),
        (Part(source, (same := torch.empty(1, 8, 8, 8)), steps=(Linear(2.0), Field(same))), identity),
        (Part(source, same, steps=(Field(same),)), None),
        (Part(source, same, linear=False, steps=(Linear(2.0),)), identity),
        (Part(good, good), None),
        (first, np.eye(4)),
        (first, identity * np.nan),
    ]
    for part, matrix in wrong:
        with pytest.raises(ValueError, match=r"cannot|output|field|matrix"):
            run_sample([first, part], window, matrix)
    with pytest.raises(ValueError, match="nothing to sample"):
        run_sample([first], window.crop([0, 0, 0], [0, 8, 8]), identity)
    assert bool((good == 7).all())
    assert not can_run(source.double(), linear=True, matrix=True)
    assert can_run(source.double(), linear=False, matrix=True)


def test_scratch_is_reused_and_bounded() -> None:
    scratch = Scratch(kept=2, kept_bytes=64 << 20)
    with scratch.borrow(1000) as first:
        address = first.ctypes.data
        assert address % 64 == 0
        with scratch.borrow(1000) as second:
            assert second.ctypes.data != address
    del first, second
    gc.collect()
    assert scratch.kept_now() == 2
    with scratch.borrow(1000), scratch.borrow(1000), scratch.borrow(1000):
        assert scratch.kept_now() == 0
    assert scratch.kept_now() == 2
    with scratch.borrow(100 << 20) as large:
        assert large.size >= 100 << 20
    assert scratch.kept_now() <= 2
