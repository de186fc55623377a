"""Carrying out what is pending on virtual images: one pass over the images of a sample that share their geometry."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .. import cpu
from ..cpu.arrays import CONVERTED
from . import device
from .points import Scale, apply_plainly, kernel_steps
from .track import Track

_SMALL = 1 << 14  # voxels; below, torch's own arithmetic is as fast as calling a kernel


def settle(
    tracks: Sequence[Track],
    outs: Sequence[torch.Tensor | None] | None = None,
    threads: int | None = None,
    moves: cpu.Moves | None = None,
) -> list[torch.Tensor]:
    """The images, with their metadata; those with an entry in `outs` (contiguous, the result's shape and dtype) in there.

    What is only moved is entered in `moves`, if given, for the caller to run.
    """
    copies = cpu.Moves() if moves is None else moves
    outs = [None] * len(tracks) if outs is None else outs
    results: list[torch.Tensor | None] = [None] * len(tracks)
    together: dict[tuple[int, torch.device], list[int]] = {}
    for i, (track, out) in enumerate(zip(tracks, outs, strict=True)):
        view = as_view(track) if out is None else None
        if view is not None:
            results[i] = view
        elif track.solid is not None and out is not None:
            results[i] = out.copy_(track.source)
        else:
            together.setdefault((id(track.geometry), track.source.device), []).append(i)
    for members in together.values():
        written = write([tracks[i] for i in members], [outs[i] for i in members], threads, copies)
        for i, values in zip(members, written, strict=True):
            results[i] = values
    if moves is None:
        copies.run(threads)
    return [track.finish(values) for track, values in zip(tracks, results, strict=True) if values is not None]


def as_view(track: Track) -> torch.Tensor | None:
    """The result without a kernel: a part of the source as it is, or a small image."""
    if track.solid is not None:
        return track.source
    geometry = track.geometry
    window, view = geometry.window, track.source
    if geometry.warp is not None or window.padded or _turned(window):
        return None
    if track.points:
        small = view.numel() <= _SMALL and window.shape == window.source_shape
        small = small and view.dtype is torch.float32 and not device.on_device(view)
        return apply_plainly(view, track.points) if small else None
    if window.shape != window.source_shape:
        view = view[(slice(None), *(slice(axis.start, axis.start + axis.size) for axis in window.axes))]
    return view.to(track.dtype)


def is_moved(track: Track) -> bool:
    """Whether a copy is all there is to do, by our kernels."""
    points, geometry = track.points, track.geometry if track.solid is None else None
    if geometry is None or geometry.warp is not None or track.dtype is not track.source.dtype:
        return False
    if geometry.window.padded and not _turned(geometry.window):
        return False
    return not points or (len(points) == 1 and isinstance(points[0], Scale))


def write(
    tracks: Sequence[Track], outs: Sequence[torch.Tensor | None], threads: int | None, moves: cpu.Moves
) -> list[torch.Tensor]:
    """Images of one geometry, on one device, in one pass; those that are only moved when `moves` runs."""
    if device.on_device(tracks[0].source):
        return device.write_on_device([(tracks, outs)])[0]
    geometry = tracks[0].geometry
    matrix = None if geometry.warp is None else geometry.warp.matrix
    parts, written, later = [], [], []
    for track, out in zip(tracks, outs, strict=True):
        source = track.source
        to_float = matrix is not None and (track.linear or (source.dtype in CONVERTED and track.dtype is torch.float32))
        sampled = torch.float32 if to_float else source.dtype
        target = out if out is not None else torch.empty((source.shape[0], *geometry.shape), dtype=track.dtype)
        draft = target if sampled == track.dtype else torch.empty(target.shape, dtype=sampled)
        if draft is target and (track.linear or matrix is None):
            steps = kernel_steps(track.points, None if matrix is None else target)
        else:
            # Another dtype than the source's, or the nearest voxels, which are moved as they are: the steps come after.
            steps = ()
            later.append((track, draft, target))
        parts.append(cpu.Part(source, draft, track.linear, track.border, track.fill, steps))
        written.append(target)
    if matrix is None and geometry.window.padded and not _turned(geometry.window):
        for part in parts:
            _pad(part, geometry.window, threads)
    else:
        cpu.run_sample(parts, geometry.window, matrix, threads=threads, moves=None if later else moves)
    for track, draft, target in later:
        if draft is not target:
            target.copy_(draft)
        if track.points:
            cpu.apply_steps(target, kernel_steps(track.points, None), out=target, threads=threads)
    return written


def _turned(window: cpu.Window) -> bool:
    return any(axis.source != i or axis.direction < 0 for i, axis in enumerate(window.axes))


def _pad(part: cpu.Part, window: cpu.Window, threads: int | None) -> None:
    """Padding and cropping alone, which torch's copy does faster than the kernel for turned windows."""
    inside = [axis.inside for axis in window.axes]
    to = (slice(None), *(slice(low, high) for low, high in inside))
    source = (slice(None), *(slice(a.start + low, a.start + high) for a, (low, high) in zip(window.axes, inside, strict=True)))
    part.out.fill_(part.fill)
    part.out[to].copy_(part.source[source])
    if part.steps:
        cpu.apply_steps(part.out, part.steps, out=part.out, threads=threads)
