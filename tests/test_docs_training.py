"""docs/training.md: its program is run, its commands in their order, on a small MMAR."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import proof_run
import pytest
import torch
from small_mmar import make_mmar, training_config

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "training.md").read_text(encoding="utf-8")
#: Says that the second epoch has begun, and slows the training down until `go` is there.
SLOW = """
import time
from pathlib import Path
from ignite.engine import Events

class Slow:
    def attach(self, engine):
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine):
        root = Path(__file__).parent
        if engine.state.epoch >= 2 and not (root / "go").exists():
            if engine.state.iteration % engine.state.epoch_length == 1:
                with open(root / "started", "w") as started:
                    started.write("x")
            time.sleep(2.0)
"""


class Place:
    """A user's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        config = training_config(epochs=20)
        config["train"]["handlers"].append({"path": "slow.Slow"})
        make_mmar(path / "mmar", config)
        custom = path / "mmar" / "custom"
        custom.mkdir()
        (custom / "slow.py").write_text(SLOW)
        os.mkfifo(custom / "started")
        self._started = os.open(custom / "started", os.O_RDWR)
        (program,) = re.findall(r"^```text\n(automl 1\n.*?)^```", PAGE, flags=re.M | re.S)
        (path / "search.automl").write_text(program)

    def start(self, line: str) -> subprocess.Popen[str]:
        before, name, after = line.partition("automl-run ")
        assert name, line
        words = shlex.split(after)
        environment = {**os.environ, **dict(variable.split("=", 1) for variable in shlex.split(before))}
        command = [sys.executable, "-m", "automl_run", *words]
        return subprocess.Popen(
            command, cwd=self.path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, line: str) -> None:
        with self.start(line) as process:
            said, _ = process.communicate(timeout=280)
        assert process.returncode == 0, f"{line}\n{said}"

    def has_begun(self) -> None:
        os.read(self._started, 65536)

    def go(self) -> None:
        (self.path / "mmar" / "custom" / "go").touch()


@pytest.mark.timeout(600)
def test_the_commands_of_the_page(tmp_path: Path) -> None:
    begin, stop, resume, rehearse, stop_rehearsal = [
        line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.M | re.S) for line in block.splitlines()
    ]
    place = Place(tmp_path)
    with place.start(begin) as run:
        place.has_begun()
        place.run(stop)
        said, _ = run.communicate(timeout=60)
    assert run.returncode == 130, said
    place.go()
    place.run(resume)

    folder = tmp_path / "runs" / "night"
    facts = proof_run.stored(folder)
    steps = {fence: [f["step"] for f in facts if f["f"] == "Reported" and f["fence"] == fence] for fence in (1, 2)}
    assert steps[1] == list(range(1, len(steps[1]) + 1)) != []
    assert steps[2] == list(range(1, 21))
    job = folder / "W1_1_J1"
    said = (job / "attempt_2" / "log.txt").read_text()
    gone_on = re.search(r"goes on from step_0\d+\.pt: (\d+) epochs are done", said)
    assert gone_on is not None
    # One more than was reported, if the stop came between an epoch and its validation.
    assert int(gone_on[1]) - len(steps[1]) in (0, 1)
    (ended,) = [fact for fact in facts if fact["f"] == "Ended"]
    assert ended["state"] == "done"
    assert not (job / "checkpoints").exists(), "it never runs again"
    weights = torch.load(job / "attempt_2" / "models" / "model.pt", weights_only=True)["model"]
    assert ended["values"]["parameters"] == sum(part.numel() for name, part in weights.items() if "num_batches" not in name)
    assert 0 < ended["values"]["latency_ms"] < 60_000
    assert 2**26 < ended["values"]["peak_memory"] < 20 * 2**30
    assert 0 < ended["seconds"] < 7200

    (tmp_path / "mmar" / "custom" / "go").unlink()
    with place.start(rehearse) as run:
        place.has_begun()
        place.run(stop_rehearsal)
        said, _ = run.communicate(timeout=60)
    assert run.returncode == 130, said
    newest = max((tmp_path / "runs" / "rehearsal" / "W1_1_J1" / "checkpoints").glob("step_*.pt"))
    assert len(torch.load(newest, weights_only=True)["random"]) == 2
    assert proof_run.processes_of(tmp_path) == []


def test_the_page_names_all_built_in_metrics() -> None:
    from automl_run.dsl.elaborate.metrics import BUILT_IN

    listed = re.findall(r"^\| `(\w+)` \|", PAGE.split("## What is measured")[1], flags=re.M)
    assert set(listed) == set(BUILT_IN)
