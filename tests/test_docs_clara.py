"""docs/from-clara.md: the commands that take an MMAR of the user's. tests/test_docs.py runs those on the example."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from clara_mmar import make_clara_mmar
from pages import DOCS, blocks, shell
from small_mmar import component, make_mmar, training_config

from automl_run.cli.main import main

PAGE = "from-clara.md"


def inline() -> list[str]:
    """The commands in the page's text and tables."""
    return re.findall(r"`(automl-run [^`]+)`", (DOCS / PAGE).read_text(encoding="utf-8"))


def jobs(mmar: Path, run_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((mmar / "automl" / run_id / "summary.json").read_text())["jobs"]
    return found


def test_no_command_is_left_out() -> None:
    whole, *names = sorted(inline(), key=len, reverse=True)
    assert "$MMAR_ROOT" in whole
    run = [line for block in blocks(PAGE, "console") for line in block.splitlines()]
    for name in names:
        assert any(line.startswith(f"$ {name} ") for line in run), name
    assert not any("automl-run" in block for block in blocks(PAGE, "text"))


def test_the_same_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first row of the page's table on a small MMAR; what it says of a used run_id."""
    config = training_config()
    config["train"]["optimizer"]["search"] = [{"domain": "lr", "type": "float", "args": ["lr"], "targets": [0.001, 0.1]}]
    root = make_mmar(tmp_path / "mmar", config)
    automl = {"controller": component("ReinforcementController", max_rounds=1), "handlers": [component("MMARHandler")]}
    (root / "config" / "config_automl.json").write_text(json.dumps(automl))
    command = max(inline(), key=len)
    said = shell(command, tmp_path, MMAR_ROOT=str(root))
    assert [job["state"] for job in jobs(root, "a")] == ["done"] * 2
    assert "W1_1_J1" in said
    assert (root / "automl" / "a" / "trace.log").is_file()
    assert main(["-m", str(root), "--set", "run_id=a", "workers=0:1"]) == 2
    assert "automl-run resume" in capsys.readouterr().err
    assert {path.name for path in root.iterdir() if path.is_dir()} == {"config", "automl"}


@pytest.mark.timeout(300)
def test_a_first_try_of_a_large_mmar(tmp_path: Path) -> None:
    """With one of Clara's own configurations, and an environment.json that points into its container."""
    root = make_clara_mmar(tmp_path / "mmar")
    (root / "data").rename(tmp_path / "data")
    (block,) = blocks(PAGE, "sh")
    shell(block, tmp_path, MMAR_ROOT=str(root), DATA=str(tmp_path / "data"))
    for job in jobs(root, "try"):
        assert job["state"] == "done"
        assert 0.0 <= job["scores"]["val_mean_dice"] <= 1.0
        assert set(job["reported"]) == {"val_mean_dice", "val_acc", "train_loss"}
    assert len(jobs(root, "try")) == 2
    assert list((root / "automl" / "try" / "best" / "models").glob("*.pt"))


def test_a_program_over_the_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = (block for block in blocks(PAGE, "text") if block.startswith("automl 1"))
    config = tmp_path / "mmar" / "config"
    shutil.copytree(DOCS.parent / "examples" / "brain_tissue" / "config", config)
    (config / "over.automl").write_text(program)
    assert main(["check", str(config / "over.automl")]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^learning_rate +log 1e-05\.\.0\.01", said, flags=re.M), said
    assert "DiceLoss | FocalLoss" in said
