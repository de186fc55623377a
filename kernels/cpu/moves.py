"""Copies of many images as a table that one call of compiled code works through.

An image that goes through the caches takes the interpreter's code and data out of them: what Python does between two copies then
takes as long as a copy. So everything is prepared first, and nothing is done in between; and threads divide all planes among
themselves, not those of one image after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from numba import carray, types
from numba.extending import intrinsic

from ..compilation import exact_kernel, inlined
from ..threads import run_in_slabs
from .arrays import WORDS, Array, Floats, fits, overlap, word_of
from .axis_permutation import LARGEST_SIDE, LINE, PAST_THE_CACHES, can_permute, copy_planes, linear_planes
from .backend import choose_backend
from .window import Gather, Window

SMALLEST_SLAB = 1 << 19  # voxels; a core that sleeps wakes in the time that half of them take
_ENDLESS = 1 << 40  # elements; how far an image reaches is known to its gather
#: An array of each kind of words, and of float32 as a number, of which only the type matters.
_KINDS = {size: np.empty(0, np.dtype(str(dtype)[6:])) for size, dtype in WORDS.items()}
_FLOATS = np.empty(0, np.float32)

Table = npt.NDArray[np.int64]


class Moves:
    """Images to be moved together, by `run`."""

    def __init__(self) -> None:
        self._tables: dict[int, list[tuple[int, ...]]] = {}  # by size of the words; 0: float32, scaled and shifted
        self._numbers: list[tuple[float, float, float]] = []
        self._tensors: list[torch.Tensor] = []  # whose memory has to stay
        self._voxels = 0

    def add(
        self, source: torch.Tensor, gather: Gather, out: torch.Tensor, fill: float = 0.0, scale: float = 1.0, shift: float = 0.0
    ) -> None:
        """Each channel of `source` (C, ...), as `gather` has it, to that of `out` (C, ...), which is contiguous and not empty.

        The same dtype for both; padding is `fill`; anything but float32 is neither scaled nor shifted. Nothing is checked.
        """
        size = source.element_size()
        linear = scale != 1.0 or shift != 0.0
        start, to, channels = source.data_ptr(), out.data_ptr(), out.shape[0]
        step, to_step = source.stride(0) * size, out.stride(0) * size
        self._voxels += out.numel()
        self._tensors += source, out
        past = out.numel() * size >= PAST_THE_CACHES and (to | to_step) % LINE == 0
        # No thread begins inside a tile.
        block = LARGEST_SIDE if abs(gather.strides[0]) == 1 else 1
        padding = 0 if linear or fill == 0.0 else word_of(fill, source.dtype)
        rows = self._tables.setdefault(0 if linear else size, [])
        about = (gather.first, *gather.strides, *gather.shape, *gather.box, padding, int(past))
        for c in range(channels):
            rows.append((block, start + c * step, to + c * to_step, *about))
            if linear:
                self._numbers.append((fill, scale, shift))

    def run(self, threads: int | None = None) -> None:
        """Moves all of them, on at most `threads`."""
        if not self._tables:
            return
        choose_backend()
        works: list[tuple[int, int, Callable[[int, int], None]]] = []
        planes = 0
        for size, rows in self._tables.items():
            table = np.array(rows, np.int64)
            first, planes = planes, planes + int(table[:, _DEPTH].sum())
            works.append((first, planes, _work(size, table, self._numbers)))

        def slab(start: int, stop: int) -> None:
            for first, last, work in works:
                if start < last and first < stop:
                    work(max(start, first) - first, min(stop, last) - first)

        run_in_slabs(slab, planes, -(-SMALLEST_SLAB * planes // self._voxels), threads)


def permute(
    source: torch.Tensor,
    window: Window,
    out: torch.Tensor | None = None,
    *,
    fill: float = 0.0,
    scale: float = 1.0,
    shift: float = 0.0,
    threads: int | None = None,
) -> torch.Tensor:
    """`window` of each channel of `source` (C, *window.source_shape), in `out` (C, *window.shape) or a new tensor.

    Padding is `fill`, also where scale and shift, which only float32 takes, change the rest. Raises ValueError where
    `can_permute` is false, or a shape or dtype does not fit.
    """
    if not can_permute(source) or tuple(source.shape[1:]) != window.source_shape:
        raise ValueError(f"cannot copy {source.dtype} of shape {tuple(source.shape)} with a window on {window.source_shape}")
    if (scale != 1.0 or shift != 0.0) and source.dtype != torch.float32:
        raise ValueError(f"only float32 can be scaled and shifted, not {source.dtype}")
    shape = (source.shape[0], *window.shape)
    if out is None:
        out = torch.empty(shape, dtype=source.dtype)
    elif (reason := fits(out, shape, source.dtype)) is not None:
        raise ValueError(f"the output {reason}")
    elif overlap(source, out):
        raise ValueError("the output lies in the source's memory")
    if out.numel():
        moves = Moves()
        moves.add(source, window.gather(source.stride()[1:]), out, fill, scale, shift)
        moves.run(threads)
    return out


def moved(source: torch.Tensor, gather: Gather, shape: tuple[int, ...]) -> torch.Tensor:
    """As `permute` to a new tensor (C, *shape), of a source that `can_permute` takes and a gather that was made for its strides."""
    out = torch.empty((source.shape[0], *shape), dtype=source.dtype)
    if out.numel():
        moves = Moves()
        moves.add(source, gather, out)
        moves.run()
    return out


def _work(size: int, table: Table, numbers: list[tuple[float, float, float]]) -> Callable[[int, int], None]:
    if size:
        return lambda start, stop: move_words(_KINDS[size], table, start, stop)
    scales = np.array(numbers, np.float32)
    return lambda start, stop: move_numbers(_FLOATS, table, scales, start, stop)


#: The columns of a table: block, source, out, first, strides, shape, box, padding, past.
_DEPTH = 7


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def _pointer(context: Any, address: Any, kind: Any) -> Any:
    """The address of elements like those of the array `kind`."""
    pointer = types.CPointer(kind.dtype)

    def generate(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.inttoptr(values[0], target.get_value_type(pointer))

    return pointer(types.int64, kind), generate


@inlined
def planes_within(block: int, depth: int, start: int, stop: int) -> tuple[int, int]:
    """Which of `depth` planes lie in start..stop: both ends go up to a whole block, so that neighbouring ranges meet."""
    low = (max(start, 0) + block - 1) // block * block
    return low, min((max(stop, 0) + block - 1) // block * block, depth)


@exact_kernel
def move_words(kind: Array, table: Table, start: int, stop: int) -> None:
    """Planes start..stop, counted over all images of the table, of words like `kind`."""
    begin = 0
    for e in range(table.shape[0]):
        t = table[e]
        depth = t[7]
        low, high = planes_within(t[0], depth, start - begin, stop - begin)
        begin += depth
        if low >= high:
            continue
        source, out = carray(_pointer(t[1], kind), (_ENDLESS,)), carray(_pointer(t[2], kind), (_ENDLESS,))
        strides, shape, box = (t[4], t[5], t[6]), (depth, t[8], t[9]), (t[10], t[11], t[12], t[13], t[14], t[15])
        copy_planes(source, t[3], strides, shape, box, out, low, high, t[16], t[17] != 0)


@exact_kernel
def move_numbers(kind: Floats, table: Table, numbers: Floats, start: int, stop: int) -> None:
    """As `move_words`, of float32; `numbers` (n, 3): fill, scale, shift."""
    begin = 0
    for e in range(table.shape[0]):
        t = table[e]
        depth = t[7]
        low, high = planes_within(t[0], depth, start - begin, stop - begin)
        begin += depth
        if low >= high:
            continue
        source, out = carray(_pointer(t[1], kind), (_ENDLESS,)), carray(_pointer(t[2], kind), (_ENDLESS,))
        strides, shape, box = (t[4], t[5], t[6]), (depth, t[8], t[9]), (t[10], t[11], t[12], t[13], t[14], t[15])
        linear_planes(source, t[3], strides, shape, box, out, low, high, numbers[e, 0], numbers[e, 1], numbers[e, 2], t[17] != 0)
