"""Which voxels of a label may be the centre of a crop, counted instead of listed.

MONAI lists the index of every voxel of a class (8 bytes each, tens of milliseconds for a scan) and then picks a few. Here the
voxels are counted block by block in one pass; a pick finds its block in the running totals and scans that block only. What is
picked is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from monai.transforms.utils import map_binary_to_indices

from .compilation import kernel
from .cpu.arrays import Array, is_plain
from .threads import run_in_slabs
from .tracking import plain_voxels

_DTYPES = frozenset({torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.float32})
_BLOCK = 4096  # voxels
_SMALLEST_SLAB = 64  # blocks
_NEITHER = 255  # the code of a voxel that is no candidate

Counts = npt.NDArray[np.int64]
_Marker = Callable[[Array, npt.NDArray[np.uint8], int, int], None]
_Marked = tuple[npt.NDArray[np.uint8], Counts]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The flat spatial indices, in ascending order, of the voxels of one class: MONAI asks for the length and for single items."""

    codes: npt.NDArray[np.uint8]
    code: int
    totals: Counts  # candidates up to and including each block

    def __len__(self) -> int:
        return int(self.totals[-1])

    def __getitem__(self, k: int) -> int:
        if not 0 <= k < len(self):
            raise IndexError(f"candidate {k} of {len(self)}")
        block = int(np.searchsorted(self.totals, k, side="right"))
        before = int(self.totals[block - 1]) if block else 0
        begin = block * _BLOCK
        return begin + int(np.flatnonzero(self.codes[begin : begin + _BLOCK] == self.code)[k - before])


@dataclass(frozen=True, slots=True)
class Everything:
    """All voxels."""

    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, k: int) -> int:
        return k


@lru_cache(maxsize=1)
def _bytes_are_background() -> bool:
    """Whether MONAI takes all voxels of a uint8 label for background: torch's `~` of a byte is only zero for 255."""
    _, background = map_binary_to_indices(torch.ones(1, 1, dtype=torch.uint8))
    return len(background) > 0


def foreground_candidates(
    label: object, image: object, image_threshold: float
) -> tuple[Candidates, Candidates | Everything] | None:
    """The foreground and the background of a label (C, ...), as `monai.transforms.utils.map_binary_to_indices` finds them.

    With an image, only its voxels above the threshold are background. None if MONAI has to look for itself.
    """
    marks = _channels(label)
    if marks is None:
        return None
    if marks.shape[0] > 1:
        marks = marks[1:]  # one-hot: the first channel is the background
    valid = _valid(image, image_threshold, marks.shape[1])
    if image is not None and valid is None:
        return None
    codes, totals = _counted(marks.shape[1], 2, _mark_foreground, marks, valid)
    foreground = Candidates(codes, 0, totals[:, 0])
    if image is None and marks.dtype == np.uint8 and _bytes_are_background():
        return foreground, Everything(codes.size)
    return foreground, Candidates(codes, 1, totals[:, 1])


def class_candidates(label: object, classes: int | None, image: object, image_threshold: float) -> list[object] | None:
    """The voxels of each class of a label, as `monai.transforms.utils.map_classes_to_indices` finds them.

    The label has one channel of class numbers, or one channel per class. With an image, only its voxels above the threshold
    count. None if MONAI has to look for itself.
    """
    marks = _channels(label)
    if marks is None:
        return None
    valid = _valid(image, image_threshold, marks.shape[1])
    if image is not None and valid is None:
        return None
    if marks.shape[0] > 1:
        found: list[object] = []
        for c in range(marks.shape[0]):
            codes, totals = _counted(marks.shape[1], 1, _mark_channel, marks[c : c + 1], valid)
            found.append(Candidates(codes, 0, totals[:, 0]))
        return found
    if classes is None or not 0 < classes < _NEITHER:
        return None
    codes, totals = _counted(marks.shape[1], classes, _mark_classes, marks, valid)
    return [Candidates(codes, c, totals[:, c]) for c in range(classes)]


def can_search(x: torch.Tensor) -> bool:
    """Whether the kernels can look through this label or image."""
    return is_plain(x) and x.dtype in _DTYPES and x.numel() > 0


