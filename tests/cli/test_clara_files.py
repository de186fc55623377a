"""Clara's own configurations, unmodified, from the command line to the best model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from clara_mmar import CONFIGS, SMALL, make_clara_mmar

from automl_run.cli.main import main
from automl_run.dsl.load import load_mmar
from automl_run.engine.run import RunOptions, run_study
from automl_run.errors import InputError


@pytest.fixture(scope="module")
def mmar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clara_mmar(tmp_path_factory.mktemp("clara") / "mmar")


def summary(mmar: Path, run_id: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((mmar / "automl" / run_id / "summary.json").read_text())
    return read


@pytest.mark.timeout(300)
def test_a_configuration_is_searched_and_goes_on(mmar: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Two losses and two optimizers, switched by virtual tags; a stopped run goes on with more jobs."""
    settings = ("run_id=a", "workers=0:1", "trainconf=trn_autoML_Loss_Optimizer.json", *SMALL, "study.budget.trials=2")
    assert main(["-m", str(mmar), "--automlconf", "config_automl.json", "--set", *settings]) == 0
    assert "AutoML config: config_automl.json" in capfd.readouterr().out
    run = mmar / "automl" / "a"
    assert main(["resume", str(run), "--set", "study.budget.trials=4"]) == 0
    told = summary(mmar, "a")
    assert told["state"] == "done"
    assert told["objectives"] == [{"name": "val_mean_dice", "direction": "maximize"}]
    assert [job["state"] for job in told["jobs"]] == ["done"] * 4
    assert all(0.0 <= job["score"] <= 1.0 and set(job["scores"]) >= {"val_mean_dice"} for job in told["jobs"])
    losses = []
    for job in told["jobs"]:
        config = json.loads((run / job["name"] / "config" / "config_train.json").read_text())
        assert "search" not in config
        losses.append(tuple(part["name"] for part in config["train"]["loss"] if part.get("disabled") is not True))
        assert (run / job["name"] / "models" / "model.pt").is_file()
    assert {len(enabled) for enabled in losses} == {1}
    assert {enabled[0] for enabled in losses} == {"DiceLoss", "FocalLoss"}
    best = json.loads((run / "best" / "config" / "config_train.json").read_text())
    assert best["epochs"] == 1
    assert list((run / "best" / "models").glob("*.pt"))


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_is_ready_to_run(mmar: Path, name: str) -> None:
    """All that is seen before the first job: parameters, components, references, metrics, data. Without data nothing is written."""
    settings = dict(pair.split("=", 1) for pair in (f"trainconf=trn_autoML_{name}.json", *SMALL))
    program = load_mmar(mmar, settings=settings).unwrap()
    assert program.params
    elsewhere = load_mmar(mmar, settings={**settings, "DATA_ROOT": "nowhere"}).unwrap()
    with pytest.raises(InputError, match="2 of the 2 files named by `training` of the data list are not there"):
        run_study(elsewhere, RunOptions(run_id="never"))
    assert not (mmar / "automl" / "never").exists()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name in CONFIGS if name not in ("Loss_Optimizer", "Enum")])
def test_every_configuration_trains_and_has_a_best_model(mmar: Path, name: str) -> None:
    """The baseline and one recommendation, from the stock files; a test above and docs/from-clara.md have the other two."""
    settings = (f"run_id={name}", "workers=0:1", f"trainconf=trn_autoML_{name}.json", *SMALL, "study.budget.trials=2")
    assert main(["-m", str(mmar), "--automlconf", "config_automl.json", "--set", *settings]) == 0
    told = summary(mmar, name)
    assert [job["state"] for job in told["jobs"]] == ["done"] * 2
    assert all(0.0 <= job["scores"]["val_mean_dice"] <= 1.0 for job in told["jobs"])
    assert all(set(job["reported"]) == {"val_mean_dice", "val_acc", "train_loss"} for job in told["jobs"])
    assert list((mmar / "automl" / name / "best" / "models").glob("*.pt"))
