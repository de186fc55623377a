"""Fast augmentation and resampling behind MONAI's names.

Nothing is compiled at import. Kernels compile at their first use and are cached on disk; `warm_up()` does it ahead of time.
"""

from .array import Flip, RandAxisFlip, RandFlip, Resize, Spacing, SpatialResample
from .dictionary import Flipd, RandAxisFlipd, RandFlipd, Resized, Spacingd, SpatialResampled
from .flip import flip_axes
from .resample import resample_axes
from .threads import thread_count
from .warming import warm_up

__all__ = [
    "Flip",
    "Flipd",
    "RandAxisFlip",
    "RandAxisFlipd",
    "RandFlip",
    "RandFlipd",
    "Resize",
    "Resized",
    "Spacing",
    "Spacingd",
    "SpatialResample",
    "SpatialResampled",
    "flip_axes",
    "resample_axes",
    "thread_count",
    "warm_up",
]
