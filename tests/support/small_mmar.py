"""A whole MMAR on small volumes, which trains in a second."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

#: voxel -> world: anisotropic, and not in the origin
AFFINE = np.array([[1.5, 0, 0, -10], [0, 1.5, 0, 5], [0, 0, 2.0, 3], [0, 0, 0, 1]])
PROGRAM = """automl 1
use "mmar/config/config_train.json"
study "small" {{
  target = Mmar("mmar")
  controller = Random()
  budget {{ trials = {trials} }}
  {more}
}}
train.optimizer.lr = 0.01 ~ log 1e-3..1e-1
"""


def component(name: str, /, **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args}


def make_mmar(root: Path, *, training: int = 4, validation: int = 2, size: int = 16) -> Path:
    """`root` with its data list, volumes and config: two classes, one epoch."""
    (root / "config").mkdir(parents=True)
    items = [_volume(root, index, size) for index in range(training + validation)]
    (root / "data.json").write_text(json.dumps({"training": items[:training], "validation": items[training:]}))
    (root / "config" / "config_train.json").write_text(json.dumps(training_config(), indent=2))
    return root


def make_study(folder: Path, *, trials: int = 2, more: str = "", **mmar: int) -> Path:
    """A program beside such an MMAR."""
    make_mmar(folder / "mmar", **mmar)
    file = folder / "small.automl"
    file.write_text(PROGRAM.format(trials=trials, more=more))
    return file


def _volume(root: Path, index: int, size: int) -> dict[str, str]:
    """A ball in noise."""
    rng = np.random.default_rng(index)
    grid = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"))
    label = (np.linalg.norm(grid - size / 2 - index % 3, axis=0) < size / 4).astype(np.float32)
    image = 100 * label + rng.normal(0, 20, label.shape).astype(np.float32)
    for name, data in (("image", image), ("label", label)):
        nibabel.save(nibabel.Nifti1Image(data, AFFINE), root / f"{name}{index}.nii.gz")
    return {"image": f"image{index}.nii.gz", "label": f"label{index}.nii.gz"}


def training_config() -> dict[str, Any]:
    keys = ["image", "label"]
    loader = component("DataLoader", dataset="@dataset", batch_size=1, num_workers=0)
    inferer = component("SlidingWindowInferer", roi_size=[16, 16, 16], sw_batch_size=1, overlap=0.5)
    return {
        "epochs": 1,
        "num_interval_per_valid": 1,
        "amp": False,
        "determinism": {"random_seed": 7},
        "train": {
            "loss": component("DiceLoss", to_onehot_y=True, softmax=True),
            "optimizer": component("Adam", params="#@model.parameters()", lr=0.01),
            "model": component("UNet", spatial_dims=3, in_channels=1, out_channels=2, channels=[4, 8], strides=[2]),
            "pre_transforms": [
                component("LoadImaged", keys=keys),
                component("EnsureChannelFirstd", keys=keys),
                component("ScaleIntensityd#Scale", keys="image"),
                component("RandFlipd", keys=keys, prob=0.5, spatial_axis=0),
            ],
            "dataset": _dataset("training"),
            "dataloader": loader,
            "inferer": {"name": "SimpleInferer"},
            "handlers": [component("ValidationHandler", validator="@evaluator", epoch_level=True, interval=1)],
            "trainer": component(
                "SupervisedTrainer",
                max_epochs="{epochs}",
                train_data_loader="@dataloader",
                network="@model",
                loss_function="@loss",
                optimizer="@optimizer",
                inferer="@inferer",
                train_handlers="@handlers",
            ),
        },
        "validate": {
            "pre_transforms": [{"ref": "LoadImaged"}, {"ref": "EnsureChannelFirstd"}, {"ref": "Scale"}],
            "dataset": _dataset("validation"),
            "dataloader": loader,
            "inferer": inferer,
            "post_transforms": [
                component("Activationsd", keys="pred", softmax=True),
                component("AsDiscreted", keys=["pred", "label"], argmax=[True, False], to_onehot=2),
            ],
            "key_metric": {
                **component(
                    "MeanDice", include_background=False, output_transform="#monai.handlers.from_engine(['pred', 'label'])"
                ),
                "log_label": "val_mean_dice",
            },
            "evaluator": component(
                "SupervisedEvaluator",
                val_data_loader="@dataloader",
                network="@model",
                inferer="@inferer",
                postprocessing="@post_transforms",
                key_val_metric="@key_metric",
            ),
        },
    }


def _dataset(key: str) -> dict[str, Any]:
    return {
        **component("CacheDataset", transform="@pre_transforms", progress=False, num_workers=0),
        "data_list_file_path": "data.json",
        "data_list_key": key,
    }


def of_clara_4_0(root: Path) -> dict[str, Any]:
    """The small MMAR's config as Clara 4.0 had it: nothing is wired."""
    config: dict[str, Any] = json.loads((root / "config" / "config_train.json").read_text())
    train, validate = config["train"], config["validate"]
    for part in (train["optimizer"], train["dataset"], validate["dataset"], train["dataloader"], validate["dataloader"]):
        for name in ("params", "transform", "dataset"):
            part["args"].pop(name, None)
    for handler in train["handlers"]:
        handler["args"].pop("validator", None)
    train["handlers"].append(component("CheckpointSaver", save_dir="models", save_dict=["model", "optimizer"], save_final=True))
    train["handlers"].append(component("StatsHandler", tag_name="train_loss", output_transform="lambda x: x['loss']"))
    key = validate.pop("key_metric")
    key["args"]["output_transform"] = "lambda x: (x['pred'], x['label'])"
    other = {**copy.deepcopy(key), "log_label": "with_background", "args": {**key["args"], "include_background": True}}
    validate["metrics"] = [other, {**key, "is_key_metric": True}]
    train["trainer"] = {"name": "SupervisedTrainer", "args": {"max_epochs": "{epochs}"}}
    validate["evaluator"] = {"name": "SupervisedEvaluator"}
    return config
