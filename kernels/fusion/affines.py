"""MONAI's dictionary transforms that interpolate by an affine matrix, on virtual images."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import monai.transforms as mt
import numpy as np
import torch
from monai.transforms.spatial import functional as spatial
from monai.transforms.utils import create_grid
from monai.utils import TraceKeys, ensure_tuple, ensure_tuple_rep, fall_back_tuple

from ..matrices import affine_float32, between_centres, grid_float32, rotate_float64
from ..tracking import Matrix
from .call import Call, Item
from .operations import Info, idle, info_of, interpolate, record, wrapped
from .track import Record, Track


def rand_affined(t: Any, item: Item, call: Call) -> Item:
    """MONAI draws the parameters, draws them again and uses these, then draws once more, unused, for every key."""
    first = t.first_key(item)
    if first == ():
        return item
    t.randomize(None)
    inner, grid = t.rand_affine, t.rand_affine.rand_affine_grid
    _draw_unused(inner, grid)
    shape = call.track(item, first).spatial_shape
    size = fall_back_tuple(inner.spatial_size, shape)
    resampled = bool(t._do_transform or size != ensure_tuple(shape))
    used = np.eye(len(size) + 1, dtype=np.float32)
    if t._do_transform:
        grid.randomize()
        used = affine_float32(len(size), grid.rotate_params, grid.shear_params, grid.translate_params, grid.scale_params)
        grid.affine = torch.from_numpy(used)
    for key, mode, padding_mode in t.key_iterator(item, t.mode, t.padding_mode):
        track = call.track(item, key)
        if resampled:
            _draw_unused(inner, grid)
            # Without a transform the metadata gets the affine of the time before: so does MONAI's.
            said = grid.affine.numpy()
            own = fall_back_tuple(inner.spatial_size, track.spatial_shape)  # what MONAI says of a key of another shape
            info = info_of(inner)
            made = _affine(call, track, used, said, size, own, mode, padding_mode, inner.resampler, info)
        else:
            made = {}
            _to_float32(call, track)
        t._do_transform = resampled
        info = info_of(t)
        track.push(wrapped(info, made) if resampled else idle(info, track))
    return item


def _draw_unused(inner: Any, grid: Any) -> None:
    """As `RandAffine.randomize`, whose parameters nobody reads: each of them is one number of the generator."""
    inner.R.rand()
    inner._do_transform = True
    ranges = (*grid.rotate_range, *grid.shear_range, *grid.translate_range, *grid.scale_range)
    grid.R.random_sample(sum(f is not None for f in ranges))


def affined(t: Any, item: Item, call: Call) -> Item:
    affine = t.affine
    grid = affine.affine_grid
    for key, mode, padding_mode in t.key_iterator(item, t.mode, t.padding_mode):
        track = call.track(item, key)
        size = fall_back_tuple(affine.spatial_size, track.spatial_shape)
        matrix = grid_float32(grid, len(size))
        said = matrix
        info = info_of(affine)
        track.push(_affine(call, track, matrix, said, size, size, mode, padding_mode, affine.resampler, info))
    return item


def _affine(
    call: Call,
    track: Track,
    used: Any,
    said: Any,
    size: Sequence[int],
    said_size: Sequence[int],
    mode: Any,
    padding_mode: Any,
    resampler: Any,
    info: Info,
) -> Record:
    """`used` and `said` between the centres of the images of these sizes: for the values, and for the metadata."""
    shape = track.spatial_shape
    kept = torch.from_numpy(np.array(said))

    def made(before: Sequence[int]) -> Record:
        extra = {
            "affine": kept,
            "mode": mode,
            "padding_mode": padding_mode,
            "do_resampling": True,
            "align_corners": resampler.align_corners,
        }
        return record(info, before, extra)

    def by_monai(img: torch.Tensor) -> torch.Tensor:
        grid = create_grid(size, device=resampler.device, backend="torch", dtype=torch.float32)
        grid = (torch.from_numpy(used).to(grid) @ grid.view(len(grid), -1)).view(grid.shape)
        arguments = (img, kept, grid, resampler, said_size, mode, padding_mode, True, True)
        return spatial.affine_func(*arguments, lazy=False, transform_info=info)  # type: ignore[no-any-return]

    sampled, recorded = call.once(
        ("affine", shape, tuple(size), tuple(said_size)), lambda: _voxel_matrices(used, said, shape, size, said_size)
    )
    memo: tuple[Hashable, ...] = ("affine", id(sampled))
    return interpolate(
        call,
        track,
        sampled,
        recorded,
        size,
        mode=mode,
        padding_mode=padding_mode,
        memo=memo,
        made=made,
        by_monai=by_monai,
    )


def _voxel_matrices(
    used: Any, said: Any, shape: Sequence[int], size: Sequence[int], said_size: Sequence[int]
) -> tuple[Matrix, Matrix]:
    rank = len(shape)
    if len(size) != rank:
        return np.full((rank + 1, rank + 1), np.nan), np.eye(rank + 1)
    return between_centres(used, shape, size), between_centres(_ranked(np.asarray(said, np.float64), rank), shape, said_size)


def _ranked(matrix: Any, rank: int) -> Any:
    """`matrix` as MONAI's `to_affine_nd` brings it to a rank."""
    if len(matrix) == rank + 1:
        return matrix
    out = np.eye(rank + 1)
    n = min(len(matrix) - 1, rank)
    out[:n, :n], out[:n, -1] = matrix[:n, :n], matrix[:n, -1]
    return out


