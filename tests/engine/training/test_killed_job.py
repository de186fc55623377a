"""kill -9 of a job's keeper, then of its agent, in the middle of a real run: the job goes on where it was, and is counted once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import proof_run
import pytest
import torch
from monai.utils import set_determinism
from small_mmar import make_mmar, training_config
from tiny_training import Recorder

from automl_run.engine.agent.folders import read_job_spec
from automl_run.engine.targets.base import Job
from automl_run.engine.targets.mmar import MmarTarget

#: Kills, once each, the job's keeper in epoch 2 and its agent in epoch 3.
ASSASSIN = """
import os, signal
from pathlib import Path
from ignite.engine import Events

def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

class Assassin:
    def attach(self, engine):
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine):
        keeper = os.getppid()
        for epoch, victim in ((2, keeper), (3, parent(keeper))):
            done = Path(__file__).with_name(f"killed_in_{epoch}")
            if engine.state.epoch == epoch and not done.exists():
                done.touch()
                os.kill(victim, signal.SIGKILL)
                signal.pause()
"""

PROGRAM = """
automl 1
study killed {
  target = Mmar("mmar")
  maximize val_mean_dice
  budget { trials = 1 }
}
use "mmar/config/config_train.json"
train.optimizer.lr ~ 0.01..0.02
"""


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Training owns its process; here it must give the settings back."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    set_determinism(None)


def test_a_killed_job_goes_on_from_its_last_epoch(tmp_path: Path) -> None:
    config = training_config(epochs=4)
    config["train"]["handlers"].append({"path": "assassins.Assassin"})
    make_mmar(tmp_path / "mmar", config)
    (tmp_path / "mmar" / "custom").mkdir()
    (tmp_path / "mmar" / "custom" / "assassins.py").write_text(ASSASSIN)
    (tmp_path / "killed.automl").write_text(PROGRAM)
    command = [sys.executable, "-m", "automl_run", "killed.automl", "--run-id", "a"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr

    folder = tmp_path / "runs" / "a"
    (summary,) = json.loads((folder / "summary.json").read_text())["jobs"]
    assert summary["state"] == "done"
    facts = proof_run.stored(folder)
    reported = {fence: [f["step"] for f in facts if f["f"] == "Reported" and f["fence"] == fence] for fence in (1, 2, 3)}
    assert reported == {1: [1], 2: [1, 2], 3: [1, 2, 3, 4]}
    assert proof_run.judged(folder, 1) == []
    job = folder / "W1_1_J1"
    assert "goes on from step_000000008.pt: 2 epochs are done" in (job / "attempt_3" / "log.txt").read_text()

    spec = read_job_spec(job)
    assert spec is not None
    report = Recorder(tmp_path / "whole")
    rendered = json.loads((job / "config" / "config_train.json").read_text())
    MmarTarget(str(tmp_path / "mmar"), tmp_path, {}).run(
        Job(spec.job, tmp_path / "whole", rendered, spec.params, spec.seed, 1, (), ("val_mean_dice",), report)
    )
    for name in ("model.pt", "model_final.pt"):
        killed = torch.load(job / "attempt_3" / "models" / name, weights_only=True)["model"]
        whole = torch.load(tmp_path / "whole" / "models" / name, weights_only=True)["model"]
        assert killed.keys() == whole.keys()
        assert all(torch.equal(killed[part], whole[part]) for part in whole), name