def _channels(x: object) -> Array | None:
    """The voxels as (C, N)."""
    voxels = plain_voxels(x)
    if voxels is None or voxels.ndim < 2 or not can_search(voxels):
        return None
    return voxels.detach().contiguous().numpy().reshape(voxels.shape[0], -1)


def _valid(image: object, threshold: float, size: int) -> tuple[Array, np.float32] | None:
    if image is None:
        return None
    voxels = _channels(image)
    if voxels is None or voxels.shape[1] != size or voxels.dtype in (np.dtype(np.int32), np.dtype(np.bool_)):
        return None
    return voxels, np.float32(threshold)


def _counted(size: int, classes: int, mark: _Marker, marks: Array, valid: tuple[Array, np.float32] | None) -> _Marked:
    """The class of every voxel, and the running totals (blocks, classes)."""
    codes = np.empty(size, np.uint8)
    blocks = -(-size // _BLOCK)
    counts = np.zeros((blocks, classes), np.int64)
    image, threshold = (marks[:0], np.float32(0)) if valid is None else valid

    def slab(start: int, stop: int) -> None:
        mark(marks, codes, start, stop)
        if valid is not None:
            blank_where_invalid(image, threshold, mark is _mark_foreground, codes, start, stop)
        count_codes(codes, counts, start, stop)

    run_in_slabs(slab, blocks, _SMALLEST_SLAB)
    return codes, np.cumsum(counts, axis=0)


@kernel
def _mark_foreground(marks: Array, codes: npt.NDArray[np.uint8], start: int, stop: int) -> None:
    """Code 0 where any channel is not zero, else 1, in blocks start..stop."""
    begin, end = start * _BLOCK, min(stop * _BLOCK, codes.size)
    to, first = codes[begin:end], marks[0, begin:end]
    for i in range(end - begin):
        to[i] = first[i] == 0
    for c in range(1, marks.shape[0]):
        other = marks[c, begin:end]
        for i in range(end - begin):
            to[i] &= other[i] == 0


@kernel
def _mark_channel(marks: Array, codes: npt.NDArray[np.uint8], start: int, stop: int) -> None:
    """Code 0 where the channel is not zero, else 255."""
    begin, end = start * _BLOCK, min(stop * _BLOCK, codes.size)
    to, first = codes[begin:end], marks[0, begin:end]
    for i in range(end - begin):
        to[i] = np.uint8(_NEITHER) if first[i] == 0 else np.uint8(0)


@kernel
def _mark_classes(marks: Array, codes: npt.NDArray[np.uint8], start: int, stop: int) -> None:
    """The class number where it is one of 0..254, else 255."""
    begin, end = start * _BLOCK, min(stop * _BLOCK, codes.size)
    to, first = codes[begin:end], marks[0, begin:end]
    for i in range(end - begin):
        value = np.float32(first[i])
        whole = np.int32(value) if value >= 0 and value < _NEITHER else np.int32(_NEITHER)
        to[i] = np.uint8(whole) if np.float32(whole) == value else np.uint8(_NEITHER)


@kernel
def blank_where_invalid(
    image: Array, threshold: np.float32, only_background: bool, codes: npt.NDArray[np.uint8], start: int, stop: int
) -> None:
    """Code 255 where no channel of the image is above the threshold; the foreground, code 0, may be spared."""
    begin, end = start * _BLOCK, min(stop * _BLOCK, codes.size)
    to = codes[begin:end]
    above = np.zeros(end - begin, np.uint8)
    for c in range(image.shape[0]):
        line = image[c, begin:end]
        for i in range(end - begin):
            above[i] |= np.float32(line[i]) > threshold
    for i in range(end - begin):
        if above[i] == 0 and not (only_background and to[i] == 0):
            to[i] = np.uint8(_NEITHER)


@kernel
def count_codes(codes: npt.NDArray[np.uint8], counts: Counts, start: int, stop: int) -> None:
    """counts[block, code] for the blocks start..stop."""
    for block in range(start, stop):
        begin, end = block * _BLOCK, min((block + 1) * _BLOCK, codes.size)
        line = codes[begin:end]
        if counts.shape[1] <= 4:
            for code in range(counts.shape[1]):
                n = 0
                for i in range(end - begin):
                    n += line[i] == code
                counts[block, code] = n
        else:
            for i in range(end - begin):
                if line[i] < counts.shape[1]:
                    counts[block, line[i]] += 1
