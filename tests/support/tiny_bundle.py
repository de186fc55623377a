"""A small MONAI bundle: volumes of a brain, a network of the bundle's own code, every form of MONAI's syntax."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from brain import write_pairs

NETWORK = '''
import torch


class Layers(torch.nn.Module):
    """The bundle's own."""

    def __init__(self, width, depth=1):
        super().__init__()
        sizes = [1] + [width] * depth
        self.layers = torch.nn.Sequential(
            *[m for a, b in zip(sizes, sizes[1:]) for m in (torch.nn.Conv3d(a, b, 3, padding=1), torch.nn.ReLU())],
            torch.nn.Conv3d(width, 2, 1),
        )

    def forward(self, x):
        return self.layers(x)
'''

LOGGING = """[loggers]
keys=root
[handlers]
keys=console
[formatters]
keys=plain
[logger_root]
level=INFO
handlers=console
[handler_console]
class=StreamHandler
level=INFO
formatter=plain
args=(sys.stdout,)
[formatter_plain]
format=bundle says: %(message)s
"""


def config() -> dict[str, Any]:
    """A training configuration. Both separators of ids, macros, references, expressions, switched-off parts."""
    load = [
        {"_target_": "LoadImaged", "keys": "@keys"},
        {"_target_": "EnsureChannelFirstd", "keys": "@keys"},
        {"_target_": "ScaleIntensityd", "keys": "image"},
    ]
    return {
        "imports": ["$import glob", "$import os"],
        "keys": ["image", "label"],
        "bundle_root": ".",
        "ckpt_dir": "$@bundle_root + '/models'",
        "output_dir": "$@bundle_root + '/eval'",
        "dataset_dir": "data",
        "images": "$sorted(glob.glob(os.path.join(@dataset_dir, 'image*.nii.gz')))",
        "items": "$[{'image': i, 'label': i.replace('image', 'label')} for i in @images]",
        "epochs": 2,
        "device": "$torch.device('cuda:0')",
        "network_def": {"_target_": "scripts.network.Layers", "width": 2},
        "network": "$@network_def.to(@device)",
        "loss": {"_target_": "DiceCELoss", "to_onehot_y": True, "softmax": True},
        "optimizer": {"_target_": "torch.optim.Adam", "params": "$@network.parameters()", "lr": 0.01},
        "banner": {"_target_": "$print", "_desc_": "an expression that gives a function", "sep": "-"},
        "train": {
            "transforms": load,
            "random": [{"_target_": "RandFlipd", "keys": "@keys", "prob": 0.5, "spatial_axis": 0}],
            "preprocessing": {"_target_": "Compose", "transforms": "$@train#transforms + @train#random"},
            "dataset": {"_target_": "Dataset", "data": "$@items[:-1]", "transform": "@train::preprocessing"},
            "dataloader": {"_target_": "DataLoader", "dataset": "@train#dataset", "batch_size": 2, "shuffle": True},
            "postprocessing": {
                "_target_": "Compose",
                "transforms": [
                    {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                    {"_target_": "AsDiscreted", "keys": ["pred", "label"], "argmax": [True, False], "to_onehot": 2},
                ],
            },
            "handlers": [
                {"_target_": "ValidationHandler", "validator": "@validate#evaluator", "interval": 1},
                {"_target_": "StatsHandler", "tag_name": "train_loss", "output_transform": "$lambda x: x[0]['loss']"},
                {
                    "_target_": "CheckpointLoader",
                    "_disabled_": "$not os.path.exists('nowhere.pt')",
                    "load_path": "nowhere.pt",
                    "load_dict": {"model": "@network"},
                },
            ],
            "trainer": {
                "_target_": "SupervisedTrainer",
                "_requires_": "@banner",
                "max_epochs": "@epochs",
                "device": "@device",
                "train_data_loader": "@train#dataloader",
                "network": "@network",
                "loss_function": "@loss",
                "optimizer": "@optimizer",
                "postprocessing": "@train#postprocessing",
                "train_handlers": "@train#handlers",
                "amp": True,
            },
        },
        "validate": _validate(),
        "initialize": ["$monai.utils.set_determinism(seed=7)"],
        "run": ["$@train#trainer.run()"],
        "finalize": ["$print('finalized')"],
    }


def _validate() -> dict[str, Any]:
    outputs = "$monai.handlers.from_engine(['pred', 'label'])"
    return {
        "dataset": {
            "_target_": "Dataset",
            "data": "$@items[-1:]",
            "transform": {"_target_": "Compose", "transforms": "%train#transforms"},
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@validate#dataset", "num_workers": 0},
        "postprocessing": "%train#postprocessing",
        "handlers": [
            {"_target_": "StatsHandler", "iteration_log": False},
            {
                "_target_": "CheckpointSaver",
                "save_dir": "@ckpt_dir",
                "save_dict": {"model": "@network"},
                "save_key_metric": True,
                "key_metric_filename": "model.pt",
            },
        ],
        "key_metric": {"val_mean_dice": {"_target_": "MeanDice", "include_background": False, "output_transform": outputs}},
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@validate#dataloader",
            "network": "@network",
            "postprocessing": "@validate#postprocessing",
            "key_val_metric": "@validate#key_metric",
            "additional_metrics": {"val_accuracy": {"_target_": "ignite.metrics.Accuracy", "output_transform": outputs}},
            "val_handlers": "@validate#handlers",
            "amp": True,
        },
    }


def make(root: Path, content: dict[str, Any] | None = None, count: int = 3, size: int = 12) -> Path:
    """The bundle at `root`: configs/, scripts/, data/, and a file in models/ that nothing names."""
    for name in ("configs", "scripts", "data", "models"):
        (root / name).mkdir(parents=True)
    (root / "configs" / "train.json").write_text(json.dumps(config() if content is None else content, indent=2))
    (root / "configs" / "metadata.json").write_text(json.dumps({"version": "0.1.0", "network_data_format": {}}))
    (root / "configs" / "logging.conf").write_text(LOGGING)
    (root / "scripts" / "__init__.py").touch()
    (root / "scripts" / "network.py").write_text(NETWORK)
    (root / "models" / "model.pt").write_bytes(b"the user's own")
    write_pairs(root / "data", count, size)
    return root
