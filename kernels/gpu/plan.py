"""A batch as a table and the launches that work through it: one, and one more for each contrast step of the longest chain.

A contrast needs the minimum and maximum of all voxels before it changes one, so it begins a new pass over what was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ..cpu.arrays import word_of
from ..cpu.intensity import Clip, CounterNoise, Gamma, Linear, Step
from ..cpu.intensity import Field as FieldStep
from ..cpu.noise import fold_seed
from ..cpu.part import Part
from ..cpu.window import Gather, Window
from . import table
from .geometry import Map, map_of
from .sample import Sample, check_sample, is_image
from .table import IMAGES, NO_EXTREMES, ROW, STEP, WORDS, Bytes, Variant


@dataclass(frozen=True, slots=True)
class Launch:
    """Rows first..first + rows - 1 of the table, each with at most `blocks` blocks."""

    variant: Variant
    first: int
    rows: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Plan:
    """`table`: the rows, then the steps and the extremes at these byte offsets. `kept`: what must live until all is done."""

    table: Bytes
    steps_at: int
    extremes_at: int
    launches: tuple[Launch, ...]
    kept: tuple[torch.Tensor, ...]


@dataclass(slots=True)
class _Table:
    rows: list[tuple[int, Variant, np.void]] = field(default_factory=list)
    steps: list[tuple[int, int, float, float, int]] = field(default_factory=list)
    extremes: int = 0
    kept: list[torch.Tensor] = field(default_factory=list)


def plan_batch(samples: Sequence[Sample], device: torch.device) -> Plan:
    """Raises ValueError, for any sample, before anything is planned."""
    for sample in samples:
        check_sample(sample, device)
    made = _Table()
    for sample in samples:
        for image, label in _couples(sample):
            _add(made, image, label, sample)
    made.rows.sort(key=lambda row: row[:2])
    rows = np.array([row for _, _, row in made.rows], ROW)
    steps = np.array(made.steps, STEP)
    extremes = np.tile(NO_EXTREMES, made.extremes)
    whole = np.concatenate([part.reshape(-1).view(np.uint8) for part in (rows, steps, extremes)])
    return Plan(whole, rows.nbytes, rows.nbytes + steps.nbytes, _launches(made.rows), tuple(made.kept))


def _couples(sample: Sample) -> list[tuple[Part | None, Part | None]]:
    """Images with labels of the same output size and border: the coordinates are found once. Empty outputs are left out."""
    parts = [part for part in sample.parts if part.out.numel()]
    sampled = sample.matrix is not None
    labels = [part for part in parts if not is_image(part, sampled)]
    couples: list[tuple[Part | None, Part | None]] = []
    for image in (part for part in parts if is_image(part, sampled)):
        partner = next((b for b in labels if b.out.shape[1:] == image.out.shape[1:] and b.border == image.border), None)
        if partner is not None:
            labels.remove(partner)
        couples.append((image, partner))
    return couples + [(None, label) for label in labels]


def _launches(rows: Sequence[tuple[int, Variant, np.void]]) -> tuple[Launch, ...]:
    launches: list[Launch] = []
    for i, (number, variant, row) in enumerate(rows):
        blocks = int(row["blocks"])
        if i and rows[i - 1][:2] == (number, variant):
            last = launches[-1]
            launches[-1] = Launch(variant, last.first, last.rows + 1, max(last.blocks, blocks))
        else:
            launches.append(Launch(variant, i, 1, blocks))
    return tuple(launches)


def _add(made: _Table, image: Part | None, label: Part | None, sample: Sample) -> None:
    """The row of the first pass, and those of the image's further passes."""
    some = image or label
    assert some is not None
    place = map_of(sample, tuple(some.out.shape[1:]))
    row = np.zeros((), ROW)
    passes = _passes(image.steps if image is not None else ())
    draft = None
    if image is not None:
        draft = image.out
        if len(passes) > 1 and draft.dtype != torch.float32:  # rounded once, at the end
            draft = torch.empty(draft.shape, dtype=torch.float32, device=draft.device)
            made.kept.append(draft)
        _set_image(row, image.source, draft, place.window, image.fill)
        _set_steps(made, row, passes[0], -1, len(passes) > 1)
        made.kept += [image.source, image.out]
    if label is not None:
        _set_word(row, label, place.window)
        made.kept += [label.source, label.out]
    _set_map(row, place, some.border)
    made.rows.append((0, _variant(image, draft, label), row[()]))
    if image is None or draft is None:
        return
    whole = Window.whole(tuple(draft.shape[1:]))
    for number, steps in enumerate(passes[1:], 1):
        last = number + 1 == len(passes)
        out = image.out if last else draft
        row = np.zeros((), ROW)
        _set_image(row, draft, out, whole, 0.0)
        _set_steps(made, row, steps, made.extremes - 1, not last)
        _set_map(row, Map.moving(whole), False)
        made.rows.append((number, Variant(IMAGES[draft.dtype], IMAGES[out.dtype], WORDS[1]), row[()]))


