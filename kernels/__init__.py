"""Fast augmentation and resampling behind MONAI's names.

Nothing is compiled at import. Kernels compile at their first use and are cached on disk; `warm_up()` does it ahead of time.
"""

from . import array, dictionary
from .array import *  # noqa: F403  # MONAI's names, listed there
from .dictionary import *  # noqa: F403
from .fusion import Fused, fuse
from .warming import warm_up

__all__ = ["Fused", "fuse", "warm_up"]
__all__ += array.__all__
__all__ += dictionary.__all__
