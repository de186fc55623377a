"""An MMAR of Clara's own configurations, with a small volume of a brain where they expect a CT of a spleen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from brain import Array, save, template
from bundle_volumes import SHARED

CLARA = SHARED / "clara-4.1"
CONFIGS = ("Enum", "LR_LP", "Loss_Optimizer", "Transform", "TransformProb")
#: Of what is too large for a CPU, and for a test; nothing else of the configurations is changed.
SMALL = (
    "epochs=1",
    "num_interval_per_valid=1",
    "DATA_ROOT=data",
    "DATASET_JSON=data/dataset.json",
    "train.pre_transforms.RandCropByPosNegLabeld.spatial_size=[32,32,32]",
    "train.pre_transforms.RandCropByPosNegLabeld.num_samples=1",
    "validate.inferer.roi_size=[32,32,32]",
    *(f"{section}.{part}.num_workers=0" for section in ("train", "validate") for part in ("dataset", "dataloader")),
)
_SIZE, _STEP = 32, 2


def make_clara_mmar(root: Path) -> Path:
    """`root` with the configurations as they stand, a list of two training items and one to validate on, and their volumes.

    The image is the T1 template at 4 mm, called 1 mm so that the configurations' spacing keeps it; the label is grey matter.
    Where the configurations are not at hand the test is skipped.
    """
    if not CLARA.is_dir():
        pytest.skip(f"needs the Clara 4.1 configurations in {CLARA}")
    (root / "config").mkdir(parents=True)
    for file in (CLARA / "config").glob("*.json"):
        shutil.copyfile(file, root / "config" / file.name)
    listed = json.loads((CLARA / "dataset_autoML8files.json").read_text())
    listed["training"] = listed["training"][:2]
    (item,) = listed["validation"]
    data = root / "data"
    save(data / item["image"], _shrunk(template("t1")), np.eye(4))
    save(data / item["label"], (_shrunk(template("gm")) > 127).astype(np.float32), np.eye(4))
    (data / "dataset.json").write_text(json.dumps(listed))
    return root


def _shrunk(volume: Array) -> Array:
    """32 voxels along each axis from the middle of the brain, each the mean of 2 x 2 x 2."""
    size = _SIZE * _STEP
    middle = tuple(slice((extent - size) // 2, (extent + size) // 2) for extent in volume.shape)
    return np.asarray(volume[middle].reshape(_SIZE, _STEP, _SIZE, _STEP, _SIZE, _STEP).mean(axis=(1, 3, 5)), dtype=np.float32)
