"""log2 and exp2 in float32 for compiled code, simple enough to be vectorised."""

from __future__ import annotations

import math

import numpy as np

from ..compilation import inlined

_F = np.float32


@inlined
def log2(x: np.float32) -> np.float32:
    """For normal x > 0, within 2 units in the last place (Cephes' logf, S. L. Moshier)."""
    bits = np.float32(x).view(np.int32)
    exponent = (bits - np.int32(0x3F3504F3)) >> np.int32(23)
    f = np.int32(bits - (exponent << np.int32(23))).view(np.float32) - _F(1)
    p = _F(7.0376836292e-2)
    p = p * f + _F(-1.1514610310e-1)
    p = p * f + _F(1.1676998740e-1)
    p = p * f + _F(-1.2420140846e-1)
    p = p * f + _F(1.4249322787e-1)
    p = p * f + _F(-1.6668057665e-1)
    p = p * f + _F(2.0000714765e-1)
    p = p * f + _F(-2.4999993993e-1)
    p = p * f + _F(3.3333331174e-1)
    z = f * f
    return _F(exponent) + _F(1.44269504) * (f + (z * f * p - _F(0.5) * z))


@inlined
def exp2(y: np.float32) -> np.float32:
    """For y <= 126, to a relative 2e-7; below -126 the smallest normal number."""
    y = max(y, _F(-126))
    whole = _F(math.floor(y + _F(0.5)))
    r = y - whole
    p = _F(1.535336188319500e-4)
    p = p * r + _F(1.339887440266574e-3)
    p = p * r + _F(9.618437357674640e-3)
    p = p * r + _F(5.550332471162809e-2)
    p = p * r + _F(2.402264791363012e-1)
    p = p * r + _F(6.931472028550421e-1)
    return (p * r + _F(1)) * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
