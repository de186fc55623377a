"""`automl-run lint` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl_run.cli.main import main

CLEAN = 'automl 1\nstudy { target = Python("score:train"), maximize dice, seed = 1 }\nx ~ 1..3\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.automl"
    path.write_text(CLEAN)
    return path


def test_a_clean_program(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", str(path)]) == 0
    assert "nothing found" in capsys.readouterr().out


def test_advice_is_printed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(CLEAN + "let a = 1\n")
    assert main(["lint", str(path)]) == 1
    said = capsys.readouterr().out
    assert "warning[AM903]" in said
    assert "`--fix` does it" in said


def test_fix_writes_what_is_safe(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(CLEAN + "let a = 1\nlr ~ 1e-4..1.0\n")
    assert main(["lint", "--fix", str(path)]) == 1
    assert path.read_text() == CLEAN + "lr ~ 1e-4..1.0\n"
    said = capsys.readouterr()
    assert "AM901" in said.out
    assert "1 fixed" in said.err
    before = path.stat().st_ino
    assert main(["lint", "--fix", str(path)]) == 1
    assert path.stat().st_ino == before


def test_json(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(CLEAN + "let a = 1\n")
    assert main(["lint", "--json", str(path)]) == 1
    document = json.loads(capsys.readouterr().out)
    (entry,) = document["diagnostics"]
    assert (document["ok"], entry["code"], entry["line"], entry["fixes"][0]["safe"]) == (False, "AM903", 4, True)


def test_mistakes_come_first(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(CLEAN + "let a = 1\ny = \n")
    assert main(["lint", str(path)]) == 2
    said = capsys.readouterr()
    assert "AM007" in said.err
    assert "AM903" not in said.err + said.out


def test_wrong_arguments(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "nothing.automl"]) == 2
    assert "nothing.automl" in capsys.readouterr().err
    config = path.with_suffix(".json")
    config.write_text("{}")
    assert main(["lint", "--fix", str(config)]) == 2
    assert "--fix" in capsys.readouterr().err


def test_several_files(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(CLEAN)
    other = path.with_name("other.automl")
    other.write_text(CLEAN + "let a = 1\n")
    assert main(["lint", str(path), str(other)]) == 1
    said = capsys.readouterr().out
    assert "nothing found" in said
    assert "AM903" in said
    assert main(["lint", "--json", str(other), str(other)]) == 1
    assert len(json.loads(capsys.readouterr().out)["diagnostics"]) == 2
    other.write_text(CLEAN + "y = \n")
    assert main(["lint", str(other), str(path)]) == 2
