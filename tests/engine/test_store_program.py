"""`program.automl` of a run folder: what was run, for people."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_run.dsl.diff import diff
from automl_run.dsl.ir import Program
from automl_run.dsl.load import check, load_mmar, parse
from automl_run.engine.run_folder import RunFolder

MMAR = Path(__file__).resolve().parents[2] / "examples" / "brain_tissue"


def test_a_clara_run_gets_its_program_as_text(tmp_path: Path) -> None:
    program = load_mmar(MMAR).unwrap()
    RunFolder(tmp_path).store_program(program)
    written = check(tmp_path / "program.automl").unwrap()
    assert diff(program, written) == ()
    assert Program.from_bytes((tmp_path / "program.msgpack").read_bytes()) == program


def test_a_file_is_kept_as_written_and_layers_are_resolved(tmp_path: Path) -> None:
    text = "automl 1\n# because\nlr ~ 0.1..1.0\n"
    (tmp_path / "a.automl").write_text(text)
    for name, sets in (("plain", ()), ("set", (("lr", "0.5"),))):
        (tmp_path / name).mkdir()
        RunFolder(tmp_path / name).store_program(check(tmp_path / "a.automl", sets=sets).unwrap())
    assert (tmp_path / "plain" / "program.automl").read_text() == text
    assert parse((tmp_path / "set" / "program.automl").read_text()).params == ()


def test_a_resume_keeps_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program.automl").write_text("automl 1\n# mine\n")
    RunFolder(tmp_path).store_program(parse("lr ~ 0.1..1.0"))
    assert "# mine" in (tmp_path / "program.automl").read_text()
