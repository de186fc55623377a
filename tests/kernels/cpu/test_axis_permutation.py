"""Copies through a window, bit for bit, and nothing beyond them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from voxel_reference import Guarded, Turned, image, turned_windows

from automl_run.kernels.cpu import Window, can_permute, moves, permute

DTYPES = [
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
]


@given(turned_windows(), st.sampled_from(DTYPES), st.integers(1, 2), st.sampled_from([None, 1]))
def test_a_window_is_what_torch_makes_of_the_operations(
    turned: Turned, dtype: torch.dtype, channels: int, threads: int | None
) -> None:
    source = image([channels, *turned.window.source_shape], dtype)
    guarded = Guarded.of([channels, *turned.window.shape], dtype)
    result = permute(source, turned.window, guarded.out, fill=1, threads=threads)
    assert result is guarded.out
    assert torch.equal(result, turned.of(source, 1))
    guarded.check()


@given(turned_windows(), st.floats(-3, 3, width=32), st.floats(-3, 3, width=32))
def test_scale_and_shift_round_as_torch_does(turned: Turned, scale: float, shift: float) -> None:
    source = image([1, *turned.window.source_shape])
    guarded = Guarded.of([1, *turned.window.shape], torch.float32)
    permute(source, turned.window, guarded.out, fill=5, scale=scale, shift=shift)
    seen = turned.of(torch.ones_like(source), 0) == 1
    assert torch.equal(guarded.out, torch.where(seen, turned.of(source, 0) * scale + shift, torch.tensor(5.0)))
    guarded.check()


@given(turned_windows(steps=2), st.permutations([1, 2, 3]), st.integers(1, 2), st.booleans())
def test_sources_of_any_strides(turned: Turned, order: list[int], step: int, expand: bool) -> None:
    shape = turned.window.source_shape
    order = [a for a in order if a <= len(shape)]
    laid = [0] * len(shape)
    for place, axis in enumerate(order):
        laid[place] = shape[axis - 1] * step
    memory = image([2, *laid])
    source = memory.permute(0, *[order.index(a) + 1 for a in range(1, len(shape) + 1)])[
        (slice(None), *[slice(None, None, step)] * len(shape))
    ]
    source = source[:, :1].expand(-1, shape[0], *[-1] * (len(shape) - 1)) if expand else source
    assert source.shape[1:] == shape
    assert torch.equal(permute(source, turned.window), turned.of(source, 0))


def test_nan_payloads_and_signed_zeros_survive() -> None:
    bits = torch.tensor([0x7FC00001, -0x3FFFFF, -0x80000000, 0x7F800000] * 5, dtype=torch.int32)
    source = bits.view(torch.float32).view(1, 1, 1, 20)
    turned = permute(source, Window.whole([1, 1, 20]).flip([2]))
    assert torch.equal(turned.view(torch.int32).view(-1), bits.flip(0))


def test_a_slice_of_a_batch_is_written_in_place() -> None:
    batch = torch.full((3, 2, 4, 5, 6), 7.0)
    source = image([2, 8, 9, 10])
    window = Window.whole([8, 9, 10]).crop([1, 2, 3], [4, 5, 6])
    permute(source, window, batch[1])
    assert torch.equal(batch[1], source[:, 1:5, 2:7, 3:9])
    assert bool((batch[0] == 7).all())
    assert bool((batch[2] == 7).all())


def test_large_copies_on_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "SMALLEST_SLAB", 1 << 16)
    source = image([1, 70, 90, 110])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        window = Window.whole([70, 90, 110]).flip([0, 2]).rot90(1, (0, 1))
        assert torch.equal(permute(source, window), torch.rot90(source.flip([1, 3]), 1, (1, 2)))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("shape", [(16, 17, 40), (40, 16, 15), (33, 70, 64), (70, 90, 110)])
@pytest.mark.parametrize("axes", [(0, 1), (0, 2), (1, 2)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.float32, torch.float64])
def test_quarter_turns_by_tiles(
    shape: tuple[int, int, int], axes: tuple[int, int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes that tiles fit into exactly, not at all, and with a rest, for every size of a word; on several threads, and cropped."""
    monkeypatch.setattr(moves, "SMALLEST_SLAB", 1 << 12)
    source = image([2, *shape], dtype)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        for k in (1, 3):
            window = Window.whole(shape).rot90(k, axes)
            expected = torch.rot90(source, k, [axis + 1 for axis in axes])
            assert torch.equal(permute(source, window), expected)
            inner = window.crop([1, 2, 3], [size - 4 for size in window.shape])
            assert torch.equal(permute(source, inner), expected[:, 1:-3, 2:-2, 3:-1])
            if dtype is torch.float32:
                assert torch.equal(permute(source, window, scale=2.0, shift=1.0), expected * 2 + 1)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.float32, torch.float64])
