"""Normal noise: numpy's own draw, vectorised and bit for bit, and a counter-based field that any thread can start anywhere."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch

from ..compilation import exact_kernel, fast_kernel, inlined
from .arrays import Floats, is_plain
from .backend import choose_backend, ops
from .elementary import log2

Words = npt.NDArray[np.uint32]

_F, _U, _I = np.float32, np.uint32, np.int32
_STATE = 624  # words of MT19937
_BLOCKS = 10  # of the state at a time: 25 kB, which the first cache holds
_PAIRS = 512  # Box-Muller pairs in a block of counter noise
BLOCK = 2 * _PAIRS
SMALLEST = 6000  # values; below, numpy is faster than reading and setting its state


def exact_normal(generator: np.random.RandomState, mean: float, std: float, out: torch.Tensor) -> None:
    """out[...] = generator.normal(mean, std, out.shape) in float32, bit for bit; the generator ends in the same state.

    Few values, and those of another bit generator than MT19937, numpy draws itself. Raises ValueError unless `out` is contiguous
    float32 on the CPU and `std` >= 0.
    """
    flat = _flat(out)
    if not std >= 0:
        raise ValueError(f"the standard deviation is {std}; it must not be negative")
    if flat.size < SMALLEST:
        flat[:] = generator.normal(mean, std, flat.size)
        return
    state = generator.get_state(legacy=False)
    if state["bit_generator"] != "MT19937" or not (math.isfinite(mean) and math.isfinite(std)):
        flat[:] = generator.normal(mean, std, flat.size)
        return
    choose_backend()
    words = state["state"]
    key = np.array(words["key"], np.uint32)
    counters = np.array([words["pos"], state["has_gauss"]], np.int64)
    kept = np.array([state["gauss"]], np.float64)
    draw_normal(key, counters, kept, float(mean), float(std), flat)
    generator.set_state(("MT19937", key, int(counters[0]), int(counters[1]), float(kept[0])))


def counter_normal(seed: int, mean: float, std: float, out: torch.Tensor, start: int = 0, stop: int | None = None) -> None:
    """Voxels start..stop of `out`, counted flat, from N(mean, std). Each depends on `seed` and its own index only.

    Raises ValueError unless `out` is contiguous float32 on the CPU and the range lies inside it.
    """
    flat = _flat(out)
    end = flat.size if stop is None else stop
    if not 0 <= start <= end <= flat.size:
        raise ValueError(f"{start}..{end} is not a range of {flat.size} voxels")
    choose_backend()
    fill_counter_normal(fold_seed(seed), _F(mean), _F(std), flat, start, end)


def fold_seed(seed: int) -> np.uint32:
    """A seed of any size as the 32 bits that the kernel takes."""
    seed = int(seed) & 0xFFFFFFFFFFFFFFFF
    return _U((seed ^ (seed >> 32) * 0x9E3779B1) & 0xFFFFFFFF)


def _flat(out: torch.Tensor) -> Floats:
    if not is_plain(out) or out.dtype != torch.float32 or not out.is_contiguous():
        raise ValueError(f"noise goes into contiguous float32 on the CPU, not {out.dtype} of strides {out.stride()}")
    flat: Floats = out.view(-1).numpy()
    return flat


@inlined
def _uniform(words: np.uint64) -> float:
    """numpy's double in [-1, 1): 53 bits of two words, the first in the low half."""
    bits = ((words & np.uint64(0xFFFFFFE0)) << np.uint64(21)) | (words >> np.uint64(38))
    return np.float64(np.int64(bits) - np.int64(1 << 52)) * 2.220446049250313e-16


