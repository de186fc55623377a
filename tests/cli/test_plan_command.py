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
    path.write_text('automl 1\nstudy {\n  target = Python("a:b")\n  maximize dice\n  pruner = my.Pruner()\n}\nx ~ 1..3\n')
    before = sorted(path.parent.rglob("*"))
    assert main(["check", file]) == 0
    assert "warning[AM199]" in capsys.readouterr().err
    assert main([file]) == 2
    said = capsys.readouterr().err
    assert "error[AM199]: the pruner `my.Pruner` is not supported yet" in said
    assert "a.automl:5:3" in said
    assert sorted(path.parent.rglob("*")) == before


def test_what_a_run_needs_is_told_by_plan_and_check(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(file).write_text("automl 1\nx ~ 1..3\n")
    assert main(["check", file]) == 0
    assert "AM407" not in capsys.readouterr().err
    assert main(["plan", file]) == 0
    shown = capsys.readouterr().out
    assert "refused    the study has no target" in shown
    assert "the study has no objective" in shown
    Path(file).write_text("automl 1\nx ~ 1..3\nstudy { maximize dice }\n")
    assert main(["check", file]) == 0
    captured = capsys.readouterr()
    assert "note[AM407]: the study has no target" in captured.err
    assert "1 note" in captured.out
    assert main(["check", "--json", file]) == 0
    assert '"AM407"' in capsys.readouterr().out
