"""Small subjects derived from a real MRI: blocks out of the ICBM 152 brain, moved and in noise, by a seed.

The template is the one of the example, at 2 mm, which lies in the repository: what trains in a test trains on real anatomy
wherever the tests run. One brain is no data set, and no score on these subjects says anything about a method.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import nibabel
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

TEMPLATE: Final = Path(__file__).resolve().parents[2] / "examples" / "brain_tissue" / "data"
#: voxel -> world of a block of 2 mm; of one with every second slice, which lies, like real ones, not in the origin
AFFINE_2MM: Final = np.diag([2.0, 2.0, 2.0, 1.0])
AFFINE: Final = np.array([[2.0, 0, 0, -97.5], [0, 2.0, 0, -133.5], [0, 0, 4.0, -71.5], [0, 0, 0, 1]])
#: A block's middle is at most so many voxels from that of the template: it has white and grey matter, and fits up to 32 slices.
_APART: Final = 9


@cache
def template(name: str) -> Array:
    """`t1` (0..243), or the tissue maps `gm` and `wm` (255 = certain), of 98 x 116 x 94 voxels. Not to be written to."""
    volume = np.asarray(nibabel.load(TEMPLATE / f"icbm152_2mm_{name}.nii.gz").dataobj, dtype=np.float32)
    volume.flags.writeable = False
    return volume


def subjects(count: int, size: int, slice_step: int = 1, seed: int = 0) -> list[tuple[Array, Array]]:
    """`count` pairs of image (noise of 8) and label (0 rest, 1 grey, 2 white), `size`^3 voxels of 2 x 2 x 2 `slice_step` mm."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        block = tuple(
            _around(extent // 2 + int(rng.integers(-_APART, _APART + 1)), size, step)
            for extent, step in zip(template("t1").shape, (1, 1, slice_step), strict=True)
        )
        image = template("t1")[block] + rng.normal(0, 8, (size, size, size)).astype(np.float32)
        label = np.select([template("wm")[block] > 127, template("gm")[block] > 127], [2.0, 1.0], 0.0).astype(np.float32)
        assert image.shape == (size, size, size), f"{size} voxels do not fit into the template"
        out.append((image, label))
    return out


def _around(middle: int, size: int, step: int) -> slice:
    first = middle - size * step // 2
    return slice(first, first + size * step, step)


def save(path: Path, data: Array, affine: NDArray[np.float64] = AFFINE_2MM) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(data, affine), path)


def write_pairs(folder: Path, count: int, size: int) -> list[dict[str, str]]:
    """`image#.nii.gz` and `label#.nii.gz` (1 is white matter) with `AFFINE`; as the items of a data list."""
    items = []
    for number, (image, label) in enumerate(subjects(count, size, slice_step=2)):
        item = {"image": f"image{number}.nii.gz", "label": f"label{number}.nii.gz"}
        save(folder / item["image"], image, AFFINE)
        save(folder / item["label"], (label == 2).astype(np.float32), AFFINE)
        items.append(item)
    return items