@inlined
def _radius(r: float) -> float:
    """sqrt(-2 log(r) / r) within a few units in the last place, which the rounding to float32 hides.

    The logarithm is its atanh series on [sqrt 1/2, sqrt 2], 7e-16 off; it shares its division with the other one.
    """
    bits = np.float64(r).view(np.int64)
    exponent = (bits - np.int64(0x3FE6A09E667F3BCD)) >> np.int64(52)
    m = np.int64(bits - (exponent << np.int64(52))).view(np.float64)
    above = m + 1.0
    inverse = 1.0 / (above * r)
    s = (m - 1.0) * (r * inverse)
    z = s * s
    q = ops.multiply_add(z, 0.083109735450887, 0.09070092601246624)
    q = ops.multiply_add(z, q, 0.11111431238424771)
    q = ops.multiply_add(z, q, 0.14285712068258175)
    q = ops.multiply_add(z, q, 0.200000000056061)
    q = ops.multiply_add(z, q, 0.3333333333333104)
    squared = ops.multiply_add(-4.0 * s, ops.multiply_add(z, q, 1.0), np.float64(exponent) * -1.3862943611198906)
    return math.sqrt(squared * (above * inverse))


@exact_kernel
def draw_normal(
    key: Words, counters: npt.NDArray[np.int64], kept: npt.NDArray[np.float64], mean: float, std: float, out: Floats
) -> None:
    """Fill `out` as `RandomState.normal` would: the same words, the same rejections of Marsaglia's polar method.

    `key` is MT19937's state, `counters` its position and whether `kept` holds the second value of the last pair; all three
    advance as numpy's.
    """
    words = np.empty(_STATE * (_BLOCKS + 1), np.uint32)
    tempered = np.empty(_STATE * (_BLOCKS + 1) + 16, np.uint32)
    candidates = _STATE // 4 * (_BLOCKS + 1) + 4
    values, accepted = np.empty(2 * candidates, np.float32), np.empty(2 * candidates, np.float32)
    passed = np.empty(candidates, np.uint64)
    pairs, accepted_pairs = values.view(np.int64), accepted.view(np.int64)  # two float32 move as one
    doubles = tempered.view(np.uint64)
    words[:_STATE] = key
    position, done, total = int(counters[0]), 0, out.size
    if counters[1] and total > 0:
        out[0] = mean + std * kept[0]
        counters[1], kept[0] = 0, 0.0
        done = 1
    while done < total:
        # A value takes 2.6 words; no more of them than will be needed.
        blocks = min(_BLOCKS, 1 + (total - done) * 3 // _STATE)
        for k in range(_STATE * blocks):  # words depend on words 227 back: vectorises
            y = (words[k] & _U(0x80000000)) | (words[k + 1] & _U(0x7FFFFFFF))
            words[k + _STATE] = _U(words[k + 397] ^ (y >> _U(1)) ^ (_U(0 - (y & _U(1))) & _U(0x9908B0DF)))
        count = (_STATE * (blocks + 1) - position) // 4
        fresh = words[position:]
        for k in range(4 * count):
            y = fresh[k]
            y ^= y >> _U(11)
            y ^= (y << _U(7)) & _U(0x9D2C5680)
            y ^= (y << _U(15)) & _U(0xEFC60000)
            tempered[k] = y ^ (y >> _U(18))
        for i in range(count):
            x1, x2 = _uniform(doubles[2 * i]), _uniform(doubles[2 * i + 1])
            r = x1 * x1 + x2 * x2
            f = _radius(r) * std
            values[2 * i] = np.float32(mean + f * x2)
            values[2 * i + 1] = np.float32(mean + f * x1)
            passed[i] = np.uint64((r < 1.0) & (r != 0.0))
        found = np.uint64(0)
        for i in range(count):  # without a branch
            accepted_pairs[found] = pairs[i]
            found += passed[i]
        usable = np.int64(found)
        used, need = count, (total - done + 1) // 2
        if usable >= need:  # the draw ends in this chunk: at which candidate?
            seen, used = 0, 0
            while seen < need:
                seen += int(passed[used])
                used += 1
            usable = np.int64(need)
        wanted = min(2 * int(usable), total - done)
        ops.row_copy(out, done, accepted, 0, wanted, False)
        done += wanted
        if wanted < 2 * usable:
            w = 2 * (used - 1)
            x1, x2 = _uniform(doubles[w]), _uniform(doubles[w + 1])
            r = x1 * x1 + x2 * x2
            counters[1], kept[0] = 1, math.sqrt(-2.0 * math.log(r) / r) * x1
        position += 4 * used
        block = blocks if used == count else (position - 1) // _STATE  # numpy keeps the block of the last word used
        if block > 0:
            words[:_STATE] = words[_STATE * block : _STATE * block + _STATE]
            position -= _STATE * block
    key[:] = words[:_STATE]
    counters[0] = position


@fast_kernel
def _normal_block(seed: np.uint32, block: int, mean: np.float32, std: np.float32, out: Floats, start: int) -> None:
    """One block by the method of Box and Muller; cosines first, then sines."""
    key = ops.hash32(_U(seed + _U(0x9E3779B9)))
    cosines, sines = out[start : start + _PAIRS], out[start + _PAIRS : start + BLOCK]
    for i in range(_PAIRS):
        counter = _U((block * _PAIRS + i) * 2)
        first, turn = ops.hash32(ops.xor32(counter, key)), _I(ops.hash32(ops.xor32(_U(counter + _U(1)), key)))
        uniform = (_F(_I(first >> _U(8))) + _F(0.5)) * _F(1 / 16777216.0)
        radius = std * _F(math.sqrt(_F(-1.38629436) * log2(uniform)))
        # The angle as a signed fraction of a turn: a quadrant and a rest in [-1/8, 1/8).
        quadrant = _I(_I(turn + _I(0x20000000)) >> _I(30))
        angle = _F(_I(turn - _I(quadrant << _I(30)))) * _F(6.283185307 / 4294967296.0)
        z = angle * angle
        sine = angle * (_F(1) + z * (_F(-1.6666654611e-1) + z * (_F(8.3321608736e-3) + z * _F(-1.9515295891e-4))))
        cosine = _F(1) - _F(0.5) * z
        cosine += z * z * (_F(4.166664568298827e-2) + z * (_F(-1.388731625493765e-3) + z * _F(2.443315711809948e-5)))
        odd = (quadrant & _I(1)) != 0
        c, s = sine if odd else cosine, cosine if odd else sine
        cosines[i] = mean + radius * (-c if ((quadrant + _I(1)) & _I(2)) != 0 else c)
        sines[i] = mean + radius * (-s if (quadrant & _I(2)) != 0 else s)


@fast_kernel
def fill_counter_normal(seed: np.uint32, mean: np.float32, std: np.float32, out: Floats, start: int, stop: int) -> None:
    """See `counter_normal`."""
    part = np.empty(BLOCK, np.float32)
    for block in range(start // BLOCK, (stop + BLOCK - 1) // BLOCK):
        origin = block * BLOCK
        if origin >= start and origin + BLOCK <= stop:
            _normal_block(seed, block, mean, std, out, origin)
        else:
            _normal_block(seed, block, mean, std, part, 0)
            first, last = max(origin, start), min(origin + BLOCK, stop)
            ops.row_copy(out, first, part, first - origin, last - first, False)


@fast_kernel
def add_counter_normal(seed: np.uint32, mean: np.float32, std: np.float32, out: Floats, start: int, stop: int) -> None:
    """As `fill_counter_normal`, added to what is there."""
    part = np.empty(BLOCK, np.float32)
    for block in range(start // BLOCK, (stop + BLOCK - 1) // BLOCK):
        origin = block * BLOCK
        _normal_block(seed, block, mean, std, part, 0)
        first, last = max(origin, start), min(origin + BLOCK, stop)
        to, noise = out[first:last], part[first - origin : last - origin]
        for i in range(last - first):
            to[i] += noise[i]
