"""The bounds of missed goals: what stands still in them, and the row that they write."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from types import ModuleType

import monai.transforms as mt
import pytest
import torch

from automl_run import kernels
from automl_run.kernels import bench
from automl_run.kernels.bench.case import FLOOR, MONAI, OURS

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def bounds() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_bounds", ROOT / "benchmarks" / "bench_bounds.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_voxel_is_touched_and_all_is_put_back(bounds: ModuleType) -> None:
    fused = kernels.fuse(mt.Compose([mt.RandFlipd("image", prob=1.0), mt.RandGaussianNoised("image", prob=1.0)]))
    item = {"image": torch.rand(1, 24, 24, 24)}
    flip = torch.flip
    with bounds.voxel_switch():
        with bounds.without_voxels():
            assert torch.flip(item["image"], [1]) is item["image"]
            fused.batch([item])
        assert torch.equal(torch.flip(item["image"], [1]), flip(item["image"], [1]))
    assert torch.flip is flip
    torch.testing.assert_close(kernels.Flip(spatial_axis=0)(item["image"]), torch.flip(item["image"], [1]))


def test_a_missed_goal_is_told_what_stands_in_its_way(bounds: ModuleType) -> None:
    """A flip that had to be done in a hundredth of its time is kept from it by memory."""
    case = "flip axis 2 64^3 float32"
    ms = {MONAI: (0.7, 0.7, 0.7), OURS: (0.2, 0.2, 0.2), FLOOR: (0.15, 0.15, 0.15)}
    document = {
        "case": case,
        "group": "flip",
        "threads": 2,
        "rounds": 5,
        "ms": ms,
        "rows": [
            {
                "subject": OURS,
                "monai": (3.5, 3.5, 3.5),
                "lazy": None,
                "peers": {},
                "floor": (1.3, 1.3, 1.3),
                "verdicts": {"MONAI": {"target": 500.0, "reached": 3.5, "met": False}},
            }
        ],
        "wrong": {},
        "missing": {},
    }
    reasons: Counter[str] = Counter()
    with bounds.voxel_switch():
        (row,) = bounds.rows([bench.result_of(document)], reasons)
    assert row.startswith(f"| {case} | 2 |")
    assert "MONAI 3.5 of 500" in row
    assert reasons == {"memory": 1}
    assert min(float(value) for value in row.split("|")[3:7]) > 0
