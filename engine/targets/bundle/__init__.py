"""`Bundle("folder")`: MONAI bundles as they stand, resolved by MONAI itself. Importing this imports neither torch nor MONAI."""

from .target import BundleTarget

__all__ = ["BundleTarget"]
