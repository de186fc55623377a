"""An image, a label or both under one affine map, brick by brick: stage the box of the source, sample it, take the steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from ..threads import run_in_slabs, thread_count
from .affine_rows import KEEP, NOISE, ZEROS, affine_rows
from .arrays import WORDS, Array, Floats, flat_channels, value_of, word_of
from .axis_permutation import Box, copy_planes
from .bricks import Brick, Matrix, Triple, cut_bricks
from .intensity import NO_FIELD, CounterNoise, Field, Gamma, Pass, Step, encode_pass, merge_extremes, run_passes, split_passes
from .noise import fold_seed
from .part import Part, is_out
from .scratch import Scratch
from .staging import BORDER, Layout, layout_of, stage_pairs, stage_words
from .window import Gather, Window

#: Voxels of the source that are staged at a time.
BRICK_VOXELS = 1 << 21
_SMALLEST_PART = 1 << 15  # output voxels of a brick that is worth a thread
_LARGEST_BOX = 1 << 29  # voxels: offsets into pairs are 32 bits

Start = tuple[int, np.uint32, np.float32, np.float32]

_NO_NOISE = np.uint32(0), np.float32(0), np.float32(0)
_NO_LABEL = cast(Array, np.zeros(0, np.uint8))


@dataclass(slots=True)
class _Channels:
    """A part as the kernels take it: a flat source and output per channel, and where the channel's output begins."""

    sources: list[Array]
    words: list[Array]
    outs: list[Array]
    origins: list[int]
    gather: Gather
    fill: np.float32
    fill_word: int

    @classmethod
    def of(cls, part: Part, window: Window) -> _Channels:
        source, out = part.source, part.out
        gather = window.gather(source.stride()[1:])
        turned = not part.linear or abs(gather.strides[2]) != 1
        word = WORDS[source.element_size()]
        if part.steps:  # one flat array, so that counter noise and fields are found by the voxel's own index
            flat, voxels = out.view(-1).numpy(), math.prod(out.shape[1:])
            outs, origins = [flat] * source.shape[0], [voxels * c for c in range(source.shape[0])]
        else:
            as_it_is = part.linear or out.dtype != source.dtype
            outs, origins = flat_channels(out, None if as_it_is else word), [0] * source.shape[0]
        return cls(
            flat_channels(source) if part.linear else [],
            flat_channels(source, word) if turned else [],
            outs,
            origins,
            gather,
            value_of(part.fill, source.dtype),
            word_of(part.fill, source.dtype),
        )

    def box(self, brick: Brick) -> tuple[int, Box]:
        """The source offset of the brick's first voxel, and what of the brick lies in the source."""
        (oz, oy, ox), (nz, ny, nx), (sz, sy, sx) = brick.origin, brick.sizes, self.gather.strides
        z0, z1, y0, y1, x0, x1 = self.gather.box
        return self.gather.first + oz * sz + oy * sy + ox * sx, (
            *(min(max(z0 - oz, 0), nz), min(max(z1 - oz, 0), nz)),
            *(min(max(y0 - oy, 0), ny), min(max(y1 - oy, 0), ny)),
            *(min(max(x0 - ox, 0), nx), min(max(x1 - ox, 0), nx)),
        )

    def stage_image(self, c: int, brick: Brick, layout: Layout, pairs: Floats, dense: npt.NDArray[np.uint8]) -> None:
        first, box = self.box(brick)
        strides, sizes = self.gather.strides, brick.sizes
        if not self.words:
            stage_pairs(self.sources[c], first, strides, sizes, box, pairs, layout.line, layout.plane, self.fill)
            return
        # Rows of the window run across those of the source: turn the box first.
        words = self.words[c]
        turned = dense[: math.prod(sizes) * words.itemsize].view(words.dtype)
        copy_planes(words, first, strides, sizes, box, turned, 0, sizes[0], self.fill_word, False)
        whole = (0, sizes[0], 0, sizes[1], 0, sizes[2])
        values = turned.view(self.sources[c].dtype)
        stage_pairs(values, 0, (sizes[1] * sizes[2], sizes[2], 1), sizes, whole, pairs, layout.line, layout.plane, self.fill)

    def stage_label(self, c: int, brick: Brick, layout: Layout, words: Array) -> None:
        first, box = self.box(brick)
        stage_words(self.words[c], first, self.gather.strides, brick.sizes, box, words, layout.line, layout.plane, self.fill_word)


