"""The completion scripts, in real shells where there are any."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from automl_run.cli.completion import described
from automl_run.cli.completion_scripts import SCRIPTS, Command, Option
from automl_run.cli.main import COMMANDS, main

bash = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")


@cache
def script() -> str:
    command = [sys.executable, "-m", "automl_run", "completion", "bash"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def completed(folder: Path, *line: str) -> list[str]:
    """What bash offers for the last word of `line`."""
    (folder / "completion.bash").write_text(script())
    code = (
        "source completion.bash; rm completion.bash; complete -p automl-run >/dev/null || exit 9\n"
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _automl_run; ((${#COMPREPLY[@]})) && printf "%s\\n" "${COMPREPLY[@]}"\nexit 0'
    )
    command = ["bash", "--norc", "--noprofile", "-c", code, "bash", "automl-run", *line]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("search.automl", "a file.automl", "config.json", "notes.txt", "runs/one/journal.db", "runs/two/journal.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "runs/none").mkdir()
    (tmp_path / "mmar/automl/three").mkdir(parents=True)
    (tmp_path / "mmar/automl/three/journal.db").touch()
    return tmp_path


@bash
def test_commands_and_programs_come_first(folder: Path) -> None:
    offered = completed(folder, "")
    assert {*COMMANDS, "search.automl", "a file.automl", "config.json", "runs"} <= set(offered)
    assert "notes.txt" not in offered
    assert completed(folder, "che") == ["check"]
    assert completed(folder, "sea") == ["search.automl"]


@bash
def test_options_are_those_of_the_command(folder: Path) -> None:
    assert {"--check", "--stdout"} <= set(completed(folder, "fmt", "--"))
    assert completed(folder, "lint", "--f") == ["--fix"]
    assert "--run-id" in completed(folder, "search.automl", "--")
    assert completed(folder, "search.automl", "--trace", "") == ["file", "console", "both"]
    assert completed(folder, "search.automl", "--out", "") == ["mmar", "runs"]
    assert completed(folder, "-m", "mm") == ["mmar"]


@bash
def test_runs_are_completed(folder: Path) -> None:
    assert completed(folder, "show", "o") == ["one"]
    offered = completed(folder, "resume", "")
    assert {"one", "two", "runs"} <= set(offered)
    assert "none" not in offered
    assert "three" in completed(folder, "show", "-m", "mmar", "")
    assert "three" in completed(folder, "show", "--out", "mmar/automl", "t")


@bash
def test_the_other_commands(folder: Path) -> None:
    assert completed(folder, "completion", "") == sorted(SCRIPTS)
    assert completed(folder, "fmt", "search.automl", "a") == ["a file.automl"]


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_a_script_is_one_its_shell_reads(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert "@" not in text.replace("${places[@]}", "").replace("${COMPREPLY[@]}", "").replace("#compdef", "")
    for name in COMMANDS:
        assert name in text
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    (tmp_path / "script").write_text(text)
    assert subprocess.run([shell, "-n", tmp_path / "script"], check=False, timeout=30).returncode == 0


def test_options_come_from_the_help() -> None:
    commands = {command.name: command for command in described()}
    assert commands["run"].takes == commands["check"].takes == commands["fmt"].takes == "file"
    assert commands["show"].takes == "run"
    assert (commands["completion"].takes, commands["completion"].words) == ("word", ("bash", "fish", "zsh"))
    assert Option("--trace", "word", ("file", "console", "both"), "where trace.log goes (default: file)") in commands["run"].options
    assert isinstance(commands["lint"], Command)


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert "tcsh" in capsys.readouterr().err
