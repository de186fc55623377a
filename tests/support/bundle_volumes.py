"""Small subjects of a brain in the files that the model zoo's bundles expect."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from brain import save, subjects

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
BUNDLES = SHARED / "bundles"


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
