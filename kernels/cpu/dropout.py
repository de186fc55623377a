"""numpy's uniform draw, bit for bit, for the voxels that a dropout fills with noise."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..compilation import exact_kernel
from .arrays import Floats

_U = np.uint32
_STATE, _LATER = 624, 397  # words of MT19937
#: Below so many numbers numpy's own draw is faster, because the generator's state is copied in and out.
WORTHWHILE = 1 << 13


def exact_uniform(generator: np.random.RandomState, low: float, high: float, size: int) -> Floats:
    """generator.uniform(low, high, size) in float32, bit for bit; the generator ends in the same state.

    Raises what `RandomState.uniform` raises.
    """
    state = generator.get_state(legacy=True) if size >= WORTHWHILE else None
    if not isinstance(state, tuple) or state[0] != "MT19937" or not math.isfinite(high - low):
        return generator.uniform(low, high, size).astype(np.float32)
    name, words, position, has_second, second = state
    key, out = np.array(words, np.uint32), np.empty(size, np.float32)
    position = draw_uniform(key, int(position), low, high - low, out)
    generator.set_state((name, key, position, has_second, second))
    return out


@exact_kernel
def draw_uniform(key: npt.NDArray[np.uint32], position: int, low: float, span: float, out: Floats) -> int:
    """Fill `out`; `key` and the returned position advance as numpy's."""
    words = np.empty(_STATE + 1, np.uint32)  # one may be left from the state before
    done, left = 0, 0
    while done < out.size:
        if position == _STATE:
            for k in range(_STATE - _LATER):
                y = (key[k] & _U(0x80000000)) | (key[k + 1] & _U(0x7FFFFFFF))
                key[k] = key[k + _LATER] ^ (y >> _U(1)) ^ (_U(0 - (y & _U(1))) & _U(0x9908B0DF))
            for k in range(_STATE - _LATER, _STATE - 1):
                y = (key[k] & _U(0x80000000)) | (key[k + 1] & _U(0x7FFFFFFF))
                key[k] = key[k - (_STATE - _LATER)] ^ (y >> _U(1)) ^ (_U(0 - (y & _U(1))) & _U(0x9908B0DF))
            y = (key[_STATE - 1] & _U(0x80000000)) | (key[0] & _U(0x7FFFFFFF))
            key[_STATE - 1] = key[_LATER - 1] ^ (y >> _U(1)) ^ (_U(0 - (y & _U(1))) & _U(0x9908B0DF))
            position = 0
        count = min(_STATE - position, 2 * (out.size - done) - left)
        fresh, to = key[position : position + count], words[left : left + count]
        for k in range(count):
            y = fresh[k]
            y ^= y >> _U(11)
            y ^= (y << _U(7)) & _U(0x9D2C5680)
            y ^= (y << _U(15)) & _U(0xEFC60000)
            to[k] = y ^ (y >> _U(18))
        position += count
        pairs = (left + count) // 2
        part = out[done : done + pairs]
        for i in range(pairs):
            a, b = np.float64(np.int32(words[2 * i] >> _U(5))), np.float64(np.int32(words[2 * i + 1] >> _U(6)))
            part[i] = np.float32(low + span * ((a * 67108864.0 + b) / 9007199254740992.0))
        done += pairs
        if (left + count) % 2:
            words[0] = words[left + count - 1]
            left = 1
        else:
            left = 0
    return position
