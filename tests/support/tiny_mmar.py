"""An MMAR that trains in a second: balls in noise, 16^3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

_KEYS = ["image", "label"]


def component(name: str, /, **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args}


def write_mmar(folder: Path, epochs: int, training: int = 4, validation: int = 2) -> dict[str, Any]:
    """Makes the MMAR in `folder`; its config, as `config/config_train.json` has it."""
    (folder / "config").mkdir(parents=True)
    items = _volumes(folder, training + validation)
    (folder / "data.json").write_text(json.dumps({"training": items[:training], "validation": items[training:]}))
    config = _config(epochs)
    (folder / "config" / "config_train.json").write_text(json.dumps(config, indent=2))
    return config


def _volumes(folder: Path, count: int, size: int = 16) -> list[dict[str, str]]:
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"))
    items = []
    for index in range(count):
        label = (np.linalg.norm(grid - size / 2 - index % 3, axis=0) < size / 4).astype(np.float32)
        volumes = {"image": 100 * label + rng.normal(0, 20, label.shape).astype(np.float32), "label": label}
        for name, data in volumes.items():
            nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), folder / f"{name}{index}.nii.gz")
        items.append({name: f"{name}{index}.nii.gz" for name in volumes})
    return items


def _dataset(key: str) -> dict[str, Any]:
    cache = component("CacheDataset", transform="@pre_transforms", progress=False)
    return {**cache, "data_list_file_path": "data.json", "data_list_key": key}


def _config(epochs: int) -> dict[str, Any]:
    load = [
        component("LoadImaged", keys=_KEYS),
        component("EnsureChannelFirstd", keys=_KEYS),
        component("ScaleIntensityd", keys="image"),
    ]
    metric = component("MeanDice", output_transform="#monai.handlers.from_engine(['pred', 'label'])")
    return {
        "epochs": epochs,
        "train": {
            "loss": component("DiceLoss", to_onehot_y=True, softmax=True),
            "optimizer": component("Adam", params="#@model.parameters()", lr=0.01),
            "lr_scheduler": component("StepLR", optimizer="@optimizer", step_size=1, gamma=0.9),
            "model": component("UNet", spatial_dims=3, in_channels=1, out_channels=2, channels=[4, 8], strides=[2], dropout=0.1),
            "pre_transforms": [*load, component("RandFlipd", keys=_KEYS, prob=0.5, spatial_axis=0)],
            "dataset": _dataset("training"),
            "dataloader": component("DataLoader", dataset="@dataset", batch_size=1, shuffle=True),
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
            "pre_transforms": load,
            "dataset": _dataset("validation"),
            "dataloader": component("DataLoader", dataset="@dataset", batch_size=1),
            "inferer": {"name": "SimpleInferer"},
            "post_transforms": [component("AsDiscreted", keys=["pred", "label"], argmax=[True, False], to_onehot=2)],
            "key_metric": {**metric, "log_label": "dice"},
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