def sample_parts(
    image: Part | None, label: Part | None, window: Window, matrix: Matrix, scratch: Scratch, threads: int | None
) -> None:
    """Checked parts of one output size and border mode; `matrix` (3, 4).

    Raises ValueError if one row of the output reads more of the source than can be staged.
    """
    some = image or label
    if some is None or not some.out.numel():
        return
    shape = _triple(some.out.shape[1:])
    count = thread_count() if threads is None else threads
    wanted = min(count, max(1, math.prod(shape) // _SMALLEST_PART))
    bricks = cut_bricks(matrix, shape, _triple(window.shape), BRICK_VOXELS, wanted)
    if max(brick.voxels for brick in bricks) > _LARGEST_BOX:
        raise ValueError("a row of the output reads more of the source than can be staged")
    passes = split_passes(image.steps if image is not None else ())
    start, first = _start(image, passes[0])
    wants = len(passes) > 1 and isinstance(passes[1][0], Gamma)
    coded = encode_pass(first, (0.0, 0.0), wants)
    images = None if image is None else _Channels.of(image, window)
    labels = None if label is None else _Channels.of(label, window)
    channels = max(len(part.outs) for part in (images, labels) if part is not None)

    def work(begin: int, end: int) -> tuple[float, float]:
        return merge_extremes(
            [
                _sample_brick(brick, c, images, labels, some.border, matrix, shape, start, coded, scratch)
                for brick in bricks[begin:end]
                for c in range(channels)
            ]
        )

    found = run_in_slabs(work, len(bricks), 1, threads)
    if image is not None and len(passes) > 1:
        flat = image.out.view(-1).numpy()
        run_passes(flat, flat, passes[1:], merge_extremes(found) if wants else None, threads)


def _sample_brick(
    brick: Brick,
    c: int,
    images: _Channels | None,
    labels: _Channels | None,
    border: bool,
    matrix: Matrix,
    shape: Triple,
    start: Start,
    coded: Pass,
    scratch: Scratch,
) -> tuple[float, float]:
    """Channel `c` of whichever part has it."""
    images = images if images is not None and c < len(images.outs) else None
    labels = labels if labels is not None and c < len(labels.outs) else None
    layout = layout_of(brick.sizes)
    local = matrix.copy()
    local[:, 3] += BORDER - np.array(brick.origin)
    pair_bytes = 8 * layout.total if images is not None else 0
    dense_bytes = 4 * math.prod(brick.sizes) if images is not None and images.words else 0
    begin = (pair_bytes + dense_bytes + 63) // 64 * 64
    word_bytes = layout.total * labels.words[c].itemsize if labels is not None else 0
    with scratch.borrow(begin + word_bytes) as memory:
        pairs, out, out_origin = NO_FIELD, NO_FIELD, 0
        words, label_out, label_origin = _NO_LABEL, _NO_LABEL, 0
        if images is not None:
            pairs, out, out_origin = memory[:pair_bytes].view(np.float32), cast(Floats, images.outs[c]), images.origins[c]
            images.stage_image(c, brick, layout, pairs, memory[pair_bytes : pair_bytes + dense_bytes])
        if labels is not None:
            words = memory[begin : begin + word_bytes].view(labels.words[c].dtype)
            label_out, label_origin = labels.outs[c], labels.origins[c]
            labels.stage_label(c, brick, layout, words)
        places = out, out_origin, label_out, label_origin, shape, (*brick.z, *brick.y)
        return affine_rows(pairs, words, layout.line, layout.plane, local, brick.sizes, border, *places, start, *coded)


def _triple(shape: Sequence[int]) -> Triple:
    return (1, shape[0], shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])


def _start(image: Part | None, steps: list[Step]) -> tuple[Start, list[Step]]:
    """What the image's voxels hold before samples are added to them, and the steps that are left."""
    match steps[:1]:
        case [Field() as field] if image is not None and is_out(field, image.out):
            return (KEEP, *_NO_NOISE), steps[1:]
        case [CounterNoise(seed, mean, std)]:
            return (NOISE, fold_seed(seed), np.float32(mean), np.float32(std)), steps[1:]
        case _:
            return (ZEROS, *_NO_NOISE), steps
