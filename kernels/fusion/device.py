"""Virtual images that lie on a GPU: what is pending on many of them in one launch."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .. import cpu, gpu
from ..gpu.table import IMAGES
from .points import kernel_steps
from .track import Track

#: Tracks of one geometry, and where each of them goes if that is known.
Group = tuple[Sequence[Track], Sequence[torch.Tensor | None]]


def on_device(x: torch.Tensor) -> bool:
    return x.device.type != "cpu"


def write_on_device(groups: Sequence[Group]) -> list[list[torch.Tensor]]:
    """The images of each group, all of them on one device."""
    written: list[list[torch.Tensor]] = []
    samples: list[gpu.Sample] = []
    later: list[tuple[Track, torch.Tensor, torch.Tensor]] = []
    for tracks, outs in groups:
        geometry = tracks[0].geometry
        matrix = None if geometry.warp is None else geometry.warp.matrix
        parts, targets = [], []
        for track, out in zip(tracks, outs, strict=True):
            source, shape = track.source, (track.source.shape[0], *geometry.shape)
            target = torch.empty(shape, dtype=track.dtype, device=source.device) if out is None else out
            linear = track.linear if matrix is not None else source.dtype.is_floating_point or bool(track.points)
            # torch cuts fractions off where the kernel would round, and nearest voxels are moved as they are.
            widened = track.dtype.is_floating_point and {source.dtype, track.dtype} <= set(IMAGES)
            draft, points = target, track.points
            if not (linear and widened) and (points or track.dtype != source.dtype):
                drawn = torch.float32 if linear and matrix is not None else source.dtype
                draft, points = torch.empty(shape, dtype=drawn, device=source.device), []
                later.append((track, draft, target))
            steps = kernel_steps(points, None, source.device)
            parts.append(cpu.Part(source, draft, linear, track.border, track.fill, steps))
            targets.append(target)
        samples.append(gpu.Sample(tuple(parts), geometry.window, matrix))
        written.append(targets)
    gpu.run_batch(samples)
    for track, draft, target in later:
        target.copy_(draft)
        if track.points:
            part = cpu.Part(target.clone(), target, steps=kernel_steps(track.points, None, target.device))
            gpu.run_batch([gpu.Sample((part,), cpu.Window.whole(target.shape[1:]))])
    return written
