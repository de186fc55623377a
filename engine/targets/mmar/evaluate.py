"""Scores trained weights with a config's own `validate` section, on any list of its data file."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch

from automl_run.dsl.ir import Value
from automl_run.engine.targets.training.session import number
from automl_run.errors import InputError, JobError

from .build import Build


def evaluate(config: dict[str, Value], root: Path, weights: Path, data_list_key: str, output: Path) -> dict[str, float]:
    """The metrics, by their log labels, of the weights in `weights` ({"model": state dict}) on the items under `data_list_key`.

    `config`: rendered. `root`: of the MMAR. Handlers of the config that write do so under `output`.
    """
    config = copy.deepcopy(config)
    section = config.get("validate")
    dataset = section.get("dataset") if isinstance(section, dict) else None
    if not isinstance(dataset, dict):
        raise InputError("the config has no single `validate.dataset`")
    dataset["data_list_key"] = data_list_key
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    build = Build(config, root, output, device, amp=False)
    model: Any = build.part("train", "model")
    evaluator: Any = build.part("validate", "evaluator")
    try:
        model.load_state_dict(torch.load(weights, map_location=device, weights_only=True)["model"])
    except (OSError, KeyError, RuntimeError) as error:
        raise JobError("user_error", f"{weights} does not fit train.model: {error}") from error
    evaluator.run()
    return {name: found for name, value in evaluator.state.metrics.items() if (found := number(value)) is not None}
