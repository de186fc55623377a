"""What the voxel kernels are held against: the same operations by torch, and outputs that notice a stray write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from hypothesis import strategies as st

from automl_run.kernels.cpu import Window

SIZES = st.sampled_from([1, 2, 3, 7, 8, 9, 15, 16, 17, 33])
_MARGIN = 97  # elements; a whole block of lanes beyond either end


@dataclass(frozen=True)
class Turned:
    """A window, and what torch does to an image (C, ...) instead; `steps` are (name, arguments)."""

    window: Window
    steps: tuple[tuple[str, tuple[tuple[int, ...], ...]], ...]

    def of(self, x: torch.Tensor, fill: float) -> torch.Tensor:
        for name, arguments in self.steps:
            match name:
                case "crop":
                    x = x[(slice(None), *(slice(s, s + n) for s, n in zip(*arguments, strict=True)))]
                case "pad":
                    widths = [n for pair in reversed(list(zip(*arguments, strict=True))) for n in pair]
                    x = F.pad(x, widths, value=fill)
                case "flip":
                    x = x.flip([a + 1 for a in arguments[0]])
                case "rot90":
                    x = torch.rot90(x, arguments[0][0], [a + 1 for a in arguments[1]])
                case _:
                    x = x.permute(0, *(a + 1 for a in arguments[0]))
        return x


@st.composite
def turned_windows(draw: st.DrawFn, sizes: st.SearchStrategy[int] = SIZES, steps: int = 4) -> Turned:
    rank = draw(st.sampled_from([2, 3]))
    window = Window.whole([draw(sizes) for _ in range(rank)])
    axes = list(range(rank))
    done: list[tuple[str, tuple[tuple[int, ...], ...]]] = []
    for _ in range(draw(st.integers(0, steps))):
        name = draw(st.sampled_from(["crop", "pad", "flip", "rot90", "transpose"]))
        arguments: tuple[tuple[int, ...], ...]
        match name:
            case "crop":
                start = tuple(draw(st.integers(0, n - 1)) for n in window.shape)
                size = tuple(draw(st.integers(1, n - s)) for n, s in zip(window.shape, start, strict=True))
                arguments = (start, size)
                window = window.crop(start, size)
            case "pad":
                before, after = (tuple(draw(st.integers(0, 3)) for _ in axes) for _ in range(2))
                arguments = (before, after)
                window = window.pad(before, after)
            case "flip":
                chosen = tuple(draw(st.lists(st.sampled_from(axes), unique=True)))
                arguments = (chosen,)
                window = window.flip(chosen)
            case "rot90":
                k, (a, b) = draw(st.integers(-1, 4)), draw(st.permutations(axes))[:2]
                arguments = ((k,), (a, b))
                window = window.rot90(k, (a, b))
            case _:
                order = tuple(draw(st.permutations(axes)))
                arguments = (order,)
                window = window.transpose(order)
        done.append((name, arguments))
    return Turned(window, tuple(done))


@st.composite
def matrices(draw: st.DrawFn, rank: int, shape: Sequence[int], size: Sequence[int]) -> npt.NDArray[np.float64]:
    """(rank, rank + 1): any rotation, scales of 1/2 to 2, about the centre or shifted, sometimes far outside."""
    angle = st.floats(-3.2, 3.2)
    linear = np.eye(rank)
    for a in range(rank):
        for b in range(a + 1, rank):
            t = draw(angle)
            turn = np.eye(rank)
            turn[a, a] = turn[b, b] = np.cos(t)
            turn[a, b], turn[b, a] = -np.sin(t), np.sin(t)
            linear = linear @ turn
    linear = linear * np.array([draw(st.floats(0.5, 2)) for _ in range(rank)])
    linear = np.eye(rank) if draw(st.integers(0, 4)) == 0 else linear
    centre = (np.array(shape) - 1) / 2 + draw(st.sampled_from([0.0, 0.0, 0.37, 1.0, 4.0, 1000.0, -1e6]))
    return np.concatenate([linear, (centre - linear @ ((np.array(size) - 1) / 2))[:, None]], 1)


def sampled(
    image: torch.Tensor, matrix: npt.NDArray[np.float64], size: Sequence[int], *, linear: bool, border: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """`image` (C, ...) by grid_sample in float64, and where the nearest voxel is a tie or the edge is within rounding."""
    rank, shape = len(size), np.array(image.shape[1:])
    index = np.stack(np.meshgrid(*[np.arange(n) for n in size], indexing="ij")).reshape(rank, -1)
    place = matrix[:, :rank] @ index + matrix[:, rank:]
    grid = ((2 * place + 1) / shape[:, None] - 1)[::-1].T.reshape(1, *size, rank)
    out = F.grid_sample(
        image.double()[None],
        torch.from_numpy(grid.copy()),
        mode="bilinear" if linear else "nearest",
        padding_mode="border" if border else "zeros",
        align_corners=False,
    )[0]
    ties = (np.abs(place % 1 - 0.5) < 1e-4).any(0).reshape(size)
    return out, torch.from_numpy(ties)


@dataclass
class Guarded:
    """An output inside a larger buffer whose margins must stay as they are."""

    memory: torch.Tensor
    out: torch.Tensor

    @classmethod
    def of(cls, shape: Sequence[int], dtype: torch.dtype) -> Guarded:
        count = int(np.prod(shape))
        memory = torch.full((count + 2 * _MARGIN,), 77).to(dtype)
        return cls(memory, memory[_MARGIN : _MARGIN + count].view(*shape))

    def check(self) -> None:
        ends = torch.cat([self.memory[:_MARGIN], self.memory[-_MARGIN:]])
        assert bool((ends == torch.tensor(77).to(ends.dtype)).all()), "something was written outside the output"


def image(shape: Sequence[int], dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    """Floats in [0, 1), integers in 0..8."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(*shape, generator=generator)
    return values.to(dtype) if dtype.is_floating_point else (values * 9).to(dtype)
