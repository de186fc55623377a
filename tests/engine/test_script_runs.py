"""Whole runs of scripts, through the command line: a job that is killed goes on, one that is stopped hears of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "AUTOML_RUN_COLD": "1"}


def run(folder: Path, target: str, parameters: str = "x ~ 0.0..1.0") -> tuple[Any, str]:
    """The summary of a run of one job, the baseline, and what the command line said."""
    program = f'automl 1\nstudy "s" {{\n target = {target}\n maximize dice\n budget {{ trials = 1 }}\n}}\n{parameters}\n'
    (folder / "search.automl").write_text(program)
    command = [sys.executable, "-m", "automl_run", "search.automl"]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120)
    summary = folder / "runs" / "s" / "summary.json"
    return (json.loads(summary.read_text()) if summary.is_file() else None), done.stdout + done.stderr


def test_a_script_that_is_killed_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import os, signal\n"
        "import automl_run\n"
        "saved = automl_run.report.checkpoint_dir / 'epoch'\n"
        "start = int(saved.read_text()) if saved.exists() else 0\n"
        "open('starts', 'a').write(f'{start} ')\n"
        "for epoch in range(start, 5):\n"
        "    saved.write_text(str(epoch + 1))\n"
        "    automl_run.report(epoch, dice=epoch / 8)\n"
        "    if epoch == 2 and start == 0:\n        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    summary, said = run(tmp_path, 'Command("{python} train.py | cat")')
    assert "attempt 1 does not count (lost" in said
    assert (tmp_path / "starts").read_text() == "0 3 "
    assert [(job["state"], job["score"]) for job in summary["jobs"]] == [("done", 0.5)]


def test_a_script_that_is_stopped_saves_and_ends(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import os, subprocess, sys\n"
        "import automl_run\n"
        "automl_run.report(0, dice=0.25)\n"
        "subprocess.Popen([sys.executable, '-m', 'automl_run', 'abort', 'runs/s', 'W1'])  # it answers when the job has ended\n"
        "while not automl_run.report(1):\n    pass\n"
        "print('saved')\n"
        "automl_run.report.progress('told')\n"
    )
    summary, _ = run(tmp_path, 'Command(["{python}", "train.py"])')
    (job,) = summary["jobs"]
    assert (job["state"], job["score"]) == ("stopped", 0.25)
    assert "saved" in (tmp_path / "runs" / "s" / "W1_1_J1" / "log.txt").read_text()


def test_a_package_with_relative_imports_runs_as_a_module(tmp_path: Path) -> None:
    package = tmp_path / "src" / "lab"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "loss.py").write_text("def loss(lr): return 1 - lr\n")
    (package / "train.py").write_text(
        "import argparse\n"
        "from .loss import loss\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('--net.depth', dest='depth', type=int)\n"
        "parser.add_argument('--lr', type=float)\n"
        "args = parser.parse_args()\n"
        "print(f'automl: dice={loss(args.lr) * args.depth}')\n"
    )
    target = 'Command("{python} -m lab.train {--lr} {--net.depth}", cwd = "src")'
    summary, said = run(tmp_path, target, "lr = 0.25 ~ 0.0..1.0\nnet.depth = 2 ~ 1..3")
    assert summary["best"]["score"] == 1.5, said


def test_a_function_has_its_folder_its_environment_and_the_same_report(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "training.py").write_text(
        "import os\n"
        "from pathlib import Path\n"
        "import automl_run\n"
        "SCALE = float(os.environ['SCALE'])\n"
        "def main(params):\n"
        "    assert Path('training.py').exists() and automl_run.params() == params\n"
        "    assert automl_run.report.checkpoint_dir.name == 'checkpoints'\n"
        "    automl_run.report(1, dice=params['x'])\n"
        "    automl_run.result(dice=params['x'] * SCALE)\n"
    )
    summary, said = run(tmp_path, 'Python("training:main", cwd = "src", env = {SCALE: 0.5})')
    assert summary["best"]["score"] == 0.25, said


@pytest.mark.parametrize(
    ("target", "words", "at"),
    [
        ('Command("{python} trian.py")', "there is no file", '"{python} trian.py"'),
        ('Command("trian {x}")', "there is no program `trian` on the PATH", '"trian {x}"'),
        ('Command(["trian"])', "there is no program `trian` on the PATH", '["trian"]'),
        ('Command("true", cwd = "src")', "src does not exist", '"src"'),
        ('Command("true", cwd = "{x}")', "0.5 does not exist", '"{x}"'),
        ('Python("train:main", cwd = "src")', "src does not exist", '"src"'),
        ('Python("train:main")', "there is no module `train`", '"train:main"'),
    ],
)
def test_what_cannot_run_is_refused_at_its_place_with_nothing_written(tmp_path: Path, target: str, words: str, at: str) -> None:
    summary, said = run(tmp_path, target)
    assert words in said
    assert said.startswith("error[AM405]: ") or "\nerror[AM405]: " in said
    column = len(" target = ") + target.index(at) + 1
    assert f" --> search.automl:3:{column}\n" in said
    assert f"{'':>{column - 1}}{'^' * len(at)}" in said
    assert summary is None
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("target", "how"),
    [
        ('Command("true")', "a script calls `automl_run.report(step, dice=...)` or prints `automl: step=1 dice=0.5`"),
        (
            'Command("echo Dice 0.5", metrics = {dice: "dice ([0-9.]+)"})',
            "no line that it printed has what `metrics` looks for, `dice ([0-9.]+)`",
        ),
        ('Python("train:main")', "a function calls `report(step, dice=...)` or returns the value"),
    ],
)
def test_code_that_gives_no_value_is_told_how(tmp_path: Path, target: str, how: str) -> None:
    (tmp_path / "train.py").write_text("def main(params): pass\n")
    summary, _ = run(tmp_path, target)
    assert summary["reason"] == f"W1_1_J1 never reported `dice`; it reported nothing: {how}"
    assert summary["jobs"][0]["message"] == f"it never reported `dice`; it reported nothing: {how}"
