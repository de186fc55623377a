"""`automl-run plan` and `automl-run explain FILE PATH`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl_run.cli.main import main


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "a.automl"
    path.write_text("automl 1\nstudy { maximize dice }\nlr ~ log 1e-3..1e-1\nepochs = 3\n")
    return str(path)


def test_plan(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", file, "--job-time", "10min"]) == 0
    assert "about 3 h 20 min" in capsys.readouterr().out
    assert main(["plan", file, "--json", "--set", "study.budget.trials=3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["estimate"]["jobs"], found["rows"][0]["id"], found["size"]) == (3, "lr", None)


@pytest.mark.parametrize("time", ["10", "ten", "3GiB", "0s", ""])
def test_a_wrong_job_time(file: str, time: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", file, "--job-time", time]) == 2
    assert "is no time" in capsys.readouterr().err


def test_explain_a_path(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", file, "epochs", "--set", "epochs=4"]) == 0
    out = capsys.readouterr().out
    assert "a.automl:4:1" in out
    assert out.endswith("= value: 4\n")
    assert main(["explain", file, "lr", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "parameter"
    assert main(["explain", file, "epoch"]) == 2
    assert "did you mean `epochs`" in capsys.readouterr().err


def test_a_run_refuses_what_check_accepts(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(file)
    path.write_text('automl 1\nstudy {\n  target = Python("a:b")\n  maximize dice\n  pruner = Median()\n}\nx ~ 1..3\n')
    before = sorted(path.parent.rglob("*"))
    assert main(["check", file]) == 0
    assert "warning[AM199]" in capsys.readouterr().err
    assert main([file]) == 2
    said = capsys.readouterr().err
    assert "error[AM199]: `pruner` is not supported yet" in said
    assert "a.automl:5:3" in said
    assert sorted(path.parent.rglob("*")) == before
