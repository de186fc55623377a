"""A job of two processes on the CPU, started by torchrun as on two GPUs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import proof_run
import pytest
from small_mmar import make_mmar, training_config

from automl_run.dsl.ir import Spec
from automl_run.engine.agent.folders import JobSpec, prepare
from automl_run.engine.agent.ranks import CPU_RANKS_VARIABLE, ranks_of
from automl_run.engine.targets.mmar import MmarTarget
from automl_run.errors import JobError

#: Says what a rank sees, and ends the second one, once, in the middle of the second epoch, without a word.
SPY = """
import os, signal
from pathlib import Path
from ignite.engine import Events

class Spy:
    def __init__(self, name, once):
        self.name, self.once = name, Path(once)

    def attach(self, engine):
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine):
        rank, state = int(os.environ["RANK"]), engine.state
        names = [Path(item["image"].meta["filename_or_obj"]).name for item in state.batch]
        print(f"{self.name}: rank {rank} epoch {state.epoch} saw {' '.join(names)}", flush=True)
        if rank == 1 and state.epoch == 2 and not self.once.exists():
            self.once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
"""


def job(folder: Path, fence: int, config: dict[str, Any], **parts: Any) -> Path:
    rendered = MmarTarget("mmar", folder, {}).render(config)
    target = Spec("Mmar", {"path": "mmar"})
    spec = JobSpec("W1_1_J1", fence, target, "config_train.json", {}, 1, ("val_mean_dice",), (), 1, str(folder), **parts)
    return prepare(folder, spec, rendered)


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "automl_run.engine.agent.job", str(folder)]
    environment = {**os.environ, CPU_RANKS_VARIABLE: "2"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=240)


def test_two_ranks_share_the_data_and_one_crash_ends_both(tmp_path: Path) -> None:
    config = training_config(epochs=3)
    (make_mmar(tmp_path / "mmar") / "custom").mkdir()
    (tmp_path / "mmar" / "custom" / "spies.py").write_text(SPY)
    spy = {"path": "spies.Spy", "args": {"name": "everyone", "once": str(tmp_path / "once")}}
    second = {"path": "spies.Spy", "args": {"name": "second", "once": str(tmp_path / "once")}, "rank": 1}
    config["train"]["handlers"] += [spy, second]

    crashed = run(job(tmp_path, 1, config))
    assert crashed.returncode == 1
    assert "failed (lost): one of its ranks failed: it was killed from outside (SIGKILL)" in crashed.stderr
    assert proof_run.processes_of(tmp_path) == []

    again = run(job(tmp_path, 2, config, measured=("parameters", "peak_memory")))
    assert again.returncode == 0, again.stdout + again.stderr
    assert "goes on from step_000000002.pt: 1 epochs are done" in again.stdout
    reported = re.findall(r"^step (\d+): (.+)$", again.stdout, re.M)
    assert [int(step) for step, _ in reported] == [1, 2, 3]
    assert all(set(re.findall(r"(\w+) = ", values)) == {"val_mean_dice", "train_loss"} for _, values in reported)
    seen = re.findall(r"everyone: rank (\d) epoch (\d) saw (\S+)", again.stdout)
    for epoch in "23":
        of_rank = [{name for rank, when, name in seen if (rank, when) == (which, epoch)} for which in "01"]
        assert [len(names) for names in of_rank] == [2, 2]
        assert len(of_rank[0] | of_rank[1]) == 4
    assert set(re.findall(r"second: rank (\d)", again.stdout)) == {"1"}
    assert "  parameters = " in again.stdout
    assert "  peak_memory = " in again.stdout
    assert (tmp_path / "W1_1_J1" / "attempt_2" / "models" / "model.pt").is_file()


@pytest.mark.parametrize(
    ("config", "gpus", "asked", "ranks"),
    [
        ({}, (0,), "2", 1),
        ({}, (2, 3), "1", 2),
        ({"multi_gpu": True}, (0, 1, 2), "1", 3),
        ({"multi_gpu": False}, (0, 1), "1", 1),
        ({"multi_gpu": "false"}, (0, 1), "1", 1),
        ({}, (), "1", 1),
        ({}, (), "2", 2),
        ({"multi_gpu": False}, (), "2", 1),
    ],
)
def test_one_rank_a_gpu(config: Any, gpus: tuple[int, ...], asked: str, ranks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CPU_RANKS_VARIABLE, asked)
    spec = JobSpec("W1_1_J1", 1, Spec("Mmar", {"path": "mmar"}), "c.json", {}, 1, ("dice",), gpus, 1, ".")
    assert ranks_of(MmarTarget("mmar", Path(), {}), config, spec) == ranks
    assert ranks_of(object(), config, spec) == 1


def test_a_number_of_ranks_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = JobSpec("W1_1_J1", 1, Spec("Mmar", {"path": "mmar"}), "c.json", {}, 1, ("dice",), (), 1, ".")
    for asked in ("two", "0", "-1", "65"):
        monkeypatch.setenv(CPU_RANKS_VARIABLE, asked)
        with pytest.raises(JobError, match=f"{CPU_RANKS_VARIABLE} must be a number from 1 to 64"):
            ranks_of(MmarTarget("mmar", Path(), {}), {}, spec)
