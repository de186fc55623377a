"""The other libraries: which are installed, and why one is not there."""

from __future__ import annotations

import functools
import importlib
import warnings
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

#: name in the tables -> (module, distributions that may have brought it)
LIBRARIES = {
    "TorchIO": ("torchio", ("torchio",)),
    "batchgeneratorsv2": ("batchgeneratorsv2", ("batchgeneratorsv2",)),
    "SimpleITK": ("SimpleITK", ("SimpleITK",)),
    "scipy": ("scipy.ndimage", ("scipy",)),
    "DALI": ("nvidia.dali", ("nvidia-dali-cuda120", "nvidia-dali-cuda130")),
    "Kornia": ("kornia", ("kornia",)),
    "cuCIM": ("cucim.skimage", ("cucim-cu12", "cucim-cu13")),
    "batchaug": ("batchaug", ("batchaug",)),
}
#: What runs on a GPU only.
NEEDS_GPU = ("cuCIM", "batchaug")


@functools.cache
def find(name: str) -> tuple[ModuleType | None, str]:
    """The library's module, or None and why."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(LIBRARIES[name][0]), ""
    except ModuleNotFoundError as error:
        wanted = LIBRARIES[name][0].split(".")[0]
        return None, "not installed" if (error.name or "").split(".")[0] == wanted else f"needs {error.name}"
    except Exception as error:  # a broken installation must not end everybody's measurement
        return None, f"cannot be imported: {error}".splitlines()[0]


def versions(gpu: bool) -> dict[str, str]:
    """Each library's version, or why it does not take part."""
    found = {}
    for name, (_, distributions) in LIBRARIES.items():
        if name in NEEDS_GPU and not gpu:
            found[name] = "GPU only"
            continue
        found[name] = find(name)[1] or next((v for v in map(_version, distributions) if v), "installed")
    return found


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
