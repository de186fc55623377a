"""A batch as a table and the launches that work through it: one, and one more for each contrast step of the longest chain.

A contrast needs the minimum and maximum of all voxels before it changes one, so it begins a new pass over what was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from ..cpu.arrays import word_of
from ..cpu.intensity import Clip, CounterNoise, Gamma, Linear, Step
from ..cpu.intensity import Field as FieldStep
from ..cpu.noise import fold_seed
from ..cpu.part import Part
from ..cpu.window import Window
from . import table
from .geometry import Map, map_of
from .sample import Sample, check_sample, is_image
from .table import IMAGES, NO_EXTREMES, ROW, STEP, WORDS, Variant


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

    table: bytes
    steps_at: int
    extremes_at: int
    launches: tuple[Launch, ...]
    kept: tuple[torch.Tensor, ...]


class _Side(NamedTuple):
    """An image or words of one row. `first`: the address of the window's first voxel, modulo 2**64: it may lie outside."""

    first: int = 0
    out: int = 0
    channel: int = 0
    out_channel: int = 0
    strides: tuple[int, int, int] = (0, 0, 0)
    channels: int = 0


_NOTHING = _Side()
_NO_STEPS = (0, 0, -1, -1)


@dataclass(slots=True)
class _Table:
    """Rows with the number of their pass and the types they need."""

    rows: list[tuple[int, Variant, int, bytes]] = field(default_factory=list)
    steps: list[bytes] = field(default_factory=list)
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
    rows, steps = b"".join(row for _, _, _, row in made.rows), b"".join(made.steps)
    whole = rows + steps + NO_EXTREMES * made.extremes
    return Plan(whole, len(rows), len(rows) + len(steps), _launches(made.rows), tuple(made.kept))


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


def _launches(rows: Sequence[tuple[int, Variant, int, bytes]]) -> tuple[Launch, ...]:
    launches: list[Launch] = []
    for i, (number, variant, blocks, _) in enumerate(rows):
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
    words, word_fill, word = _NOTHING, 0, WORDS[1]
    if label is not None:
        words, word = _side(made, label.source, label.out, place.window), WORDS[label.source.element_size()]
        word_fill = word_of(label.fill, label.source.dtype) % (1 << 8 * label.source.element_size())
    if image is None:
        single = IMAGES[torch.float32]
        _add_row(made, 0, Variant(single, single, word), place, some.border, _NOTHING, 0.0, words, word_fill, _NO_STEPS)
        return
    passes = split_passes(image.steps)
    draft = image.out
    if len(passes) > 1 and draft.dtype != torch.float32:  # rounded once, at the end
        draft = torch.empty(draft.shape, dtype=torch.float32, device=draft.device)
    steps = _coded(made, passes[0], -1, len(passes) > 1)
    variant = Variant(IMAGES[image.source.dtype], IMAGES[draft.dtype], word)
    seen = _side(made, image.source, draft, place.window)
    _add_row(made, 0, variant, place, some.border, seen, image.fill, words, word_fill, steps)
    for number, part in enumerate(passes[1:], 1):
        last = number + 1 == len(passes)
        out = image.out if last else draft
        moving = Map.moving(Window.whole(tuple(draft.shape[1:])))
        steps = _coded(made, part, made.extremes - 1, not last)
        variant = Variant(IMAGES[draft.dtype], IMAGES[out.dtype], WORDS[1])
        _add_row(made, number, variant, moving, False, _side(made, draft, out, moving.window), 0.0, _NOTHING, 0, steps)


def _side(made: _Table, source: torch.Tensor, out: torch.Tensor, window: Window) -> _Side:
    made.kept += [source, out]
    channel, *strides = source.stride()
    gather = window.gather(strides)
    first = (source.data_ptr() + gather.first * source.element_size()) % (1 << 64)
    return _Side(first, out.data_ptr(), channel, out.stride(0), gather.strides, source.shape[0])


def _add_row(
    made: _Table,
    number: int,
    variant: Variant,
    place: Map,
    border: bool,
    image: _Side,
    fill: float,
    words: _Side,
    word_fill: int,
    steps: tuple[int, int, int, int],
) -> None:
    gather = place.window.gather([0] * len(place.window.axes))
    cover, along = place.cover((image if image.channels else words).strides)
    blocks = table.blocks_of(place.shape, cover, along)
    row = ROW.pack(
        *(image.first, image.out, words.first, words.out, *place.matrix),
        *(image.channel, words.channel, image.out_channel, words.out_channel, *image.strides, *words.strides),
        *(*place.shape, *gather.shape, *gather.box, image.channels, words.channels),
        *(cover, place.mode, border, along, *steps, blocks, fill, word_fill),
    )
    made.rows.append((number, variant, blocks, row))


def split_passes(steps: Sequence[Step]) -> list[list[Step]]:
    """Cut before each contrast."""
    passes: list[list[Step]] = [[]]
    for step in steps:
        if isinstance(step, Gamma):
            passes.append([])
        passes[-1].append(step)
    return passes


def _coded(made: _Table, steps: Sequence[Step], extremes: int, wants: bool) -> tuple[int, int, int, int]:
    """First step, number of steps, extremes before and after."""
    coded = len(made.steps), len(steps), extremes, made.extremes if wants else -1
    made.extremes += wants
    for step in steps:
        match step:
            case Linear(scale, shift):
                made.steps.append(STEP.pack(table.LINEAR, 0, scale, shift, 0))
            case Clip(low, high):
                made.steps.append(STEP.pack(table.CLIP, 0, low, high, 0))
            case Gamma(gamma):
                made.steps.append(STEP.pack(table.GAMMA, 0, gamma, 0, 0))
            case FieldStep(values):
                made.kept.append(values)
                made.steps.append(STEP.pack(table.FIELD, 0, 0, 0, values.data_ptr()))
            case CounterNoise(seed, mean, std):
                made.steps.append(STEP.pack(table.NOISE, int(fold_seed(seed)), mean, std, 0))
    return coded
