"""Fusing a MONAI pipeline: random decisions and metadata as MONAI makes them, voxels in one pass."""

from .fused import Fused, fuse

__all__ = ["Fused", "fuse"]
