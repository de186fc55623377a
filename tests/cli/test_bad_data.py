"""Data that no job could use and a key metric that is not there: told before the first job, with the place in the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_bundle
from brain import save
from small_mmar import make_study, training_config

from automl_run.cli.main import main

BUNDLE = """automl 1
use "bundle/configs/train.json"
study "wrong" {{
  {more}
  budget {{ trials = 1 }}
}}
optimizer.lr ~ log 1e-3..1e-1
"""


def bundle_study(folder: Path, more: str = "", content: dict[str, object] | None = None) -> Path:
    tiny_bundle.make(folder / "bundle", content)
    file = folder / "wrong.automl"
    file.write_text(BUNDLE.format(more=more))
    return file


def spoil(data: Path) -> None:
    """A label of two subjects to train on is not there, that of the one to validate on has another shape than its image."""
    (data / "label0.nii.gz").unlink()
    save(data / "label2.nii.gz", np.zeros((10, 10, 10), np.float32))


def line_of(file: Path, text: str) -> int:
    before, found, _ = file.read_text().partition(text)
    assert found, text
    return before.count("\n") + 1


def told(file: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says of a program that is refused, having written nothing."""
    before = sorted(file.parent.rglob("*"))
    assert main([str(file), "--run-id", "a"]) == 2
    assert sorted(file.parent.rglob("*")) == before
    return capsys.readouterr().err


def test_all_that_is_wrong_with_an_mmar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = training_config()
    wrong["validate"]["evaluator"]["args"]["key_val_metric"] = "@key_metrics"
    file = make_study(tmp_path, wrong, training=2, validation=1)
    root = tmp_path / "mmar"
    spoil(root)
    said = told(file, capsys).split("\n\n")
    data, config = root / "data.json", root / "config" / "config_train.json"
    for part, message, place, text in zip(
        said,
        (
            "error: validate.evaluator: SupervisedEvaluator: `@key_metrics` is nothing in this config\n",
            "the study wants `val_mean_dice`, which the validation does not compute; its metrics are none\n",
            f"1 of the 4 files named by `training` of the data list is not there:\n  [0].label: {root / 'label0.nii.gz'}\n",
            "1 of the 2 files named by `validation` of the data list has another shape than the image:\n"
            f"  [0].label: {root / 'label2.nii.gz'}: it has 10 x 10 x 10 voxels, the image 16 x 16 x 16\n",
        ),
        (config, config, data, data),
        ('"@key_metrics"', '"log_label": "val_mean_dice"', '"label0.nii.gz"', '"label2.nii.gz"'),
        strict=True,
    ):
        assert part.startswith(message)
        assert f"--> {place}:{line_of(place, text)}:" in part


def test_all_that_is_wrong_with_the_data_of_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = bundle_study(tmp_path)
    root = tmp_path / "bundle"
    spoil(root / "data")
    said = told(file, capsys)
    config = root / "configs" / "train.json"
    training, validation = (line_of(config, f'"data": "$@items[{part}]"') for part in (":-1", "-1:"))
    for message in (
        f"train#dataset#data (configs/train.json:{training}): 1 of the 4 files named by `train#dataset#data` is not there:\n"
        "  [0].label: data/label0.nii.gz\n",
        f"validate#dataset#data (configs/train.json:{validation}): "
        "1 of the 2 files named by `validate#dataset#data` has another shape than the image:\n"
        "  [0].label: data/label2.nii.gz: it has 10 x 10 x 10 voxels, the image 12 x 12 x 12\n",
    ):
        assert message in said


@pytest.mark.parametrize("target", ["mmar", "bundle"])
def test_a_metric_that_nobody_computes(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = "maximize val_mean_dise"
    file = make_study(tmp_path, more=more) if target == "mmar" else bundle_study(tmp_path, more)
    said = told(file, capsys)
    assert said.startswith("error[AM404]: the configuration has no metric `val_mean_dise`\n")
    assert f"--> {file}:{line_of(file, 'val_mean_dise')}:12\n" in said
    assert "did you mean `val_mean_dice`?" in said


def test_a_key_metric_of_a_bundle_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tiny_bundle.config()
    wrong["validate"]["evaluator"]["key_val_metric"] = "@validate#key_metrics"
    said = told(bundle_study(tmp_path, content=wrong), capsys)
    config = tmp_path / "bundle" / "configs" / "train.json"
    assert said.startswith("error[AM222]: `@validate#key_metrics` refers to nothing: there is no `key_metrics` in `validate`\n")
    assert f"--> {config}:{line_of(config, '@validate#key_metrics')}:25\n" in said
