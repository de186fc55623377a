"""One sample in one pass: every array of it through the same window and affine map, noise and intensities on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .backend import choose_backend
from .bricks import Matrix
from .intensity import Linear, run_passes, split_passes
from .moves import Moves
from .part import Part, check_part
from .sampling import sample_parts
from .scratch import Scratch
from .window import Window

_LARGEST_ENTRY = 1e7  # of a matrix, in voxels; beyond it float64 no longer resolves a voxel's thousandth times its size

_scratch = Scratch()


def run_sample(
    parts: Sequence[Part],
    window: Window,
    matrix: npt.NDArray[np.float64] | None = None,
    *,
    threads: int | None = None,
    moves: Moves | None = None,
) -> None:
    """Write every part's `out`.

    Without `matrix` that is the window of the source, bit for bit, then the steps. With it (r, r + 1), which maps an output
    voxel's index to a place in the window, it is the window sampled there: linearly within 1e-5 of the range (a voxel beside an
    infinite one may be NaN), or the nearest voxel, exactly but for ties. `threads=1` stays on the calling thread. What is
    only copied is entered in `moves`, if given, for the caller to run.

    Raises ValueError, before anything is written, for a tensor that `can_run` refuses, a shape that does not fit, a matrix
    that is not finite, or an empty window to sample from.
    """
    affine = None if matrix is None else _checked_matrix(matrix, window)
    for part in parts:
        check_part(part, window, affine is not None)
    choose_backend()
    if affine is None:
        together = Moves() if moves is None else moves
        for part in parts:
            _copy(part, window, threads, together)
        if moves is None:
            together.run(threads)
        return
    for image, label in _couples(parts):
        sample_parts(image, label, window, affine, _scratch, threads)


def _checked_matrix(matrix: npt.NDArray[np.float64], window: Window) -> Matrix:
    """(3, 4), for 2-D windows with an outer axis that stays."""
    rank = len(window.axes)
    given = np.array(matrix, np.float64)
    if given.shape != (rank, rank + 1) or not np.abs(given).max() <= _LARGEST_ENTRY:
        raise ValueError(f"expected a finite ({rank}, {rank + 1}) matrix of voxel indices, not {given}")
    if not all(window.shape):
        raise ValueError(f"nothing to sample from in the shape {window.shape}")
    if rank == 3:
        return given
    raised = np.zeros((3, 4))
    raised[0, 0] = 1
    raised[1:, 1:] = given
    return raised


def _copy(part: Part, window: Window, threads: int | None, together: Moves) -> None:
    """No sampling: the window, then the steps. A first linear step is done with the copy where nothing is padded."""
    if not part.out.numel():
        return
    first, rest = Linear(), list(part.steps)
    if rest and isinstance(rest[0], Linear) and not window.padded:
        first, rest = rest[0], rest[1:]
    moves = Moves() if rest else together
    moves.add(part.source, window.gather(part.source.stride()[1:]), part.out, part.fill, first.scale, first.shift)
    if rest:
        moves.run(threads)
        flat = part.out.view(-1).numpy()
        run_passes(flat, flat, split_passes(rest), None, threads)


def _couples(parts: Sequence[Part]) -> list[tuple[Part | None, Part | None]]:
    """Images with labels of the same output size and border, to be sampled together: the coordinates are found once."""
    labels = [part for part in parts if not part.linear]
    couples: list[tuple[Part | None, Part | None]] = []
    for image in (part for part in parts if part.linear):
        partner = next((b for b in labels if b.out.shape[1:] == image.out.shape[1:] and b.border == image.border), None)
        if partner is not None:
            labels.remove(partner)
        couples.append((image, partner))
    return couples + [(None, label) for label in labels]
