"""What is found wrong with a bundle before anything trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_bundle
from brain import write_pairs

from automl_run.engine.targets.bundle import BundleTarget
from automl_run.engine.targets.bundle.probe import Probe
from automl_run.errors import InputError

STARTS = ["initialize", "run", "finalize"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle.make(tmp_path_factory.mktemp("inspected") / "bundle")


def config(change: dict[str, Any]) -> dict[str, Any]:
    """The tiny bundle's, without its own code, with the values at these ids."""
    out = tiny_bundle.config()
    out["network_def"] = {
        "_target_": "UNet",
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 2,
        "channels": [2],
        "strides": [],
    }
    for id, value in change.items():
        *path, last = id.split("#")
        part: Any = out
        for step in path:
            part = part[int(step)] if isinstance(part, list) else part[step]
        part[int(last) if isinstance(part, list) else last] = value
    return out


@pytest.mark.parametrize(
    ("change", "id", "says"),
    [
        ({}, None, ""),
        ({"dataset_dir": "nowhere"}, "train::dataset::data", "no folder nowhere, seen from the bundle's root"),
        (
            {"images": "$['data/image0.nii.gz', 'data/lost.nii.gz', 'data/image2.nii.gz']"},
            "train::dataset::data",
            "data/lost.nii.gz",
        ),
        ({"images": "$1 / 0"}, "train::dataset::data", "ZeroDivisionError"),
        ({"loss#_target_": "DiceCELos"}, "loss::_target_", "did you mean `DiceCELoss`?"),
        ({"loss#_target_": "monai.losses.DiceLos"}, "loss::_target_", "did you mean `monai.losses.DiceLoss`?"),
        ({"loss#_target_": "nobody.has.This"}, "loss::_target_", "no class or function `nobody.has.This`"),
        ({"validate#handlers#1#key_metric_name": "val_dice"}, "validate::handlers::1::key_metric_name", "`val_mean_dice`"),
        ({"train#handlers#0#interval": 5}, "train::handlers::0::interval", "it validates every 5 epochs, and trains 2"),
        ({"train#handlers#0": {"_target_": "StatsHandler"}}, "train::trainer", "nothing validates"),
        ({"validate#postprocessing": "%train#nothing"}, "", "cannot be read"),
        ({"banner": {"_target_": "NoSuchThing", "_disabled_": True}}, None, ""),
        ({"unused": {"_target_": "NoSuchThing"}}, None, ""),
    ],
)
def test_findings(root: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], id: str | None, says: str) -> None:
    monkeypatch.chdir(root)
    found = dict(Probe(config(change), STARTS, ["val_mean_dice"]).findings())
    assert (id in found) == (id is not None), found
    assert says in found.get(id or "", "")


def test_a_label_of_another_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tiny_bundle.make(tmp_path / "bundle")
    write_pairs(tmp_path, 1, 10)
    (tmp_path / "label0.nii.gz").replace(root / "data" / "label0.nii.gz")
    monkeypatch.chdir(root)
    (finding,) = Probe(config({}), STARTS, ["val_mean_dice"]).findings()
    assert finding[0] == "train::dataset::data"
    assert "10 x 10 x 10 voxels, the image 12 x 12 x 12" in finding[1]


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ("$[{'image': i} for i in @images]", "[0].label: there is no such key; the item has `image`"),
        ("$[{'image': i, 'label': 3} for i in @images]", "[0].label: 3 is no path"),
        ("$[{'image': i, 'label': i.replace('image', 'label'), 'age': None} for i in @images]", ""),
    ],
)
def test_an_item_without_what_is_loaded(root: Path, monkeypatch: pytest.MonkeyPatch, items: str, says: str) -> None:
    monkeypatch.chdir(root)
    found = dict(Probe(config({"items": items}), STARTS, ["val_mean_dice"]).findings())
    assert says in found.get("train::dataset::data", "")
    assert set(found) == ({"train::dataset::data", "validate::dataset::data"} if says else set())


def test_what_may_be_made_on_the_way_is_not_asked_of_the_list(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    copied = [{"_target_": "CopyItemsd", "keys": "image", "names": "label"}, *tiny_bundle.config()["train"]["transforms"]]
    change = {"items": "$[{'image': i} for i in @images]", "train#transforms": copied}
    assert dict(Probe(config(change), STARTS, ["val_mean_dice"]).findings()) == {}


def test_a_training_without_validation_may_be_judged_by_its_loss(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    change: dict[str, Any] = {"train#handlers#0": {"_target_": "StatsHandler"}}
    assert list(Probe(config(change), STARTS, ["train_loss"]).findings()) == []
    own = {"train_dice": {"_target_": "MeanDice", "output_transform": "$monai.handlers.from_engine(['pred', 'label'])"}}
    change["train#trainer#key_train_metric"] = own
    assert list(Probe(config(change), STARTS, ["train_dice"]).findings()) == []


def test_a_metric_that_is_not_there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    (finding,) = Probe(config({}), STARTS, ["val_dice"]).findings()
    assert finding == (
        "validate::evaluator",
        "no metric is called `val_dice`, which the study reads; did you mean `val_mean_dice`?",
    )


def test_the_place_in_the_file_is_said(root: Path) -> None:
    before = sorted(path for path in root.rglob("*"))
    with pytest.raises(InputError) as caught:
        BundleTarget(str(root), root).inspect({**tiny_bundle.config(), "dataset_dir": "../nowhere"}, ["val_mean_dice"])
    line = (root / "configs" / "train.json").read_text().split('"data": "$@items[:-1]"')[0].count("\n") + 1
    assert f"train#dataset#data (configs/train.json:{line}): there are no data" in str(caught.value)
    BundleTarget(str(root), root).inspect(tiny_bundle.config(), ["val_mean_dice"])
    assert sorted(path for path in root.rglob("*")) == before
