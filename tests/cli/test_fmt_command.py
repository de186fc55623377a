"""`automl-run fmt` as a user meets it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from automl_run.cli.main import main

UGLY, TIDY = "automl 1\nx=1\n", "automl 1\nx = 1\n"


@pytest.fixture
def ugly(tmp_path: Path) -> Path:
    path = tmp_path / "a.automl"
    path.write_text(UGLY)
    return path


def test_files_are_formatted_in_place(ugly: Path, tmp_path: Path) -> None:
    ugly.chmod(0o640)
    link = tmp_path / "link.automl"
    link.symlink_to(ugly)
    assert main(["fmt", str(link)]) == 0
    assert ugly.read_text() == TIDY
    assert link.is_symlink()
    assert ugly.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.automl", "link.automl"]


def test_a_tidy_file_is_not_written(ugly: Path) -> None:
    ugly.write_text(TIDY)
    before = ugly.stat()
    assert main(["fmt", str(ugly)]) == 0
    assert (ugly.stat().st_ino, ugly.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_check_says_what_would_change(ugly: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "--check", str(ugly)]) == 1
    assert str(ugly) in capsys.readouterr().out
    assert ugly.read_text() == UGLY
    ugly.write_text(TIDY)
    assert main(["fmt", "--check", str(ugly)]) == 0


def test_stdout_leaves_the_file(ugly: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "--stdout", str(ugly)]) == 0
    assert capsys.readouterr().out == TIDY
    assert ugly.read_text() == UGLY


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(UGLY))
    assert main(["fmt", "-"]) == 0
    assert capsys.readouterr().out == TIDY


@pytest.mark.parametrize("options", [[], ["--check"], ["--stdout"]])
def test_one_file_with_mistakes_keeps_all_as_they_are(
    ugly: Path, tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.automl"
    broken.write_text("automl 1\nx = \n")
    assert main(["fmt", *options, str(ugly), str(broken)]) == 2
    said = capsys.readouterr()
    assert "AM007" in said.err
    assert "broken.automl:2" in said.err
    assert not said.out
    assert ugly.read_text() == UGLY


def test_what_is_no_program_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "latin.automl").write_bytes(b'automl 1\nx = "\xe4"\n')
    for name, said in [("config.json", "JSON"), ("latin.automl", "UTF-8"), ("missing.automl", "no file"), (".", "folder")]:
        assert main(["fmt", str(tmp_path / name)]) == 2
        assert said in capsys.readouterr().err


def test_a_failed_write_leaves_the_old_file(ugly: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("automl_run.cli.rewrite.os.fsync", refuse)
    assert main(["fmt", str(ugly)]) == 2
    assert ugly.read_text() == UGLY
    assert [path.name for path in ugly.parent.iterdir()] == ["a.automl"]
