"""Configs of Clara 4.0, which left references between parts and the role of metrics to Clara."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from small_mmar import component, config_of_clara_4_0, make_mmar

from automl_run.dsl.load import load_mmar
from automl_run.engine.targets.mmar.outputs import Items, reading
from automl_run.engine.targets.mmar.wiring import wired


def test_what_is_not_given_is_wired() -> None:
    section = wired({
        "epochs": 3,
        "train": {
            "model": component("UNet"),
            "loss": component("DiceLoss"),
            "optimizer": [component("Adam", lr=1), {**component("SGD"), "disabled": True}],
            "lr_scheduler": component("StepLR", step_size=2),
            "pre_transforms": [],
            "dataset": {**component("PersistentDataset"), "data_list_file_path": "d.json"},
            "dataloader": component("DataLoader", batch_size=2),
            "handlers": [
                {"name": "LrScheduleHandler"},
                component("ValidationHandler#V"),
                component("CheckpointLoader", load_dict=["model"]),
            ],
            "metrics": [component("Accuracy"), {**component("MeanDice"), "is_key_metric": True}],
            "trainer": {"name": "SupervisedTrainer"},
        },
    })["train"]  # fmt: skip
    assert isinstance(section, dict)
    assert section["optimizer"] == [
        component("Adam", params="#@model.parameters()", lr=1),
        {**component("SGD", params="#@model.parameters()"), "disabled": True},
    ]
    assert section["lr_scheduler"] == component("StepLR", optimizer="@optimizer", step_size=2)
    assert section["dataset"] == {
        **component("PersistentDataset", transform="@pre_transforms", cache_dir=None),
        "data_list_file_path": "d.json",
    }
    assert section["handlers"] == [
        component("LrScheduleHandler", lr_scheduler="@lr_scheduler"),
        component("ValidationHandler#V", validator="@evaluator"),
        component("CheckpointLoader", load_dict={"model": "@model"}),
    ]
    assert section["key_metric"] == {**component("MeanDice"), "is_key_metric": True}
    assert section["additional_metrics"] == [component("Accuracy")]
    assert section["trainer"] == component(
        "SupervisedTrainer",
        train_data_loader="@dataloader",
        network="@model",
        loss_function="@loss",
        optimizer="@optimizer",
        key_train_metric="@key_metric",
        additional_metrics="@additional_metrics",
        train_handlers="@handlers",
        max_epochs=3,
    )


def test_a_config_of_clara_4_1_stays_as_it_is(tmp_path: Path) -> None:
    make_mmar(tmp_path / "m", training=1, validation=1)
    config = json.loads((tmp_path / "m" / "config" / "config_train.json").read_text())
    before = copy.deepcopy(config)
    assert wired(config) == before
    assert config == before


def test_its_key_metric_is_the_objective(tmp_path: Path) -> None:
    root = make_mmar(tmp_path / "m", config_of_clara_4_0(), training=1, validation=1)
    (root / "config" / "config_automl.json").write_text("{}")
    checked = load_mmar(root)
    assert checked.program is not None, checked.rendered()
    (objective,) = checked.program.study.objectives
    key = json.loads((root / "config" / "config_train.json").read_text())["validate"]["metrics"][1]
    assert objective.metric == key["log_label"]


def test_old_functions_read_what_todays_engines_put_out() -> None:
    output = [{"pred": 1, "loss": 0.5}, {"pred": 2, "loss": 0.5}]
    assert reading(lambda x: x["loss"])(output) == 0.5
    assert reading(lambda x: x[0]["loss"])(output) == 0.5
    assert reading(lambda x: (x["pred"], len(x)))(output) == ([1, 2], 2)
    assert reading(lambda x: x["loss"])({"loss": 3}) == 3
    assert reading(lambda x: x)([]) == []
    with pytest.raises(KeyError):
        Items(output)["label"]
