"""Pruners in whole runs: which jobs are stopped, how they end, and what people are shown of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from small_mmar import make_mmar
from small_study import Recorder, in_threads, small_study

from automl_run.cli.main import main
from automl_run.dsl import ir
from automl_run.engine.report.html import render
from automl_run.engine.run import RunOptions, resume_study, run_study
from automl_run.engine.summary import read_summary
from automl_run.engine.testing.in_process import Report, ThreadLauncher
from automl_run.engine.wire import messages as wire

ASHA = ir.Spec("ASHA", {"min": 2, "eta": 3})

FUNCTION = """
import json, os, signal
from pathlib import Path

def train(params, report):
    quality, kill = params["quality"], Path("kill")
    for epoch in range(1, 10):
        with open("epochs", "a") as file:
            file.write(f"{quality}:{epoch} ")
        if kill.exists() and quality == 0.95 and epoch == 4:
            kill.unlink()
            os.kill(json.loads(Path("runs/a/owner.json").read_text())["pid"], signal.SIGKILL)
        if report(epoch, dice=quality * epoch / 9):
            break
"""
SEARCH = """automl 1
study "s" {
  target = Python("score:train")
  maximize dice
  controller = Grid()
  pruner = ASHA(min = 2, max = 9, eta = 3)
  order = "fixed"
  workers = [cpu(1)]
}
quality ~ 0.5 | 0.9 | 0.1 | 0.6 | 0.95 | 0.3
"""


def summary(folder: Path) -> Any:
    return json.loads((folder / "summary.json").read_bytes())


def table(folder: Path) -> list[tuple[float, str, str | None, float]]:
    jobs = summary(folder)["jobs"]
    return [(job["params"]["quality"], job["state"], job["cause"], round(job["score"], 3)) for job in jobs]


def test_bad_jobs_of_a_function_are_pruned_also_by_a_scheduler_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "score.py").write_text(FUNCTION)
    (tmp_path / "s.automl").write_text(SEARCH)
    monkeypatch.chdir(tmp_path)
    expected = [
        (0.5, "done", None, 0.5),
        (0.9, "done", None, 0.9),
        (0.1, "stopped", "pruned", 0.022),
        (0.6, "stopped", "pruned", 0.133),
        (0.95, "done", None, 0.95),
        (0.3, "stopped", "pruned", 0.067),
    ]
    (tmp_path / "kill").touch()
    killed = subprocess.run([sys.executable, "-m", "automl_run", "s.automl", "--run-id", "a"], check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert main(["resume", "runs/a"]) == 0
    assert table(tmp_path / "runs" / "a") == expected
    # Each was stopped at the very report that showed it, and what had run was not run again.
    epochs = (tmp_path / "epochs").read_text().split()
    assert len(epochs) == len(set(epochs)) == 3 * 9 + 3 * 2
    capsys.readouterr()
    assert main(["show", "runs/a"]) == 0
    shown = next(line for line in capsys.readouterr().out.splitlines() if "W1_4_J4" in line)
    assert "stopped (pruned)" in shown
    assert "0.133" in shown
    page = render(read_summary(summary(tmp_path / "runs" / "a")), tmp_path / "runs" / "a")
    assert "0.133333 at epoch 2 is not among the best 1 of the 4 jobs that came to 2" in page
    # Undisturbed, the same.
    assert main(["s.automl", "--run-id", "b"]) == 0
    assert table(tmp_path / "runs" / "b") == expected
    assert summary(tmp_path / "runs" / "b")["best"] | {"path": ""} == summary(tmp_path / "runs" / "a")["best"] | {"path": ""}


COMMANDS = {
    "a script that listens": (
        "import automl_run\n"
        "quality = automl_run.params()['quality']\n"
        "automl_run.report(1, dice=quality)\n"
        "while quality < 0.5 and not automl_run.report(1):\n    pass\n"
        "print('saved')\n",
        'Command("{python} train.py")',
    ),
    "one that prints": (
        "import signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "print(f'automl: step=1 dice={sys.argv[1]}', flush=True)\n"
        "if float(sys.argv[1]) < 0.5:\n    signal.sigwait([signal.SIGTERM])\n"
        "print('saved')\n",
        'Command(["{python}", "train.py", "{quality}"])',
    ),
}


@pytest.mark.parametrize("case", sorted(COMMANDS))
def test_a_command_is_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    script, target = COMMANDS[case]
    (tmp_path / "train.py").write_text(script)
    study = SEARCH.partition("quality ~")[0].replace('Python("score:train")', target).replace("min = 2", "min = 1")
    study = study.replace("Grid()", "Grid(), budget { job_time = 1min }")
    (tmp_path / "s.automl").write_text(study + "quality ~ 0.7 | 0.2 | 0.8\n")
    monkeypatch.chdir(tmp_path)
    assert main(["s.automl", "--run-id", "a"]) == 0
    assert [state for _, state, _, _ in table(tmp_path / "runs" / "a")] == ["done", "stopped", "done"]
    assert "saved" in (tmp_path / "runs" / "a" / "W1_2_J2" / "log.txt").read_text()


def test_an_mmar_is_pruned_after_a_validation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_mmar(tmp_path / "mmar") / "config" / "config_train.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "epochs": 3}))
    (tmp_path / "s.automl").write_text(
        'automl 1\nuse "mmar/config/config_train.json"\n'
        'study "s" {\n  target = Mmar("mmar")\n  controller = Grid()\n  pruner = ASHA(min = 2, eta = 2)\n  workers = [cpu(1)]\n}\n'
        "train.optimizer.lr = 0.05 ~ 0.05 | 1e-9\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["s.automl", "--run-id", "a"]) == 0
    good, bad = summary(tmp_path / "runs" / "a")["jobs"]
    assert (good["state"], good["step"]) == ("done", 3)
    assert (bad["state"], bad["cause"], bad["step"]) == ("stopped", "pruned", 2)
    # It never runs again: its weights stay, its checkpoints do not.
    assert (tmp_path / "runs" / "a" / bad["name"] / "models" / "model.pt").is_file()
    assert not (tmp_path / "runs" / "a" / bad["name"] / "checkpoints").exists()


# -- what is said -----------------------------------------------------------------------------------------------------------------


def silent(assign: wire.Assign, report: Report) -> Mapping[str, float]:
    report(1, loss=0.1)
    return {"dice": 0.5}


def test_a_study_whose_jobs_say_nothing_on_their_way_is_told_so_once(tmp_path: Path) -> None:
    recorder = Recorder()
    result = run_study(small_study(tmp_path, pruner=ASHA), in_threads(silent), recorder)
    assert result.exit_code == 0
    (warning,) = [text for text in recorder.warnings if "pruner" in text]
    assert "never reported `dice` on its way" in warning


def curve(assign: wire.Assign, report: Report) -> Mapping[str, float]:
    lr = assign.config["lr"]
    assert isinstance(lr, float)
    for epoch in range(1, 10):
        if report(epoch, dice=(1 - abs(lr - 0.3)) * epoch / 9):
            break
    return {}


def in_order(run_id: str) -> RunOptions:
    return RunOptions(run_id=run_id, launcher=lambda folder: ThreadLauncher(folder, curve))


@pytest.mark.parametrize(
    "controller", [ir.Spec("TPE", {"startup": 4}), ir.Spec("Random"), ir.Spec("Reinforcement", {"max_rounds": 15})]
)
def test_one_worker_gives_one_table(tmp_path: Path, controller: ir.Spec) -> None:
    """Also of a controller that learns from pruned jobs, and after a resume that is given more trials."""
    parts: dict[str, Any] = {"controller": controller, "pruner": ASHA, "workers": (ir.Worker(),), "seed": 3}
    tables = []
    for run_id, trials in (("a", 15), ("b", 9)):
        result = run_study(small_study(tmp_path, budget=ir.Budget(trials=trials), **parts), in_order(run_id))
        if trials < 15:
            more = RunOptions(launcher=in_order(run_id).launcher, budget={"study.budget.trials": "15"})
            result = resume_study(result.folder, more)
        tables.append([(job["params"], job["state"], job["cause"], job["score"]) for job in result.summary["jobs"]])
    assert tables[0] == tables[1]
    states = [state for _, state, _, _ in tables[0]]
    assert 3 < states.count("stopped") < 15
    assert states[0] == "done"
