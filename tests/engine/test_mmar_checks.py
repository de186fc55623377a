"""What an MMAR's config and data show before any job trains, each with its place in the file."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from automl_run.engine.targets.mmar import MmarTarget
from automl_run.errors import InputError

KEYS = ["image", "label"]


def component(name: str, /, **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args}


def config() -> dict[str, Any]:
    def dataset(key: str) -> dict[str, Any]:
        return {
            **component("CacheDataset", transform="@pre_transforms"),
            "data_list_file_path": "data.json",
            "data_list_key": key,
        }

    return {
        "epochs": 2,
        "num_interval_per_valid": 1,
        "train": {
            "model": component("UNet", dimensions=3),
            "optimizer": component("Adam", params="#@model.parameters()"),
            "pre_transforms": [component("LoadImaged", keys=KEYS), component("RandomAxisFlip", fields=KEYS)],
            "dataset": dataset("training"),
            "handlers": [component("ValidationHandler", validator="@evaluator", epoch_level=True, interval=1)],
            "trainer": component("SupervisedTrainer", max_epochs=2, network="@model", train_handlers="@handlers"),
        },
        "validate": {
            "pre_transforms": [{"ref": "LoadImaged"}],
            "dataset": dataset("validation"),
            "key_metric": {**component("MeanDice"), "log_label": "dice"},
            "evaluator": component("SupervisedEvaluator", key_val_metric="@key_metric", network="@model"),
        },
    }


def inspect(root: Path, config: dict[str, Any], *metrics: str, name: str = "config_train.json") -> None:
    (root / "config").mkdir(exist_ok=True)
    (root / "config" / name).write_text(json.dumps(config, indent=1))
    MmarTarget(str(root), root, {"trainconf": name}).inspect(config, metrics or ("dice",))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), tmp_path / f"{name}.nii")
    items = [{"image": "a.nii", "label": "b.nii"}] * 3
    (tmp_path / "data.json").write_text(json.dumps({"training": items, "validation": items}, indent=1))
    return tmp_path


def test_a_sound_config_passes(root: Path) -> None:
    inspect(root, config())
    inspect(root, config(), "dice", "train_loss")


def wrong(edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    out = copy.deepcopy(config())
    edit(out)
    return out


@pytest.mark.parametrize(
    ("edit", "message", "line"),
    [
        (
            lambda c: c["train"]["model"].update(name="UNett"),
            "train.model: `UNett` is no component of MONAI, torch or ignite",
            '   "name": "UNett",',
        ),
        (
            lambda c: c["train"]["pre_transforms"][1].update(name="RandomAxisFlp"),
            "did you mean `RandomAxisFlip`?",
            '    "name": "RandomAxisFlp",',
        ),
        (
            lambda c: c["train"]["pre_transforms"].append(component("MergeBatchDims", fields=KEYS)),
            "delete it: crops with `num_samples` are batched by the data loader",
            '    "name": "MergeBatchDims",',
        ),
        (
            lambda c: c["train"]["optimizer"]["args"].update(params="#@modle.parameters()"),
            "train.optimizer: Adam: `@modle` is nothing in this config",
            '"params": "#@modle.parameters()"',
        ),
        (
            lambda c: c["validate"]["evaluator"]["args"].update(key_val_metric="@key_metrics"),
            "did you mean `key_metric`?",
            '"key_val_metric": "@key_metrics",',
        ),
        (
            lambda c: c["validate"]["key_metric"].update(log_label="dise"),
            "the study wants `dice`, which the validation does not compute; its metrics are `dise`",
            '"log_label": "dise"',
        ),
        (
            lambda c: c["validate"]["evaluator"]["args"].pop("key_val_metric"),
            "its metrics are none",
            '"log_label": "dice"',
        ),
        (
            lambda c: c["validate"].pop("evaluator"),
            "the config has no `validate.evaluator`",
            '"validate": {',
        ),
        (
            lambda c: c["train"]["handlers"][0]["args"].update(interval=20),
            "validation comes after 20 epochs, but a job ends after 2",
            '"interval": 20',
        ),
        (
            lambda c: c["train"]["dataset"].update(data_list_key="trainings"),
            "has no list `trainings` (did you mean `training`?)",
            '"data_list_file_path": "data.json",',
        ),
        (
            lambda c: c["validate"]["dataset"].update(data_list_file_path="dat.json"),
            "dat.json cannot be read: No such file or directory",
            '"data_list_file_path": "dat.json",',
        ),
    ],
)
def test_a_mistake_is_told_at_its_place(root: Path, edit: Callable[[dict[str, Any]], object], message: str, line: str) -> None:
    with pytest.raises(InputError) as caught:
        inspect(root, wrong(edit), name="trn.json")
    told = str(caught.value)
    assert message in told
    assert "config/trn.json:" in told
    assert any(shown.rstrip().endswith(line) for shown in told.splitlines())


def test_what_is_switched_off_is_not_looked_at(root: Path) -> None:
    off = {**component("NoSuchThing", x="@nothing"), "disabled": True}
    inspect(root, wrong(lambda c: c["train"]["handlers"].append(off)))


def test_all_missing_files_are_counted_and_placed_in_the_data_list(root: Path) -> None:
    items = [{"image": "a.nii", "label": f"{index}.nii"} for index in range(7)]
    (root / "data.json").write_text(json.dumps({"training": items, "validation": items[:1]}, indent=1))
    with pytest.raises(InputError) as caught:
        inspect(root, config())
    told = str(caught.value)
    assert "7 of the 8 files named by `training` of the data list are not there:\n  [0].label: " in told
    assert "  and 4 more\n" in told
    assert "data.json:5:13" in told
    assert "the data list is named here" in told
    assert "1 of the 2 files named by `validation`" in told


def test_items_without_what_is_loaded_are_placed_in_the_data_list(root: Path) -> None:
    whole: dict[str, object] = {"image": "a.nii", "label": "b.nii"}
    items = [whole, {"image": "a.nii"}, {"image": 5, "label": "b.nii"}, "a.nii"]
    (root / "data.json").write_text(json.dumps({"training": items, "validation": [{**whole, "label": None}]}, indent=1))
    with pytest.raises(InputError) as caught:
        inspect(root, config())
    told = str(caught.value)
    assert "3 of the 4 items of `training` of the data list have no path where one is loaded:" in told
    assert "  [1].label: there is no such key; the item has `image`\n  [2].image: 5 is no path\n  [3].label: there is no" in told
    assert "data.json:7:3" in told
    assert "[0].label: null is no path" in told
    assert "data.json:19:13" in told


@pytest.mark.parametrize(
    "edit",
    [
        lambda c: c["train"]["pre_transforms"][0]["args"].update(keys="image"),
        lambda c: c["train"]["pre_transforms"][0]["args"].update(allow_missing_keys=True),
        lambda c: c["train"]["pre_transforms"][0].update(disabled=True),
        lambda c: [c[name]["pre_transforms"].insert(0, {"path": "mine.FindsLabels", "args": {}}) for name in ("train", "validate")],
        lambda c: [c[name]["dataset"]["args"].update(transform="#f(@pre_transforms)") for name in ("train", "validate")],
    ],
)
def test_a_key_that_nobody_surely_loads_may_lack(root: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    items = [{"image": "a.nii", "label": 3}, {"image": "a.nii"}]
    (root / "data.json").write_text(json.dumps({"training": items, "validation": items}))
    inspect(root, wrong(edit))


def test_a_loaded_file_of_any_key_must_be_there(root: Path) -> None:
    items = [{"image": "a.nii", "label": "b.nii", "prior": "lost.nii", "notes": "lost.txt"}]
    (root / "data.json").write_text(json.dumps({"training": items, "validation": items}))
    with pytest.raises(InputError, match=r"1 of the 3 files named by `training` .*\n  \[0\]\.prior: .*lost\.nii"):
        inspect(root, wrong(lambda c: c["train"]["pre_transforms"][0]["args"].update(keys=[*KEYS, "prior"])))


def test_an_unknown_class_is_told_once_with_all_its_places(root: Path) -> None:
    unknown = component("RandFlpd", keys=KEYS)
    with pytest.raises(InputError) as caught:
        inspect(root, wrong(lambda c: [c[name]["pre_transforms"].append(unknown) for name in ("train", "validate")]))
    assert str(caught.value).startswith("train.pre_transforms[2], validate.pre_transforms[1]: `RandFlpd` is no component")
    assert str(caught.value).count("`RandFlpd`") == 1


def test_places_are_those_of_the_file_that_the_program_uses(root: Path) -> None:
    (root / "config").mkdir()
    for name, text in (("config_train.json", config()), ("other.json", wrong(lambda c: c["train"]["model"].update(name="UNett")))):
        (root / "config" / name).write_text(json.dumps(text, indent=1))
    rendered = json.loads((root / "config" / "other.json").read_text())
    files = ["search.automl", str(root / "config" / "other.json")]
    with pytest.raises(InputError, match=r"config/other\.json:"):
        MmarTarget(str(root), root, {"trainconf": "config_train.json"}).inspect(rendered, ("dice",), files=files)


def test_folds_need_no_list_for_the_validation(root: Path) -> None:
    data = json.loads((root / "data.json").read_text())
    (root / "data.json").write_text(json.dumps({"training": data["training"]}))
    with pytest.raises(InputError, match="has no list `validation`"):
        inspect(root, config())
    MmarTarget(str(root), root, {}).inspect(config(), ("dice",), folds=True)


def test_a_label_of_another_shape_is_found_by_its_header(root: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 5), np.uint8), np.eye(4)), root / "b.nii")
    with pytest.raises(InputError, match=r"b\.nii: it has 4 x 4 x 5 voxels, the image 4 x 4 x 4"):
        inspect(root, config())


def test_several_mistakes_are_told_at_once(root: Path) -> None:
    (root / "a.nii").unlink()
    with pytest.raises(InputError) as caught:
        inspect(root, wrong(lambda c: c["train"]["model"].update(name="UNett")))
    assert "UNett" in str(caught.value)
    assert "1 of the 2 files named by `training` of the data list is not there" in str(caught.value)


def test_a_program_above_the_file_counts(root: Path) -> None:
    """What is rendered is looked at, and places are given as far as the file goes."""
    (root / "config").mkdir()
    (root / "config" / "config_train.json").write_text(json.dumps(config(), indent=1))
    changed = wrong(lambda c: c["train"].update(extra=component("Adam", params="@nothing")))
    with pytest.raises(InputError, match=r"train\.extra: Adam: `@nothing` is nothing in this config\n.*config_train\.json"):
        MmarTarget(str(root), root, {}).inspect(changed, ("dice",))
