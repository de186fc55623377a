"""The mean of several models: scored as one model is, on small runs of an MMAR and a bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tiny_bundle
import torch
from brain import AFFINE
from small_mmar import make_study

from automl_run.cli.main import main
from automl_run.engine.export.ensemble import ensemble
from automl_run.engine.export.source import best_trained
from automl_run.engine.export.validation import validation

BUNDLE = """automl 1
use "bundle/configs/train.json"
study "b" {
  controller = Random()
  budget { trials = 2 }
}
epochs = 1
optimizer.lr = 0.01 ~ log 1e-3..1e-1
"""


def said(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    capsys.readouterr()
    assert main(["ensemble", *args, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two points on each of two folds."""
    folder = tmp_path_factory.mktemp("ensemble")
    assert main([str(make_study(folder, more="repeat { folds = 2 }")), "--run-id", "a"]) == 0
    return folder / "runs" / "a"


def test_one_model_alone_has_its_own_score(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best = json.loads((run / "summary.json").read_bytes())["best"]["score"]
    found = said(capsys, str(run), "--top", "1")
    assert found["score"] == pytest.approx(best, abs=1e-6)
    assert found["best"] == best


def test_the_mean_is_that_of_the_probabilities_in_each_fold(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "predictions"
    found = said(capsys, str(run), "--top", "2", "--predictions", str(out))
    scores = []
    for group in best_trained(run, 2).groups:
        # By hand: softmax of each network's output on the whole volume, their mean, its argmax, and Dice of class 1.
        dice = []
        sums: list[torch.Tensor] = []
        for member in group:
            with validation(member, tmp_path, judged=False) as parts, torch.no_grad():
                items = list(parts.evaluator.data_loader)
                each = [torch.softmax(parts.network(torch.as_tensor(item["image"])), 1)[0] for item in items]
            sums = [old + new for old, new in zip(sums, each, strict=True)] if sums else each
        for item, mean in zip(items, sums, strict=True):
            labels, truth = mean.argmax(0) == 1, torch.as_tensor(item["label"])[0, 0] == 1
            dice.append(float(2 * (labels & truth).sum() / (labels.sum() + truth.sum())))
            name = Path(item["image"].meta["filename_or_obj"][0]).name.split(".")[0]
            file = nibabel.load(out / f"{name}_ensemble.nii.gz")
            assert np.array_equal(file.get_fdata() == 1, labels.numpy())
            assert np.allclose(file.affine, AFFINE)
        scores.append(sum(dice) / len(dice))
    assert found["score"] == pytest.approx(sum(scores) / 2, abs=1e-6)
    assert len(list(out.iterdir())) == 4


def test_what_cannot_be_averaged_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ensemble", str(run), "--predictions", str(tmp_path)]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
    assert main(["ensemble", str(run), "--top", "0"]) == 2
    assert "`0` is no whole number from 1" in capsys.readouterr().err
    (tmp_path / "score.py").write_text("def train(x):\n    return x\n")
    (tmp_path / "s.automl").write_text(
        'automl 1\nx ~ 0.0..1.0\nstudy { target = Python("score:train"), maximize s, budget { trials = 1 } }\n'
    )
    assert main([str(tmp_path / "s.automl"), "--run-id", "p"]) == 0
    assert main(["ensemble", str(tmp_path / "runs" / "p")]) == 2
    assert "trains what its own code says" in capsys.readouterr().err


def test_a_bundle(tmp_path: Path) -> None:
    tiny_bundle.make(tmp_path / "bundle")
    (tmp_path / "b.automl").write_text(BUNDLE)
    assert main([str(tmp_path / "b.automl"), "--run-id", "b"]) == 0
    run = tmp_path / "runs" / "b"
    best = best_trained(run, 1)
    alone = ensemble(best)
    # After one epoch the last values are those of the weights that are kept.
    for name in ("val_mean_dice", "val_accuracy"):
        assert alone.metrics[name] == pytest.approx(best.rows[0].reported[name], abs=1e-6)
    assert 0.0 <= ensemble(best_trained(run, 2), tmp_path / "out").score <= 1.0
    assert list((tmp_path / "out").iterdir())
