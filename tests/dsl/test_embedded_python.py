"""Python in the texts of a base: what no job could evaluate is told with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from automl_run.dsl.load import Checked, check


def clara(folder: Path, argument: str, model: str = "UNet", **optimizer: Any) -> Checked:
    config = {
        "train": {
            "model": {"path" if "." in model else "name": model, "args": {"spatial_dims": 3, "in_channels": 1, "out_channels": 2,
                      "channels": [2], "strides": []}},
            "optimizer": {"name": "Adam", "args": {"params": argument}, **optimizer},
        }
    }  # fmt: skip
    path = folder / "config_train.json"
    path.write_text(json.dumps(config))
    return check(path)


def told(checked: Checked) -> list[tuple[str, str]]:
    return [(found.message, found.help) for found in checked.diagnostics if found.code == "AM223"]


@pytest.mark.parametrize(
    ("argument", "message", "help"),
    [
        ("#@model.parameters(", "`#@model.parameters(` is no Python expression: '(' was never closed", ""),
        ("lambda x:", "`lambda x:` is no Python expression", ""),
        ("#", "`#` is no Python expression", ""),
        ("#mona.data", "`#mona.data` reads `mona`, which nothing is called here", "did you mean `monai`?"),
        ("lambda x: y", "`lambda x: y` reads `y`", "known here"),
        ("#@model.parametrs()", "reads `parametrs`, which no network has", "did you mean `parameters`?"),
        ("#f(\x00)", "is no Python expression", ""),
    ],
)
def test_of_clara(tmp_path: Path, argument: str, message: str, help: str) -> None:
    checked = clara(tmp_path, argument)
    ((said, helped),) = told(checked)
    assert message in said
    assert help in helped
    assert not checked.ok
    (span,) = (found.span for found in checked.diagnostics if found.code == "AM223")
    assert checked.sources[span.file].text[span.start : span.end] == json.dumps(argument)


@pytest.mark.parametrize(
    "argument",
    [
        "#@model.parameters()",
        "#[p for p in @model.parameters() if p.requires_grad]",
        "#list(filter(lambda p: p.requires_grad, @model.parameters()))",
        "lambda x, *rest, key=None: (x, rest, key)",
        "#np.ones(2) @ numpy.ones(2)",
        "#@model.module.parameters()",
        "#@model.encoder.parametrs",
        "#{EPOCHS} +",
        "no # expression",
    ],
)
def test_what_may_be_right_is_left_alone(tmp_path: Path, argument: str) -> None:
    assert told(clara(tmp_path, argument)) == []


def test_a_network_of_the_users_own_may_have_any_method(tmp_path: Path) -> None:
    assert told(clara(tmp_path, "#@model.parametrs()", model="mine.Net")) == []


def test_what_is_off_is_not_read(tmp_path: Path) -> None:
    assert told(clara(tmp_path, "#(", disabled=True)) == []


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("$@network.parameters(", "'(' was never closed"),
        ("$[p for p in @network.parameters()]", ""),
        ("$import glob", ""),
        ("$from glob import", "is no Python expression"),
        ("$x = 1", "is no Python expression"),
        ("$@network::dropout + 1", ""),
    ],
)
def test_of_a_bundle(tmp_path: Path, expression: str, message: str) -> None:
    config = {"network": {"_target_": "UNet", "dropout": 0.1}, "optimizer": expression, "run": ["$@optimizer"], "unread": "$("}
    (tmp_path / "b" / "configs").mkdir(parents=True)
    (tmp_path / "b" / "configs" / "train.json").write_text(json.dumps(config))
    file = tmp_path / "s.automl"
    file.write_text(
        'automl 1\nuse "b/configs/train.json"\nstudy { target = Bundle("b"), maximize dice }\nnetwork.dropout ~ 0.0..0.5\n'
    )
    checked = check(file)
    assert len(told(checked)) == (1 if message else 0)
    assert message in "".join(said for said, _ in told(checked))
