"""Batches never share memory with a batch that somebody still holds."""

from __future__ import annotations

import torch

from automl_run.kernels.fusion.buffers import Buffers

SHAPE = (2, 1, 64, 64, 64)


def test_memory_comes_back_when_the_last_view_is_gone() -> None:
    buffers = Buffers()
    first = buffers.take(SHAPE, torch.float32)
    place = first.data_ptr()
    view = first[1, 0].numpy()
    del first
    second = buffers.take(SHAPE, torch.float32)
    assert second.data_ptr() != place
    del view
    third = buffers.take(SHAPE, torch.float32)
    assert third.data_ptr() == place
    assert buffers.take(SHAPE, torch.float32).data_ptr() not in (second.data_ptr(), place)


def test_what_is_kept_is_bounded() -> None:
    buffers = Buffers(kept=2, kept_bytes=1 << 30)
    held = [buffers.take(SHAPE, torch.int16).fill_(i) for i in range(5)]
    assert [int(batch.float().mean()) for batch in held] == list(range(5))
    assert len(buffers._arrays) == 2
    small = Buffers(kept_bytes=1)
    small.take(SHAPE, torch.float32)
    assert not small._arrays
