"""The MONAI bundle of an MMAR's job: its network, its validation and its weights, in the syntax of `monai.bundle`.

`evaluate.json` is the config's own validation, so that it gives the score of the table; `inference.json` is the same without the
label, and writes label maps in the space of the images.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from automl_run.dsl.ir import Value
from automl_run.engine.targets.mmar import data_list
from automl_run.errors import InputError

from .folder import new_folder
from .inference import predictions_to_files, without_label
from .metadata import metadata
from .network import Network, probe
from .source import Trained
from .text import LICENSE, readme
from .translate import Translation

_IMPORTS: Final = [
    "$import glob",
    "$import os",
    "$import json",
    "$import torch",
    "$import numpy",
    "$import numpy as np",
    "$import ignite",
    "$import monai",
    "$import monai.data",
    "$import monai.handlers",
]
_DEVICE: Final = "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')"
_DATA_LIST: Final = "data_list.json"
_NEEDED: Final = ("dataset", "dataloader", "inferer", "key_metric", "evaluator")


def export(trained: Trained, out: Path) -> None:
    """Writes the bundle `out`. InputError where it exists, and for a config that no bundle can say; nothing is left behind then."""
    with new_folder(out) as folder:
        for name in ("configs", "models", "docs"):
            (folder / name).mkdir()
        translation = Translation(trained.config, trained.root)
        evaluator = _evaluator(trained, translation)
        parts = _parts(translation)
        items, base = _items(trained)
        _write(folder / "configs" / _DATA_LIST, {"validation": items})
        weights = _weights(trained.weights)
        torch.save(weights, folder / "models" / "model.pt")
        evaluate = _evaluate(parts, evaluator, base)
        _write(folder / "configs" / "evaluate.json", evaluate)
        _write(folder / "configs" / "inference.json", _inference(parts, evaluator, base, items))
        transforms = _transforms(parts["preprocessing"])
        network = _try_network(folder / "configs" / "evaluate.json", weights, parts["inferer"])
        _write(folder / "configs" / "metadata.json", metadata(trained, network, transforms, ours=bool(translation.ours)))
        if translation.custom:
            source = trained.root / "custom"
            if not source.is_dir():
                names = ", ".join(sorted(translation.custom))
                raise InputError(f"{names}: only modules in {source} can go into a bundle")
            shutil.copytree(source, folder / "custom", ignore=shutil.ignore_patterns("__pycache__"))
        text = readme(trained, out.name, custom=bool(translation.custom))
        (folder / "docs" / "README.md").write_text(text, encoding="utf-8")
        for name in ("LICENSE", "docs/license.txt"):
            (folder / name).write_text(LICENSE, encoding="utf-8")


# -- parts -------------------------------------------------------------------------------------------------------------------


def _evaluator(trained: Trained, translation: Translation) -> dict[str, Value]:
    section = trained.config.get("validate")
    missing = [key for key in _NEEDED if not isinstance(section, dict) or key not in section]
    if missing:
        raise InputError(f"the config of {trained.job.name} has no `validate.{missing[0]}`: a bundle needs it")
    if isinstance(section, dict):
        # What the config's own handlers write is of the training.
        section["handlers"] = []
    translation.part("train", "model")
    translation.part("validate", "evaluator")
    for key in ("pre_transforms", "dataset", "dataloader", "inferer", "key_metric"):
        translation.part("validate", key)
    evaluator = translation.parts.pop("evaluator")
    if not isinstance(evaluator, dict) or not str(evaluator.get("_target_", "")).startswith("monai.engines."):
        raise InputError("validate.evaluator is none of MONAI's: a bundle cannot run it")
    amp = evaluator.get("amp", False) is True and trained.config.get("amp") is not False
    return {**evaluator, "device": "@device", "amp": "$@device.type == 'cuda'" if amp else False, "val_handlers": "@handlers"}


def _parts(translation: Translation) -> dict[str, Value]:
    parts = dict(translation.parts)
    parts.pop("handlers", None)
    network = parts.pop("network")
    dataset = parts["dataset"]
    if not isinstance(dataset, dict):
        raise InputError("the config has no single `validate.dataset`")
    dataset.setdefault("data", "@dataset_data")
    return {"network_def": network, "network": "$@network_def.to(@device)", **parts}


def _transforms(chain: Value) -> list[Value]:
    found = chain.get("transforms") if isinstance(chain, dict) else None
    return found if isinstance(found, list) else []


def _items(trained: Trained) -> tuple[list[dict[str, Value]], Path]:
    """The validation list, and the folder that its paths are relative to."""
    section = trained.config["validate"]
    dataset = section.get("dataset") if isinstance(section, dict) else None
    source = data_list.source_of(dataset, trained.root, "validate.dataset") if isinstance(dataset, dict) else None
    if source is None:
        raise InputError("`validate.dataset` names no data list: a bundle would have no data to be evaluated on")
    items = data_list.resolved(source)
    paths = [Path(path) for item in items for value in item.values() for path in _texts(value) if Path(path).is_absolute()]
    base = Path(os.path.commonpath([path.parent for path in paths])) if paths else source.base
    return [{key: _relative(value, base) for key, value in item.items()} for item in items], base


def _texts(value: Value) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []


def _relative(value: Value, base: Path) -> Value:
    if isinstance(value, list):
        return [_relative(item, base) for item in value]
    return os.path.relpath(value, base) if isinstance(value, str) and Path(value).is_absolute() else value


# -- configs -----------------------------------------------------------------------------------------------------------------


def _head(base: Path) -> dict[str, Value]:
    return {"imports": list(_IMPORTS), "bundle_root": ".", "dataset_dir": str(base), "device": _DEVICE}


def _tail(evaluator: Mapping[str, Value]) -> dict[str, Value]:
    return {
        "evaluator": dict(evaluator),
        "checkpointloader": {
            "_target_": "monai.handlers.CheckpointLoader",
            "load_path": "$@bundle_root + '/models/model.pt'",
            "load_dict": {"model": "@network"},
            "map_location": "@device",
        },
        "initialize": ["$monai.utils.set_determinism(seed=0)", "$@checkpointloader(@evaluator)"],
        "run": ["$@evaluator.run()"],
        "finalize": [],
    }


def _evaluate(parts: Mapping[str, Value], evaluator: Mapping[str, Value], base: Path) -> dict[str, Value]:
    """The validation of the config. Its metrics go to `metrics.csv` in `output_dir`."""
    return {
        **_head(base),
        "output_dir": "$@bundle_root + '/eval'",
        "data_list_file_path": f"$@bundle_root + '/configs/{_DATA_LIST}'",
        "dataset_data": "$monai.data.load_decathlon_datalist(@data_list_file_path, True, 'validation', @dataset_dir)",
        **parts,
        "handlers": [
            {"_target_": "monai.handlers.StatsHandler", "iteration_log": False},
            {"_target_": "monai.handlers.MetricsSaver", "save_dir": "@output_dir", "metrics": "*"},
        ],
        **_tail(evaluator),
    }


def _inference(
    parts: Mapping[str, Value], evaluator: Mapping[str, Value], base: Path, items: Sequence[Mapping[str, Value]]
) -> dict[str, Value]:
    """All images of `datalist`, by default those of the validation, to label maps in `output_dir`."""
    metrics = ("key_metric", "additional_metrics")
    left: dict[str, Value] = {key: value for key, value in parts.items() if key not in metrics}
    before, after = _transforms(parts["preprocessing"]), _transforms(parts.get("postprocessing"))
    left["preprocessing"] = {"_target_": "monai.transforms.Compose", "transforms": without_label(before)}
    left["postprocessing"] = {"_target_": "monai.transforms.Compose", "transforms": predictions_to_files(after, "image")}
    silent = ("key_val_metric", "additional_metrics", "metric_cmp_fn")
    runs = {key: value for key, value in evaluator.items() if key not in silent}
    images: list[Value] = [item.get("image") for item in items]
    return {
        **_head(base),
        "output_dir": "$@bundle_root + '/eval'",
        "output_ext": ".nii.gz",
        "output_postfix": "seg",
        "images": images,
        "datalist": "$[[os.path.join(@dataset_dir, p) for p in i] if isinstance(i, list) else os.path.join(@dataset_dir, i)"
        " for i in @images]",
        "dataset_data": "$[{'image': i} for i in @datalist]",
        **left,
        "handlers": [{"_target_": "monai.handlers.StatsHandler", "iteration_log": False}],
        **_tail({**runs, "postprocessing": "@postprocessing"}),
    }


# -- the network ---------------------------------------------------------------------------------------------------------------


def _weights(file: Path) -> dict[str, Any]:
    """The state dict alone, as the specification wants it."""
    try:
        stored: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file makes of torch
        raise InputError(f"{file} cannot be read: {type(error).__name__}: {error}") from error
    model = stored.get("model", stored) if isinstance(stored, dict) else None
    if not isinstance(model, dict):
        raise InputError(f"{file} holds no state dict")
    return model


def _try_network(config: Path, weights: Mapping[str, Any], inferer: Value) -> Network:
    """What the network takes and gives; it also shows that the weights fit."""
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(str(config))
    network: Any = parser.get_parsed_content("network_def")
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"the weights do not fit the network of the config: {error}") from error
    roi = inferer.get("roi_size") if isinstance(inferer, dict) else None
    return probe(network, roi if isinstance(roi, list) else None)


def _write(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
