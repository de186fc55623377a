"""The MONAI bundle of a bundle's job: the user's bundle with what was found in it, and the weights that were trained.

`train.json` is what the job ran; `evaluate.json` is its validation by itself, so that it gives the score of the table.
"""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from automl_run.dsl.ir import Value
from automl_run.engine.agent.folders import ABOUT, CHECKPOINTS
from automl_run.engine.files import BEST_INFO
from automl_run.engine.targets.bundle.layout import COMMAND
from automl_run.errors import InputError

from .folder import new_folder
from .metadata import metadata
from .network import Network, probe
from .source import Trained
from .text import LICENSE, readme
from .validation import validation

#: What a job, and `best/`, have beside the bundle.
_ASIDE: Final = ABOUT | {CHECKPOINTS, "config", "commands", COMMAND, BEST_INFO, "eval", "AUTOML.md"}
_TRAIN: Final = "train.json"


def export(trained: Trained, out: Path) -> None:
    """Writes the bundle `out`. InputError where it exists, and for a configuration without a validation; nothing is left then."""
    out = out.absolute()
    with new_folder(out) as folder:
        _copy(trained.folder, folder)
        configs = folder / "configs"
        config = _read(configs / _TRAIN)
        with tempfile.TemporaryDirectory() as output, validation(trained, Path(output), judged=False) as found:
            roi = getattr(found.evaluator.inferer, "roi_size", None)
            network = probe(found.network, list(roi) if isinstance(roi, (list, tuple)) else None)
        _write(configs / "evaluate.json", _evaluate(config))
        if (configs / "inference.json").is_file():
            inference = _read(configs / "inference.json")
            _write(configs / "inference.json", _found_in(inference, config, _original(trained)))
        _write(configs / "metadata.json", _metadata(trained, network, configs / "metadata.json"))
        (folder / "docs").mkdir(exist_ok=True)
        about = folder / "docs" / "README.md"
        about = about if not about.exists() else folder / "docs" / "AUTOML.md"
        about.write_text(
            readme(trained, out.name, custom=False, inference=(configs / "inference.json").is_file()), encoding="utf-8"
        )
        if not any(folder.glob("LICENSE*")):
            (folder / "LICENSE").write_text(LICENSE, encoding="utf-8")


def _copy(source: Path, folder: Path) -> None:
    """Data that the job's folder only links to stay links."""
    for entry in sorted(source.iterdir()):
        if entry.name in _ASIDE or entry.name.startswith(("attempt_", ".")):
            continue
        if entry.name == "README.md" and (source / BEST_INFO).is_file():
            continue  # says what best/ is
        if entry.is_symlink():
            (folder / entry.name).symlink_to(entry.resolve())
        elif entry.is_dir():
            shutil.copytree(
                entry, folder / entry.name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "model_final.pt")
            )
        else:
            shutil.copy2(entry, folder / entry.name)


def _evaluate(config: Mapping[str, Value]) -> dict[str, Value]:
    """`run` is the validation, with the trained weights; its metrics go to `metrics.csv` in `output_dir`."""
    new: dict[str, Any] = copy.deepcopy(dict(config))
    evaluator = new["validate"]["evaluator"]
    evaluator["val_handlers"] = "@evaluate_handlers"
    new.setdefault("output_dir", "$@bundle_root + '/eval'")
    new["evaluate_handlers"] = [
        {"_target_": "monai.handlers.StatsHandler", "iteration_log": False},
        {"_target_": "monai.handlers.MetricsSaver", "save_dir": "@output_dir", "metrics": "*"},
    ]
    new["evaluate_checkpoint"] = {
        "_target_": "monai.handlers.CheckpointLoader",
        "load_path": "$@bundle_root + '/models/model.pt'",
        "load_dict": {"model": evaluator["network"]},
        "map_location": "cpu",
    }
    new["initialize"] = ["$@evaluate_checkpoint(@validate#evaluator)"]
    new["run"] = ["$@validate#evaluator.run()"]
    new["finalize"] = []
    return new


def _original(trained: Trained) -> Mapping[str, Value]:
    """The user's own training configuration, {} where it cannot be read as JSON."""
    for place in (trained.root / "configs", trained.root):
        try:
            found = json.loads((place / _TRAIN).read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(found, dict):
            return found
    return {}


def _found_in(inference: Mapping[str, Value], config: Mapping[str, Value], before: Mapping[str, Value]) -> dict[str, Value]:
    """The bundle's own inference with what the search has changed of parts that both have, its network above all."""
    changed = {key for key, value in config.items() if before.get(key) != value} - {"bundle_root", "device", "initialize", "run"}
    changed |= {"network_def"}
    return {key: config[key] if key in changed and key in config else value for key, value in inference.items()}


def _metadata(trained: Trained, network: Network, file: Path) -> dict[str, Any]:
    """What the bundle says of itself goes before what is known of the run, but for what the search has made new."""
    ours = metadata(trained, network, (), ours=False)
    own = _read(file) if file.is_file() else {}
    said = own.get("network_data_format")
    new = {"eval_metrics", "search", "monai_version", "pytorch_version", "numpy_version"}
    if not (isinstance(said, dict) and said.get("inputs") and said.get("outputs")):
        new.add("network_data_format")
    version = str(own.get("version", ours["version"]))
    log = own.get("changelog")
    changes = {**(log if isinstance(log, dict) else {}), f"{version}+{trained.job.name}": ours["changelog"]["0.1.0"]}
    return {**ours, **{key: value for key, value in own.items() if key not in new}, "changelog": changes, "version": version}


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{file.name} of the bundle cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{file.name} of the bundle is no object")
    return found


def _write(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, indent=4, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
