"""Crops, padding, flips, quarter turns and transpositions of an image as one description: every axis of the output runs
along one axis of the source, forwards or backwards, and reads padding where it leaves what is left of the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Axis(NamedTuple):
    """Output index i reads index start + direction * i of the source's axis `source`, if that is in low..high - 1."""

    source: int
    start: int
    direction: int
    size: int
    low: int
    high: int

    @property
    def inside(self) -> tuple[int, int]:
        """The half-open range of output indices that read the source."""
        if self.direction > 0:
            first, last = self.low - self.start, self.high - self.start
        else:
            first, last = self.start - self.high + 1, self.start - self.low + 1
        first = min(max(first, 0), self.size)
        return first, min(max(last, first), self.size)


class Gather(NamedTuple):
    """A window as kernels take it, always with three axes (z, y, x): flat element offsets into one channel of the source.

    out[z, y, x] = source[first + z * stride_z + y * stride_y + x * stride_x] inside `box` (z0, z1, y0, y1, x0, x1), else padding.
    """

    first: int
    strides: tuple[int, int, int]
    shape: tuple[int, int, int]
    box: tuple[int, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Window:
    """What part of an image of spatial shape `source_shape` is seen, and how it is turned. Start with `Window.whole`."""

    source_shape: tuple[int, ...]
    axes: tuple[Axis, ...]

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Window:
        """All of an image with 2 or 3 spatial axes. Raises ValueError for other shapes."""
        sizes = tuple(int(n) for n in shape)
        if len(sizes) not in (2, 3) or min(sizes) < 0:
            raise ValueError(f"an image needs 2 or 3 spatial axes, not the shape {sizes}")
        return cls(sizes, tuple(Axis(i, 0, 1, n, 0, n) for i, n in enumerate(sizes)))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple([axis.size for axis in self.axes])

    @property
    def padded(self) -> bool:
        """Whether some voxel lies outside the source."""
        for _, start, direction, size, low, high in self.axes:
            end = start + direction * (size - 1)
            if size and (min(start, end) < low or max(start, end) >= high):
                return True
        return False

    def crop(self, start: Sequence[int], size: Sequence[int]) -> Window:
        """Raises ValueError where the crop leaves the window."""
        self._check(start, size)
        if any(s < 0 or n < 0 or s + n > axis.size for s, n, axis in zip(start, size, self.axes, strict=True)):
            raise ValueError(f"a crop of {tuple(size)} at {tuple(start)} leaves the shape {self.shape}")
        return self._with(
            Axis(axis.source, axis.start + axis.direction * int(s), axis.direction, int(n), axis.low, axis.high)
            for s, n, axis in zip(start, size, self.axes, strict=True)
        )

    def pad(self, before: Sequence[int], after: Sequence[int]) -> Window:
        """Voxels that an earlier crop removed stay removed. Raises ValueError for negative widths."""
        self._check(before, after)
        if any(n < 0 for n in (*before, *after)):
            raise ValueError(f"cannot pad by {tuple(before)} and {tuple(after)}")
        padded = []
        for b, a, axis in zip(before, after, self.axes, strict=True):
            end = axis.start + axis.direction * (axis.size - 1)
            low, high = max(axis.low, min(axis.start, end)), min(axis.high, max(axis.start, end) + 1)
            start = axis.start - axis.direction * int(b)
            padded.append(Axis(axis.source, start, axis.direction, axis.size + int(b) + int(a), low, max(low, high)))
        return self._with(padded)

    def flip(self, axes: Sequence[int]) -> Window:
        turned = list(self.axes)
        for a in axes:
            axis = turned[a]
            end = axis.start + axis.direction * (axis.size - 1)
            turned[a] = Axis(axis.source, end, -axis.direction, axis.size, axis.low, axis.high)
        return self._with(turned)

    def transpose(self, order: Sequence[int]) -> Window:
        """Axis i of the result is axis order[i]. Raises ValueError unless `order` is a permutation."""
        if sorted(order) != list(range(len(self.axes))):
            raise ValueError(f"{tuple(order)} does not order {len(self.axes)} axes")
        return self._with(self.axes[i] for i in order)

    def rot90(self, k: int, axes: tuple[int, int]) -> Window:
        """As `torch.rot90(x, k, axes)` with spatial axes counted from 0."""
        a, b = (axis % len(self.axes) for axis in axes)
        if a == b:
            raise ValueError(f"a rotation needs two axes, not {axes}")
        order = list(range(len(self.axes)))
        order[a], order[b] = order[b], order[a]
        match k % 4:
            case 0:
                return self
            case 1:
                return self.transpose(order).flip([a])
            case 2:
                return self.flip([a, b])
            case _:
                return self.transpose(order).flip([b])

    def affine(self) -> npt.NDArray[np.float64]:
        """(r + 1, r + 1): output voxel index to source voxel index."""
        matrix = np.zeros((len(self.axes) + 1,) * 2)
        matrix[-1, -1] = 1
        for i, axis in enumerate(self.axes):
            matrix[axis.source, i], matrix[axis.source, -1] = axis.direction, axis.start
        return matrix

    def gather(self, strides: Sequence[int]) -> Gather:
        """For a source with these element strides per spatial axis. A 2-D window gets an outer axis of size 1."""
        first, signed, sizes, inside = 0, [], [], []
        for axis in self.axes:
            stride = strides[axis.source]
            first += axis.start * stride
            signed.append(axis.direction * stride)
            sizes.append(axis.size)
            inside.append(axis.inside)
        if len(sizes) == 2:
            signed, sizes, inside = [0, *signed], [1, *sizes], [(0, 1), *inside]
        (z0, z1), (y0, y1), (x0, x1) = inside
        return Gather(first, (signed[0], signed[1], signed[2]), (sizes[0], sizes[1], sizes[2]), (z0, z1, y0, y1, x0, x1))

    def _check(self, *per_axis: Sequence[int]) -> None:
        if any(len(values) != len(self.axes) for values in per_axis):
            raise ValueError(f"expected one number for each of {len(self.axes)} axes")

    def _with(self, axes: Iterable[Axis]) -> Window:
        return Window(self.source_shape, tuple(axes))