def _variant(image: Part | None, draft: torch.Tensor | None, label: Part | None) -> Variant:
    if image is None or draft is None:
        first, second = IMAGES[torch.float32], IMAGES[torch.float32]
    else:
        first, second = IMAGES[image.source.dtype], IMAGES[draft.dtype]
    return Variant(first, second, WORDS[1 if label is None else label.source.element_size()])


def _passes(steps: Sequence[Step]) -> list[list[Step]]:
    passes: list[list[Step]] = [[]]
    for step in steps:
        if isinstance(step, Gamma):
            passes.append([])
        passes[-1].append(step)
    return passes


def _set_steps(made: _Table, row: np.ndarray, steps: Sequence[Step], extremes: int, wants: bool) -> None:
    row["first_step"], row["steps"] = len(made.steps), len(steps)
    row["extremes_in"], row["extremes_out"] = extremes, made.extremes if wants else -1
    made.extremes += wants
    for step in steps:
        match step:
            case Linear(scale, shift):
                coded = (table.LINEAR, 0, scale, shift, 0)
            case Clip(low, high):
                coded = (table.CLIP, 0, low, high, 0)
            case Gamma(gamma):
                coded = (table.GAMMA, 0, gamma, 0.0, 0)
            case FieldStep(values):
                made.kept.append(values)
                coded = (table.FIELD, 0, 0.0, 0.0, values.data_ptr())
            case CounterNoise(seed, mean, std):
                coded = (table.NOISE, int(fold_seed(seed)), mean, std, 0)
        made.steps.append(coded)


def _set_image(row: np.ndarray, source: torch.Tensor, out: torch.Tensor, window: Window, fill: float) -> None:
    gather = window.gather(source.stride()[1:])
    row["image"], row["image_out"] = _first(source, gather), out.data_ptr()
    row["image_channel"], row["image_out_channel"] = source.stride(0), out.stride(0)
    row["image_stride"], row["channels"], row["fill"] = gather.strides, source.shape[0], fill


def _set_word(row: np.ndarray, label: Part, window: Window) -> None:
    source, out = label.source, label.out
    gather = window.gather(source.stride()[1:])
    row["word"], row["word_out"] = _first(source, gather), out.data_ptr()
    row["word_channel"], row["word_out_channel"] = source.stride(0), out.stride(0)
    row["word_stride"], row["word_channels"] = gather.strides, source.shape[0]
    row["word_fill"] = word_of(label.fill, source.dtype) & ((1 << 8 * source.element_size()) - 1)


def _first(source: torch.Tensor, gather: Gather) -> int:
    """Modulo 2**64: a window may begin before its source."""
    return (source.data_ptr() + gather.first * source.element_size()) % (1 << 64)


def _set_map(row: np.ndarray, place: Map, border: bool) -> None:
    gather = place.window.gather([0] * len(place.window.axes))
    row["matrix"], row["mode"], row["border"] = place.matrix, place.mode, border
    row["shape"], row["size"], row["box"] = place.shape, gather.shape, gather.box
    strides = row["image_stride"] if row["channels"] else row["word_stride"]
    row["cover"], row["along"] = place.cover(strides)
    row["blocks"] = table.blocks_of(place.shape, int(row["cover"]), int(row["along"]))
