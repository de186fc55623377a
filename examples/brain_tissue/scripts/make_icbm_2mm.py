"""Makes the 2 mm copy of the ICBM 152 template that the example derives its subjects from.

    python scripts/make_icbm_2mm.py FOLDER

FOLDER holds t1.nii.gz, gm.nii.gz, wm.nii.gz (ICBM 152 nonlinear symmetric 2009a, 1 mm, uint8). Each 2 mm voxel is the mean of
the eight 1 mm voxels it covers, so a tissue map stays a fraction of volume; the affine keeps every voxel centre at its place.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel
import numpy as np

HERE = Path(__file__).resolve().parent.parent


def halve(volume: np.ndarray) -> np.ndarray:
    """The mean over 2x2x2 blocks; an odd last layer is dropped."""
    d, h, w = (size // 2 for size in volume.shape)
    blocks = volume[: 2 * d, : 2 * h, : 2 * w].reshape(d, 2, h, 2, w, 2)
    return np.rint(blocks.mean(axis=(1, 3, 5))).astype(np.uint8)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} FOLDER")
    for name in ("t1", "gm", "wm"):
        image = nibabel.load(Path(sys.argv[1]) / f"{name}.nii.gz")
        affine = image.affine @ np.diag([2.0, 2.0, 2.0, 1.0])
        affine[:3, 3] = (image.affine @ [0.5, 0.5, 0.5, 1.0])[:3]
        out = nibabel.Nifti1Image(halve(np.asarray(image.dataobj)), affine)
        path = HERE / "data" / f"icbm152_2mm_{name}.nii.gz"
        nibabel.save(out, path)
        print(f"{path}: {out.shape}, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
