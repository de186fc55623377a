"""The validation of a trained job as objects: its evaluator, its network and its post-processing, whatever the target.

The evaluators are MONAI's: in an MMAR `validate.evaluator`, in a bundle `validate#evaluator`.
"""

from __future__ import annotations

import contextlib
import copy
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from monai.transforms import Compose

from automl_run.dsl.ir import Value
from automl_run.errors import InputError

from .source import Trained

#: What an evaluator judges with, and what it writes.
_METRICS: Final = ("key_val_metric", "additional_metrics")
_HANDLERS: Final = "val_handlers"


@dataclass(frozen=True, slots=True)
class Validation:
    """`post`: its transforms may be changed, the evaluator has this very object; None where it has no post-processing."""

    evaluator: Any
    network: Any
    post: Compose | None


@contextlib.contextmanager
def validation(trained: Trained, output: Path, *, judged: bool) -> Iterator[Validation]:
    """With the job's weights, and without its handlers; `judged`: with its metrics. A bundle works in its own folder meanwhile.

    InputError where there is none, or the weights do not fit.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    here, path = Path.cwd(), list(sys.path)
    try:
        match trained.spec.target.name:
            case "Mmar":
                found = _of_mmar(trained, output, device, judged)
            case "Bundle":
                found = _of_bundle(trained, device, judged)
            case other:
                raise InputError(f"a job of {other} validates in its own code: there is nothing to be run here")
        _load(found.network, trained, device)
        found.network.eval()
        yield found
    finally:
        os.chdir(here)
        sys.path[:] = path


def _of_mmar(trained: Trained, output: Path, device: torch.device, judged: bool) -> Validation:
    from automl_run.engine.targets.mmar.build import Build

    config = copy.deepcopy(trained.config)
    section = config.get("validate")
    if not isinstance(section, dict) or not isinstance(section.get("evaluator"), dict):
        raise InputError(f"the config of {trained.job.name} has no single `validate.evaluator`")
    section["handlers"] = []
    evaluator = section["evaluator"]
    _strip(evaluator.get("args") if isinstance(evaluator, dict) else None, judged)
    build = Build(config, trained.root, output, device, amp=False)
    network = build.part("train", "model")
    post = build.part("validate", "post_transforms") if "post_transforms" in section else None
    return Validation(build.part("validate", "evaluator"), network, post if isinstance(post, Compose) else None)


def _of_bundle(trained: Trained, device: torch.device, judged: bool) -> Validation:
    import json

    from monai.bundle import ConfigParser

    from automl_run.engine.targets.bundle import host

    file = trained.folder / "configs" / "train.json"
    try:
        config = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    section = config.get("validate")
    if not isinstance(section, dict) or not isinstance(section.get("evaluator"), dict):
        raise InputError(f"{file} has no `validate#evaluator`: there is no validation to be run")
    _strip(section["evaluator"], judged)
    if device.type == "cpu":
        config = host.without_gpu(config)
    os.chdir(trained.folder)
    sys.path.insert(0, str(trained.folder))
    parser = ConfigParser(config)
    evaluator = parser.get_parsed_content("validate::evaluator")
    said = section["evaluator"].get("postprocessing")
    post: Any = None
    if isinstance(said, str) and said.startswith("@"):
        post = parser.get_parsed_content(said[1:].replace("#", "::"))
    elif said is not None:
        raise InputError(f"{file}: `validate#evaluator#postprocessing` is no reference to a part of its own")
    return Validation(evaluator, evaluator.network, post if isinstance(post, Compose) else None)


def _strip(arguments: Value, judged: bool) -> None:
    if isinstance(arguments, dict):
        arguments.pop(_HANDLERS, None)
        for name in () if judged else _METRICS:
            arguments.pop(name, None)


def _load(network: Any, trained: Trained, device: torch.device) -> None:
    try:
        stored: Any = torch.load(trained.weights, map_location=device, weights_only=True)
        network.load_state_dict(stored["model"] if set(stored) >= {"model"} else stored)
    except (OSError, RuntimeError, TypeError, KeyError) as error:
        raise InputError(f"{trained.weights} does not fit the network of its configuration: {error}") from error
