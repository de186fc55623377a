"""The parameter table of a batch as the kernel reads it; see `source/rows.cuh`, whose structures these are."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

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

#: As `Row` lies in memory: addresses of image, its output, words, their output; matrix; distances of channels of these four;
#: strides of image and words; shapes of output and window; box; channels of image and words; cover, mode, border, along;
#: first step, steps; extremes before and after; blocks; fill; fill of the words. Nothing is padded.
ROW = Struct("<4Q12q4q6i3i3i6i2i4i2i2iifQ")
#: Code, seed, two numbers, address of a field.
STEP = Struct("<iIffQ")
#: Minimum and maximum as ordered words, and whether some voxel is NaN.
EXTREMES = Struct("<III")
NO_EXTREMES = EXTREMES.pack(0xFFFFFFFF, 0, 0)


class Variant(NamedTuple):
    """The types that the kernel is compiled for."""

    image_in: str
    image_out: str
    word: str

    @property
    def options(self) -> tuple[str, ...]:
        """For the compiler."""
        types = f"-DIMAGE_IN={self.image_in}", f"-DIMAGE_OUT={self.image_out}", f"-DWORD={self.word}"
        return (*types, f"-DROW_BYTES={ROW.size}", f"-DSTEP_BYTES={STEP.size}")


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