@pytest.mark.parametrize("width", [15, 16, 64, 65, 128])
def test_what_is_written_past_the_caches(dtype: torch.dtype, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of whole lines and others, turned, flipped, cropped and padded; outputs and channels that begin inside a line."""
    monkeypatch.setattr(moves, "PAST_THE_CACHES", 0)
    shape = (18, 32, width)
    source = image([2, *shape], dtype)
    whole = Window.whole(shape)
    turns = [whole.rot90(k, axes) for k in (1, 3) for axes in ((0, 1), (0, 2), (1, 2))]
    padded = [whole.pad([1, 0, before], [0, 2, 16]) for before in (0, 16, 64)]
    cropped = [whole.crop([1, 2, first], [16, 16, width - first]) for first in (0, min(16, width - 1))]
    for window in (whole, whole.flip([2]), whole.flip([0, 1, 2]), *turns, *padded, *cropped):
        expected = permute(source, window)
        monkeypatch.setattr(moves, "PAST_THE_CACHES", 1 << 40)
        assert torch.equal(permute(source, window), expected)
        monkeypatch.setattr(moves, "PAST_THE_CACHES", 0)
        for start in (0, 1, 64):
            size = expected[0].numel()
            memory = torch.full((2, 256 + size), 7).to(dtype)
            out = memory[:, start : start + size].view(2, *window.shape)
            assert torch.equal(permute(source, window, out), expected)
            assert bool((memory[:, :start] == 7).all())
            assert bool((memory[:, start + size :] == 7).all())
        if dtype is torch.float32:
            scaled = permute(source, window, scale=2.0, shift=1.0)
            seen = permute(torch.ones_like(source), window)
            assert torch.equal(scaled, torch.where(seen == 1, expected * 2 + 1, expected))


def test_empty_outputs() -> None:
    source = image([1, 4, 5])
    assert permute(source, Window.whole([4, 5]).crop([0, 0], [0, 5])).shape == (1, 0, 5)
    assert permute(source[:0], Window.whole([4, 5])).shape == (0, 4, 5)
    assert torch.equal(permute(image([1, 0, 5]), Window.whole([0, 5]).pad([1, 0], [1, 0]), fill=3), torch.full((1, 2, 5), 3.0))


def test_what_does_not_fit_is_refused_before_anything_is_written() -> None:
    source, window, out = image([1, 4, 5]), Window.whole([4, 5]), torch.full((1, 4, 5), 7.0)
    for arguments in (
        (source.to(torch.complex64), window, None),
        (source, Window.whole([4, 6]), None),
        (source, window, out.double()),
        (source, window, torch.zeros(1, 5, 4).transpose(1, 2)),
        (source, window, torch.zeros(1, 4, 4)),
        (source, window, source),
        (image([2, 4, 5]), window, torch.zeros(1, 4, 5).expand(2, -1, -1)),
        (source.requires_grad_(), window, None),
    ):
        with pytest.raises(ValueError, match=r"cannot|output"):
            permute(*arguments)
    with pytest.raises(ValueError, match="only float32"):
        permute(image([1, 4, 5], torch.int16), window, scale=2.0)
    assert bool((out == 7).all())
    assert not can_permute(torch.zeros(4, 5))
    assert not can_permute(torch.zeros(1, 4, 5).to_sparse())
