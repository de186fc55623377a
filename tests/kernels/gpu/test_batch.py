"""Batches by the GPU's kernels against the CPU's: the same arithmetic built for the host, and on a device where there is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest
import torch
from gpu_host import COMPILER, launch_on_host
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from voxel_reference import SIZES, Guarded, Turned, image, matrices, sampled, turned_windows

from automl_run.kernels import cpu, gpu
from automl_run.kernels.cpu import Clip, CounterNoise, Field, Gamma, Linear, Part, Window
from automl_run.kernels.gpu import Sample
from automl_run.kernels.gpu.geometry import map_of
from automl_run.kernels.gpu.table import BRICKS, GENERAL, LINES, MOVE, SEPARABLE, TILES

Runner = Callable[[Sequence[Sample]], None]

on_host = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler to build the arithmetic for the host with")
on_device = pytest.mark.skipif(not gpu.available(), reason="no CUDA device, or CuPy is not installed")
ROTATION = np.array([[0.913, 0.1171, 0.013, 1.01], [-0.1137, 1.1713, 0.2119, 0.02], [0.0513, 0.1171, 0.95713, -3.017]])
SCALING = np.array([[0, 0.91337, 0, 1.01], [1.11337, 0, 0, 0.01], [0, 0, -0.951337, 23.017]])


def through_device(samples: Sequence[Sample]) -> None:
    """`gpu.run_batch` on copies that lie on the device."""

    def moved(part: Part) -> Part:
        fields = {id(step): Field(step.values.cuda()) for step in part.steps if isinstance(step, Field)}
        steps = tuple(fields.get(id(step), step) for step in part.steps)
        return Part(part.source.cuda(), part.out.cuda(), part.linear, part.border, part.fill, steps)

    there = [Sample(tuple(moved(part) for part in sample.parts), sample.window, sample.matrix) for sample in samples]
    gpu.run_batch(there)
    for here, away in zip(samples, there, strict=True):
        for part, other in zip(here.parts, away.parts, strict=True):
            part.out.copy_(other.out)


@pytest.fixture(
    params=[
        pytest.param(partial(gpu.run_batch, launcher=launch_on_host), id="host", marks=on_host),
        pytest.param(through_device, id="device", marks=on_device),
    ]
)
def run(request: pytest.FixtureRequest) -> Runner:
    runner: Runner = request.param
    return runner


quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(st.data(), turned_windows(), st.booleans(), st.integers(1, 2))
def test_images_and_labels_are_those_of_grid_sample(
    run: Runner, data: st.DataObject, turned: Turned, border: bool, channels: int
) -> None:
    window = turned.window
    size = [data.draw(SIZES) for _ in window.shape]
    matrix = data.draw(matrices(len(size), window.shape, size))
    source, labels = image([channels, *window.source_shape]), image([1, *window.source_shape], torch.uint8, seed=1)
    picture, label = Guarded.of([channels, *size], torch.float32), Guarded.of([1, *size], torch.uint8)
    parts = Part(source, picture.out, border=border, fill=0.5), Part(labels, label.out, linear=False, border=border, fill=1)
    run([Sample(parts, window, matrix)])
    expected, _ = sampled(turned.of(source, 0.5), matrix, size, linear=True, border=border)
    assert float((picture.out - expected).abs().max()) < 1e-5
    chosen, ties = sampled(turned.of(labels, 1), matrix, size, linear=False, border=border)
    assert not bool(((label.out.double() != chosen) & ~ties).any())
    picture.check()
    label.check()


@quick
@given(turned_windows(), st.sampled_from([torch.float32, torch.int16, torch.float16]), st.integers(1, 2))
def test_moved_voxels_are_those_of_the_cpu(run: Runner, turned: Turned, dtype: torch.dtype, channels: int) -> None:
    window = turned.window
    source, labels = image([channels, *window.source_shape], dtype), image([2, *window.source_shape], torch.uint8)
    picture, label = Guarded.of([channels, *window.shape], dtype), Guarded.of([2, *window.shape], torch.uint8)
    run([Sample((Part(source, picture.out, fill=3), Part(labels, label.out, linear=False, fill=2)), window)])
    assert torch.equal(picture.out, turned.of(source, 3))
    assert torch.equal(label.out, turned.of(labels, 2))
    picture.check()
    label.check()


@pytest.mark.parametrize("dtype", [torch.bool, torch.int32, torch.int64, torch.float64, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("matrix", [None, ROTATION], ids=["moved", "nearest"])
def test_labels_of_every_size_are_picked_unchanged(run: Runner, dtype: torch.dtype, matrix: np.ndarray | None) -> None:
    window = Window.whole([18, 20, 35]).rot90(1, (0, 2)).pad([1, 0, 2], [0, 2, 0])
    source = image([1, 18, 20, 35], dtype)
    results = [torch.empty(1, *window.shape, dtype=dtype) for _ in range(2)]
    cpu.run_sample([Part(source, results[0], linear=False, fill=1)], window, matrix)
    run([Sample((Part(source, results[1], linear=False, fill=1),), window, matrix)])
    _, ties = sampled(torch.zeros(1, *window.shape), ROTATION, window.shape, linear=False, border=False)
    assert torch.equal(results[0][..., ~ties], results[1][..., ~ties])


def test_a_batch_mixes_maps_shapes_and_windows_in_one_launch(run: Runner) -> None:
    whole = Window.whole([22, 26, 30])
    windows = [whole.flip([2]), whole.rot90(1, (0, 2)), whole.rot90(3, (1, 2)), whole.crop([3, 4, 5], [9, 10, 11]), whole, whole]
    maps = [None, None, None, None, ROTATION, SCALING]
    pairs = []
    for window, matrix in zip(windows, maps, strict=True):
        source, labels = image([1, 22, 26, 30], seed=len(pairs)), image([1, 22, 26, 30], torch.uint8)
        outs = [torch.empty(1, *window.shape, dtype=dtype) for dtype in (torch.float32, torch.uint8) for _ in range(2)]
        steps = (Linear(1.5, -0.25), CounterNoise(7 + len(pairs), 0.0, 0.1), Clip(-0.2, 1.2))
        there = Part(source, outs[0], steps=steps), Part(labels, outs[2], linear=False)
        here = Part(source, outs[1], steps=steps), Part(labels, outs[3], linear=False)
        cpu.run_sample(here, window, matrix)
        pairs.append((Sample(there, window, matrix), outs))
    samples = [sample for sample, _ in pairs]
    assert len(gpu.plan_batch(samples, torch.device("cpu")).launches) == 1
    run(samples)
    for sample, (image_gpu, image_cpu, label_gpu, label_cpu) in pairs:
        assert float((image_gpu - image_cpu).abs().max()) < 1e-5
        _, ties = sampled(
            torch.zeros_like(image_cpu),
            ROTATION if sample.matrix is None else sample.matrix,
            label_cpu.shape[1:],
            linear=False,
            border=False,
        )
        wrong = label_gpu != label_cpu
        assert not bool((wrong & ~ties).any() if sample.matrix is not None else wrong.any())


def test_each_kind_of_map_is_found() -> None:
    whole, image = Window.whole([40, 40, 40]), torch.empty(1, 40, 40, 40)

    def kind(window: Window, matrix: np.ndarray | None) -> tuple[int, int]:
        found = map_of(Sample((), window, matrix), (40, 40, 40))
        return found.mode, found.cover(found.window.gather(image.stride()[1:]).strides)[0]

    assert kind(whole.flip([0, 2]), None) == (MOVE, LINES)
    assert kind(whole.rot90(1, (0, 2)), None) == kind(whole.rot90(1, (1, 2)), None) == (MOVE, TILES)
    assert kind(whole, SCALING) == (SEPARABLE, LINES)
    assert kind(whole, ROTATION) == (GENERAL, BRICKS)
    assert kind(whole, np.array([[1.0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])) == (GENERAL, BRICKS)


def by_torch(x: torch.Tensor, field: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    x = x + noise
    low, span = x.min(), x.max() - x.min()
    x = ((x - low) / float(span + 1e-7)) ** 0.7 * span + low
    x = (x * 1.1 - 0.05).clamp(-0.2, 0.9) + field
    low, span = x.min(), x.max() - x.min()
    return ((x - low) / float(span + 1e-7)) ** 1.6 * span + low


@pytest.mark.parametrize("matrix", [None, ROTATION], ids=["moved", "sampled"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_steps_follow_in_order_and_extremes_are_of_all_channels(run: Runner, matrix: np.ndarray | None, dtype: torch.dtype) -> None:
    window = Window.whole([21, 22, 23]).rot90(1, (0, 2))
    source, field = image([2, 21, 22, 23]), image([2, *window.shape], seed=3)
    source[1] += 2
    noise, plain = torch.zeros(2, *window.shape), torch.empty(2, *window.shape)
    cpu.counter_normal(5, 0.1, 0.2, noise)
    cpu.run_sample([Part(source, plain)], window, matrix)
    steps = (CounterNoise(5, 0.1, 0.2), Gamma(0.7), Linear(1.1, -0.05), Clip(-0.2, 0.9), Field(field), Gamma(1.6))
    guarded = Guarded.of([2, *window.shape], dtype)
    first_gamma = torch.empty(1, *window.shape)
    samples = [
        Sample((Part(source, guarded.out, steps=steps),), window, matrix),
        Sample((Part(source[:1], first_gamma, steps=(Gamma(2.0),)),), window, matrix),
    ]
    assert len(gpu.plan_batch(samples, torch.device("cpu")).launches) == (3 if dtype == torch.float32 else 5)
    run(samples)
    expected = by_torch(plain, field, noise)
    assert float((guarded.out.float() - expected).abs().max()) < (1e-5 if dtype == torch.float32 else 2e-3)
    alone = cpu.apply_steps(plain[:1].contiguous(), [Gamma(2.0)])
    assert float((first_gamma - alone).abs().max()) < 1e-5
    guarded.check()


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_contrast_of_what_has_no_range_is_nan(run: Runner, value: float) -> None:
    source, out = image([1, 5, 6, 7]), torch.empty(1, 5, 6, 7)
    source[0, 2, 3, 4] = value
    run([Sample((Part(source, out, steps=(Gamma(0.8),)),), Window.whole([5, 6, 7]))])
    assert bool(out.isnan().all())


@pytest.mark.parametrize(
    ("source_dtype", "dtype", "error"),
    [
        (torch.float16, torch.float16, 1e-3),
        (torch.bfloat16, torch.bfloat16, 8e-3),
        (torch.float32, torch.bfloat16, 8e-3),
        (torch.int16, torch.float32, 1e-5),
        (torch.int16, torch.int16, 0.5001),
        (torch.uint8, torch.float16, 8e-3),
    ],
    ids=str,
)
def test_images_of_sixteen_bits_are_computed_in_float32(
    run: Runner, source_dtype: torch.dtype, dtype: torch.dtype, error: float
) -> None:
    source, window = image([1, 20, 24, 28], source_dtype), Window.whole([20, 24, 28])
    out, exact = torch.empty(1, 20, 24, 28, dtype=dtype), torch.empty(1, 20, 24, 28)
    cpu.run_sample([Part(source.float(), exact)], window, ROTATION)
    run([Sample((Part(source, out),), window, ROTATION)])
    assert float((out.float() - exact).abs().max()) < error


def test_nan_spreads_to_the_voxels_that_read_it_and_no_further(run: Runner) -> None:
    source, out = image([1, 20, 20, 40]), torch.empty(1, 19, 19, 39)
    source[0, 10, 10, 20] = torch.nan
    run([Sample((Part(source, out),), Window.whole([20, 20, 40]), np.concatenate([np.eye(3), [[0.5], [0.5], [0.5]]], 1))])
    assert out.isnan().sum() == 8
    assert bool(out[0, 9:11, 9:11, 19:21].isnan().all())


def test_strided_and_read_only_sources_and_batches_as_outputs(run: Runner) -> None:
    source = image([30, 1, 24, 20]).permute(1, 3, 2, 0)[:, ::2]
    frozen = np.asarray(image([1, 10, 24, 30], seed=4).numpy())
    window, batch = Window.whole([10, 24, 30]).flip([0]), torch.zeros(3, 2, 10, 24, 30)[:, 1:]
    run([Sample((Part(source, batch[0]),), window), Sample((Part(torch.from_numpy(frozen), batch[2]),), window)])
    assert torch.equal(batch[0], source.flip(1))
    assert torch.equal(batch[2], torch.from_numpy(frozen).flip(1))
    assert not bool(batch[1].any())


def test_nothing_to_do(run: Runner) -> None:
    run([])
    run([Sample((), Window.whole([3, 3]))])
    window = Window.whole([4, 5, 6]).crop([0, 0, 0], [0, 5, 6])
    run([Sample((Part(image([1, 4, 5, 6]), torch.empty(1, 0, 5, 6)),), window)])


def test_what_does_not_fit_is_refused_before_anything_is_written() -> None:
    source, window, identity = image([1, 8, 8, 8]), Window.whole([8, 8, 8]), np.eye(4)[:3]
    good = torch.full((1, 8, 8, 8), 7.0)
    first = Part(source, good)
    far = identity.copy()
    far[1, 3] = 1e9
    wrong: list[tuple[Part, np.ndarray | None]] = [
        (Part(source.double(), torch.empty(1, 8, 8, 8)), identity),
        (Part(source, torch.empty(1, 8, 8, 8, dtype=torch.float64)), identity),
        (Part(source, torch.empty(1, 8, 8)), identity),
        (Part(source, torch.empty(2, 8, 8, 8)), identity),
        (Part(source, torch.empty(1, 7, 8, 8)), None),
        (Part(image([1, 8, 8]), good), identity),
        (Part(source, torch.empty(1, 8, 8, 8), steps=(Field(torch.zeros(3)),)), identity),
        (Part(source, good, steps=(Field(good),)), None),
        (Part(source, torch.empty(1, 8, 8, 8), linear=False, steps=(Linear(2.0),)), identity),
        (Part(source, torch.empty(1, 8, 8, 8, dtype=torch.int32), linear=False), None),
        (Part(source, torch.empty(1, 8, 8, 16)[..., ::2]), None),
        (Part(source, torch.empty(1, 8, 8, 8, device="meta")), None),
        (Part(source.clone().requires_grad_(), good), None),
        (Part(good, good), None),
        (first, np.eye(4)),
        (first, identity * np.nan),
        (first, far),
    ]
    for part, matrix in wrong:
        with pytest.raises(ValueError, match=r"cannot|output|field|matrix"):
            gpu.run_batch([Sample((first, part), window, matrix)], launch_on_host)
    with pytest.raises(ValueError, match="nothing to sample"):
        gpu.run_batch([Sample((first,), window.crop([0, 0, 0], [0, 8, 8]), identity)], launch_on_host)
    assert bool((good == 7).all())
    assert not gpu.can_run(source.double(), image=True)
    assert gpu.can_run(source.double(), image=False)


def test_tensors_of_the_cpu_are_refused_without_a_launcher() -> None:
    sample = Sample((Part(image([1, 4, 4, 4]), torch.empty(1, 4, 4, 4)),), Window.whole([4, 4, 4]))
    with pytest.raises((RuntimeError, ValueError), match="CuPy|CUDA"):
        gpu.run_batch([sample])
