"""Small subjects derived from the ICBM brain: blocks of it, moved and in noise, by a seed."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
ICBM = SHARED / "icbm152"
BUNDLES = SHARED / "bundles"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "brain_tissue" / "data"

Array = NDArray[np.float32]


def subjects(count: int, size: int, seed: int = 0) -> list[tuple[Array, Array]]:
    """`count` pairs of image (0..255, noise of 8) and label (0 rest, 1 grey, 2 white), `size`^3 voxels of 2 mm."""
    t1, grey, white = (template(name) for name in ("t1", "gm", "wm"))
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        start = [int(rng.integers(lo, hi)) for lo, hi in ((15, 60), (20, 80), (40, 80))]
        block = tuple(slice(at, at + 2 * size, 2) for at in start)
        image = t1[block] + rng.normal(0, 8, (size, size, size)).astype(np.float32)
        label = np.where(white[block] > 127, 2, np.where(grey[block] > 127, 1, 0)).astype(np.float32)
        out.append((image, label))
    return out


def template(name: str) -> Array:
    """`t1`, `gm` or `wm` of 1 mm, 0..255; where it is not here, the example's of 2 mm with each voxel twice along each axis."""
    if ICBM.is_dir():
        return np.asarray(nibabel.load(ICBM / f"{name}.nii.gz").dataobj, dtype=np.float32)
    data = np.asarray(nibabel.load(EXAMPLE / f"icbm152_2mm_{name}.nii.gz").dataobj, dtype=np.float32)
    return np.kron(data, np.ones((2, 2, 2), np.float32))


def save(path: Path, data: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(data, np.diag([2.0, 2.0, 2.0, 1.0])), path)


def decathlon(folder: Path, count: int, size: int, classes: int = 2) -> Path:
    """`imagesTr/` and `labelsTr/`, as the spleen and the whole-body bundle glob them; labels below `classes`."""
    for number, (image, label) in enumerate(subjects(count, size)):
        save(folder / "imagesTr" / f"s{number}.nii.gz", image)
        save(folder / "labelsTr" / f"s{number}.nii.gz", np.minimum(label, classes - 1))
    return folder


def brats(folder: Path, bundle: Path, train: int, validation: int, size: int) -> Path:
    """Four files of an item's image and BraTS labels (0, 1, 2, 4), with the data list that the bundle reads."""
    lists: dict[str, list[dict[str, str | list[str]]]] = {"training": [], "validation": []}
    for number, (image, label) in enumerate(subjects(train + validation, size)):
        channels = [image, 255 - image, np.abs(image) * image, np.sqrt(np.abs(image))]
        names = [f"image{number}_{channel}.nii.gz" for channel in range(len(channels))]
        for name, data in zip(names, channels, strict=True):
            save(folder / name, data.astype(np.float32))
        save(folder / f"label{number}.nii.gz", np.select([label == 2, label == 1], [4.0, 1.0], 0.0).astype(np.float32))
        lists["training" if number < train else "validation"].append({"image": list(names), "label": f"label{number}.nii.gz"})
    (bundle / "configs" / "datalist.json").write_text(json.dumps(lists))
    return folder


def pairs(folder: Path, count: int, size: int) -> Path:
    """`img##.nii.gz` and `lbl##.nii.gz`, as the segmentation template globs them."""
    for number, (image, label) in enumerate(subjects(count, size)):
        save(folder / f"img{number:02}.nii.gz", image)
        save(folder / f"lbl{number:02}.nii.gz", label)
    return folder
