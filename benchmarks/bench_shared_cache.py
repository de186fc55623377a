"""Does it pay that the jobs of a run share their prepared volumes? A study of 10 jobs with and without, in turn.

    python benchmarks/bench_shared_cache.py [--rounds 3] [--jobs 10] [--workers 2]

Each job loads 6 compressed NIfTI volumes of 128^3 voxels with labels, orients and resamples them, scales and crops to the
foreground (a usual preprocessing, kept by CacheDataset), and takes two epochs of random crops. Searched is an augmentation, so that
all jobs share what comes before. Times are of the whole command. Both must give the same scores.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRAIN = """
from pathlib import Path
import monai.transforms as mt
from monai.data import CacheDataset

KEYS = ("image", "label")


def train(params, report):
    modes = ("bilinear", "nearest")
    steps = [
        mt.LoadImaged(KEYS), mt.EnsureChannelFirstd(KEYS), mt.Orientationd(KEYS, "RAS"),
        mt.Spacingd(KEYS, (1.25,) * 3, mode=modes), mt.ScaleIntensityd("image"), mt.CropForegroundd(KEYS, "image"),
        mt.RandSpatialCropd(KEYS, (64,) * 3, random_size=False), mt.RandShiftIntensityd("image", params["offset"], prob=1.0),
    ]
    folder = Path(__file__).parent
    items = [{key: str(folder / f"{key}{i}.nii.gz") for key in KEYS} for i in range(6)]
    data = CacheDataset(items, mt.Compose(steps).set_random_state(0), progress=False)
    return float(sum(item["image"].mean() for epoch in range(2) for item in data))
"""

STUDY = """automl 1
study "{name}" {{
  target = Python("train_volumes:train")
  maximize score
  controller = Random()
  budget {{ trials = {jobs} }}
  workers = [{workers}]
  {cache}
}}
offset = 0.1 ~ 0.05..0.2
"""


def write_volumes(folder: Path) -> None:
    """Blobs in noise: they compress about as well as an MRI does."""
    import nibabel
    import numpy as np
    from scipy.ndimage import gaussian_filter

    random = np.random.RandomState(0)
    for i in range(6):
        field = gaussian_filter(random.rand(128, 128, 128), 6)
        field = (field - field.min()) / (field.max() - field.min())
        affine = np.diag([-1.0, 1.1, 1.0, 1.0])
        image = ((field + 0.05 * random.rand(*field.shape)) * 1000).astype(np.int16)
        nibabel.Nifti1Image(image, affine).to_filename(folder / f"image{i}.nii.gz")
        nibabel.Nifti1Image((field > 0.55).astype(np.uint8), affine).to_filename(folder / f"label{i}.nii.gz")


def run(folder: Path, name: str, cache: str, jobs: int, workers: int) -> tuple[float, list[float]]:
    """Seconds of the command, and the scores."""
    places = ", ".join(["cpu(1)"] * workers)
    (folder / f"{name}.automl").write_text(STUDY.format(name=name, jobs=jobs, workers=places, cache=cache))
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "automl_run", f"{name}.automl", "--json"], cwd=folder, stdout=subprocess.PIPE, check=True
    )
    return time.perf_counter() - begin, [job["score"] for job in json.loads(done.stdout)["jobs"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "train_volumes.py").write_text(TRAIN)
        write_volumes(folder)
        known: list[float] | None = None
        for turn in range(options.rounds):
            for kind, cache in (("without", "cache = false"), ("with", "")):
                took, scores = run(folder, f"{kind}{turn}", cache, options.jobs, options.workers)
                if known is not None and scores != known:
                    raise SystemExit(f"the scores differ: {scores} and {known}")
                known = scores
                seconds[kind].append(took)
    without, shared = (statistics.median(seconds[kind]) for kind in ("without", "with"))
    print(json.dumps({"jobs": options.jobs, "workers": options.workers, "seconds": seconds, "ratio": round(without / shared, 2)}))


if __name__ == "__main__":
    main()
