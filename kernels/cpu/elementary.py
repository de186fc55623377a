"""log2 and exp2 in float32 for compiled code, simple enough to be vectorised.

Numba computes with 64 bits whatever integers it is given, which halves the lanes: every step is cut back to 32.
"""

from __future__ import annotations

import numpy as np

from ..compilation import inlined

_F, _I = np.float32, np.int32


@inlined
def log2(x: np.float32) -> np.float32:
    """For normal x > 0, within 2e-7, near 1 within a relative 4e-7 (minimax polynomials, here and in `exp2`)."""
    bits = np.float32(x).view(np.int32)
    exponent = _I(_I(bits - _I(0x3F3504F3)) >> _I(23))
    f = _I(bits - _I(exponent << _I(23))).view(np.float32) - _F(1)
    p = _F(-0.14275973436)
    p = p * f + _F(0.23265257882)
    p = p * f + _F(-0.24927182207)
    p = p * f + _F(0.28728888237)
    p = p * f + _F(-0.36022518246)
    p = p * f + _F(0.480916708)
    p = p * f + _F(-0.72135293136)
    p = p * f + _F(1.4426949949)
    return _F(exponent) + f * p


@inlined
def exp2(y: np.float32) -> np.float32:
    """For y <= 126, to a relative 3e-7; below -126 the smallest normal number."""
    y = max(y, _F(-126))
    whole = _F(np.floor(y + _F(0.5)))
    r = y - whole
    p = _F(0.0013381302537)
    p = p * r + _F(0.0096663685154)
    p = p * r + _F(0.055503810138)
    p = p * r + _F(0.24022349038)
    p = p * r + _F(0.69314718056)
    return (p * r + _F(1)) * _I(_I(_I(whole) + _I(127)) << _I(23)).view(np.float32)