def _to_float32(call: Call, track: Track) -> None:
    """What MONAI does to an image that its transform decided not to touch."""
    if track.solid is None and (track.dtype is torch.float32 or not track.points):
        track.dtype = torch.float32
        return
    call.write(track)
    image = track.finish(track.source)
    track.reset(image.to(torch.float32))


def rand_rotated(t: Any, item: Item, call: Call) -> Item:
    t.randomize(None)
    inner = t.rand_rotate
    inner.randomize()
    for key, mode, padding_mode, align_corners, dtype in t.key_iterator(item, t.mode, t.padding_mode, t.align_corners, t.dtype):
        track = call.track(item, key)
        if t._do_transform:
            angle = inner.x if len(track.spatial_shape) == 2 else (inner.x, inner.y, inner.z)
            rotator = mt.Rotate(
                angle=angle,
                keep_size=inner.keep_size,
                mode=mode or inner.mode,
                padding_mode=padding_mode or inner.padding_mode,
                align_corners=inner.align_corners if align_corners is None else align_corners,
                dtype=dtype or inner.dtype or track.dtype,
            )
            made = wrapped(info_of(inner), _rotate(call, track, rotator))
        else:
            _to_float32(call, track)
        info = info_of(t)
        track.push(wrapped(info, made) if t._do_transform else idle(info, track))
    return item


def rotated(t: Any, item: Item, call: Call) -> Item:
    for key, mode, padding_mode, align_corners, dtype in t.key_iterator(item, t.mode, t.padding_mode, t.align_corners, t.dtype):
        track, inner = call.track(item, key), t.rotator
        track.push(
            _rotate(
                call,
                track,
                inner,
                mode=mode or inner.mode,
                padding_mode=padding_mode or inner.padding_mode,
                align_corners=inner.align_corners if align_corners is None else align_corners,
                dtype=dtype or inner.dtype or track.dtype,
            )
        )
    return item


def _rotate(call: Call, track: Track, rotator: Any, **options: Any) -> Record:
    info = info_of(rotator)
    chosen = {name: options.get(name, getattr(rotator, name)) for name in ("mode", "padding_mode", "align_corners", "dtype")}
    shape = track.spatial_shape
    rank = len(shape)
    turn = rotate_float64(rank, ensure_tuple_rep(rotator.angle, 1 if rank == 2 else 3), rotator.rotate_order)
    if rotator.keep_size:
        size = tuple(shape)
    else:
        corners = np.asarray(np.meshgrid(*[(0, n) for n in shape], indexing="ij")).reshape(rank, -1)
        size = tuple(int(n) for n in np.asarray(np.ptp(turn[:-1, :-1] @ corners, axis=1) + 0.5, dtype=int))
    matrix = between_centres(turn, shape, size)
    dtype = mt.utils.get_equivalent_dtype(chosen["dtype"], torch.Tensor)

    def made(before: Sequence[int]) -> Record:
        align = chosen["align_corners"]
        extra = {
            "rot_mat": matrix.copy(),
            "mode": chosen["mode"],
            "padding_mode": chosen["padding_mode"],
            "align_corners": align if align is not None else TraceKeys.NONE,
            "dtype": str(dtype)[6:],
        }
        return record(info, before, extra)

    def by_monai(img: torch.Tensor) -> torch.Tensor:
        plain = mt.Rotate(rotator.angle, rotator.keep_size, rotate_order=rotator.rotate_order)
        arguments = (img, plain.angle, shape if plain.keep_size else None, chosen["mode"], chosen["padding_mode"])
        return spatial.rotate(  # type: ignore[no-any-return]
            *arguments, chosen["align_corners"], dtype, lazy=False, transform_info=info, rotate_order=plain.rotate_order
        )

    return interpolate(
        call,
        track,
        matrix,
        matrix,
        size,
        mode=chosen["mode"],
        padding_mode=chosen["padding_mode"],
        memo=("rotate", matrix.tobytes()),
        made=made,
        by_monai=by_monai,
    )
