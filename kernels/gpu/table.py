"""The parameter table of a batch as the kernel reads it; see `source/rows.cuh`, whose structures these are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

#: What images are stored as, and their names in the source. All of them are exact in float32, in which everything is computed.
IMAGES = {
    torch.float32: "float",
    torch.float16: "f16",
    torch.bfloat16: "bf16",
    torch.int16: "i16",
    torch.uint8: "u8",
    torch.int8: "i8",
}
#: What is only moved, by its size in bytes.
WORDS = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}

THREADS = 256
VOXELS = 4
TILE = 32
ONE = 1 << 32  # a voxel, in the unit of coordinates

LINES, TILES, BRICKS = range(3)
MOVE, SEPARABLE, GENERAL = range(3)
LINEAR, CLIP, GAMMA, FIELD, NOISE = range(5)

ROW = np.dtype(
    [
        ("image", "u8"),
        ("image_out", "u8"),
        ("word", "u8"),
        ("word_out", "u8"),
        ("matrix", "i8", (3, 4)),
        ("image_channel", "i8"),
        ("word_channel", "i8"),
        ("image_out_channel", "i8"),
        ("word_out_channel", "i8"),
        ("image_stride", "i4", 3),
        ("word_stride", "i4", 3),
        ("shape", "i4", 3),
        ("size", "i4", 3),
        ("box", "i4", 6),
        ("channels", "i4"),
        ("word_channels", "i4"),
        ("cover", "i4"),
        ("mode", "i4"),
        ("border", "i4"),
        ("along", "i4"),
        ("first_step", "i4"),
        ("steps", "i4"),
        ("extremes_in", "i4"),
        ("extremes_out", "i4"),
        ("blocks", "i4"),
        ("fill", "f4"),
        ("word_fill", "u8"),
    ],
    align=True,
)
STEP = np.dtype([("code", "i4"), ("seed", "u4"), ("a", "f4"), ("b", "f4"), ("field", "u8")], align=True)
#: Minimum and maximum as ordered words, and whether some voxel is NaN.
NO_EXTREMES = np.array([0xFFFFFFFF, 0, 0], np.uint32)

Bytes = npt.NDArray[np.uint8]


class Variant(NamedTuple):
    """The types that the kernel is compiled for."""

    image_in: str
    image_out: str
    word: str

    @property
    def options(self) -> tuple[str, ...]:
        """For the compiler."""
        types = f"-DIMAGE_IN={self.image_in}", f"-DIMAGE_OUT={self.image_out}", f"-DWORD={self.word}"
        return (*types, f"-DROW_BYTES={ROW.itemsize}", f"-DSTEP_BYTES={STEP.itemsize}")


def blocks_of(shape: tuple[int, int, int], cover: int, along: int) -> int:
    """How many blocks of threads cover one channel of an output (D, H, W)."""
    depth, height, width = shape
    columns = -(-width // TILE)
    match cover:
        case 0:  # LINES
            return -(-(-(-width // VOXELS) * height * depth) // THREADS)
        case 1:  # TILES
            return columns * -(-shape[along] // TILE) * shape[1 - along]
        case _:
            return columns * -(-height // 8) * -(-depth // 4)
