"""A whole MMAR on small volumes of a brain, which trains in a second: white matter, two classes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from brain import write_pairs

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


def make_mmar(root: Path, config: dict[str, Any] | None = None, *, training: int = 4, validation: int = 2, size: int = 16) -> Path:
    """`root` with its data list, volumes and `config`, the one below if none is given."""
    (root / "config").mkdir(parents=True, exist_ok=True)
    items = write_pairs(root, training + validation, size)
    (root / "data.json").write_text(json.dumps({"training": items[:training], "validation": items[training:]}, indent=2))
    text = json.dumps(training_config() if config is None else config, indent=2)
    (root / "config" / "config_train.json").write_text(text)
    return root


def make_study(folder: Path, config: dict[str, Any] | None = None, *, trials: int = 2, more: str = "", **mmar: int) -> Path:
    """A program beside such an MMAR; `more` is said in its study."""
    make_mmar(folder / "mmar", config, **mmar)
    file = folder / "small.automl"
    file.write_text(PROGRAM.format(trials=trials, more=more))
    return file


def training_config(epochs: int = 1) -> dict[str, Any]:
    """Clara's form, with all that has a state in a checkpoint: optimizer, schedule, dropout, shuffling, a random transform."""
    keys = ["image", "label"]
    inferer = component("SlidingWindowInferer", roi_size=[16, 16, 16], sw_batch_size=1, overlap=0.5)
    return {
        "epochs": epochs,
        "num_interval_per_valid": 1,
        "amp": False,
        "determinism": {"random_seed": 7},
        "train": {
            "loss": component("DiceLoss", to_onehot_y=True, softmax=True),
            "optimizer": component("Adam", params="#@model.parameters()", lr=0.01),
            "lr_scheduler": component("StepLR", optimizer="@optimizer", step_size=1, gamma=0.9),
            "model": component("UNet", spatial_dims=3, in_channels=1, out_channels=2, channels=[4, 8], strides=[2], dropout=0.1),
            "pre_transforms": [
                component("LoadImaged", keys=keys),
                component("EnsureChannelFirstd", keys=keys),
                component("ScaleIntensityd#Scale", keys="image"),
                component("RandFlipd", keys=keys, prob=0.5, spatial_axis=0),
            ],
            "dataset": _dataset("training"),
            "dataloader": component("DataLoader", dataset="@dataset", batch_size=1, shuffle=True, num_workers=0),
            "inferer": {"name": "SimpleInferer"},
            "handlers": [
                component("ValidationHandler", validator="@evaluator", epoch_level=True, interval=1),
                component("LrScheduleHandler", lr_scheduler="@lr_scheduler", print_lr=False),
            ],
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
            "dataloader": component("DataLoader", dataset="@dataset", batch_size=1, num_workers=0),
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


def config_of_clara_4_0() -> dict[str, Any]:
    """The same as Clara 4.0 had it: nothing is wired."""
    config = training_config()
    train, validate = config["train"], config["validate"]
    parts = ("optimizer", "lr_scheduler", "dataset", "dataloader")
    for part in (*(section[name] for section in (train, validate) for name in parts if name in section), *train["handlers"]):
        for name in ("params", "optimizer", "transform", "dataset", "validator", "lr_scheduler"):
            part["args"].pop(name, None)
    train["handlers"].append(component("CheckpointSaver", save_dir="models", save_dict=["model", "optimizer"], save_final=True))
    train["handlers"].append(component("StatsHandler", tag_name="train_loss", output_transform="lambda x: x['loss']"))
    key = validate.pop("key_metric")
    key["args"]["output_transform"] = "lambda x: (x['pred'], x['label'])"
    other = {**copy.deepcopy(key), "log_label": "with_background", "args": {**key["args"], "include_background": True}}
    validate["metrics"] = [other, {**key, "is_key_metric": True}]
    train["trainer"] = {"name": "SupervisedTrainer", "args": {"max_epochs": "{epochs}"}}
    validate["evaluator"] = {"name": "SupervisedEvaluator"}
    return config
