"""Folds of real jobs: an MMAR's data list is split, a function is told its fold, a killed run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from small_mmar import make_study

from automl_run.cli.main import main

FUNCTION = """
import os, time
from pathlib import Path

def train(params, report):
    fold = report.fold
    assert os.environ["AUTOML_FOLD"] == str(fold) and os.environ["AUTOML_FOLDS"] == str(report.folds) == "3"
    if params["x"] != 0.25 and not Path("go").exists():
        Path(f"waits{fold}").touch()
        while not Path("go").exists():
            time.sleep(0.02)
    return params["x"] + 0.1 * fold
"""
SEARCH = """automl 1
study "s" {
  target = Python("score:train")
  maximize dice
  workers = [cpu(1), cpu(1)]
  budget { trials = 2 }
  controller = Random()
  repeat { folds = 3 }
}
x = 0.25 ~ 0.0..1.0
"""


def summary(folder: Path) -> Any:
    return json.loads((folder / "summary.json").read_bytes())


def test_the_folds_of_an_mmar(tmp_path: Path) -> None:
    file = make_study(tmp_path, trials=1, more="repeat { folds = 2 }")
    assert main([str(file), "--run-id", "a"]) == 0
    run = tmp_path / "runs" / "a"
    (row,) = summary(run)["recommendations"]
    lists = [json.loads((run / name / "config" / "data_list.json").read_bytes()) for name in row["jobs"]]
    assert lists[0]["training"] == lists[1]["validation"]
    assert lists[0]["validation"] == lists[1]["training"]
    assert len(lists[0]["training"]) == 2
    assert row["score"] == pytest.approx(sum(row["each"]) / 2)
    info = json.loads((run / "best" / "best.json").read_bytes())
    own = dict(zip(row["jobs"], row["each"], strict=True))[info["job"]]
    assert (info["score"], info["weights"]) == (row["score"], "models/model.pt")
    assert info["repeated"] == {"how": "mean", "jobs": row["jobs"], "scores": {"val_mean_dice": own}}
    said = (run / "best" / "README.md").read_text()
    assert f"tried in 2 jobs ({', '.join(row['jobs'])}). What counts is the mean of their scores:" in said
    assert f"- val_mean_dice: {info['score']}\n" in said
    assert f"job {info['job']}, seed {info['seed']}, fold" in said
    assert f"Its own:\n\n- val_mean_dice: {own}\n\n`models/model.pt` has the weights that these are of" in said
    # What lies there is what was run: once more by hand, and it says the same.
    command = [sys.executable, "-m", "automl_run.engine.agent.job", str(run / row["jobs"][1])]
    by_hand = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert by_hand.returncode == 0, by_hand.stderr
    assert not (run / "cache").exists(), "nobody would remove it"
    assert str(row["each"][1]) in by_hand.stdout


def test_a_point_that_cannot_be_the_best_is_left_after_a_fold(tmp_path: Path) -> None:
    """The baseline trains; the other point hardly moves the weights that its networks begin with."""
    file = make_study(tmp_path, more="repeat { folds = 2, abandon = true }")
    assert main([str(file), "--set", "train.optimizer.lr = 0.02 ~ 1e-9..2e-9", "--set", "epochs = 3", "--run-id", "a"]) == 0
    good, bad = summary(tmp_path / "runs" / "a")["recommendations"]
    assert (good["state"], len(good["jobs"])) == ("done", 2)
    assert (bad["state"], len(bad["jobs"])) == ("stopped", 1)
    assert bad["each"][0] < good["score"]


def test_the_seeds_of_an_mmar(tmp_path: Path) -> None:
    file = make_study(tmp_path, trials=1, more='repeat { seeds = [3, 5], score = "min" }')
    assert main([str(file), "--run-id", "a"]) == 0
    found = summary(tmp_path / "runs" / "a")
    assert [job["seed"] for job in found["jobs"]] == [3, 5]
    (row,) = found["recommendations"]
    assert row["score"] == min(row["each"]) != max(row["each"])


def test_more_folds_than_items_are_refused_before_anything_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = make_study(tmp_path, more="repeat { folds = 5 }")
    assert main([str(file)]) == 2
    assert "folds = 5: `training` of the data list" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_killed_run_goes_on_with_the_folds_that_are_left(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(FUNCTION)
    (tmp_path / "s.automl").write_text(SEARCH)
    run = tmp_path / "runs" / "a"
    process = subprocess.Popen([sys.executable, "-m", "automl_run", "s.automl", "--run-id", "a"], cwd=tmp_path)
    until = time.monotonic() + 60
    while not (tmp_path / "waits0").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (tmp_path / "go").touch()
    assert main(["resume", str(run)]) == 0
    found = summary(run)
    assert [row["state"] for row in found["recommendations"]] == ["done", "done"]
    assert [(job["index"], job["fold"]) for job in found["jobs"]] == [(i, fold) for i in (0, 1) for fold in range(3)]
    for row in found["recommendations"]:
        assert row["score"] == pytest.approx(row["params"]["x"] + 0.1)
