"""A training of a user's own on volumes: as a function whose keeper is killed, and as a command that nothing happens to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from brain import write_pairs

from automl_run.cli.main import main
from automl_run.engine.agent.folders import log_tail

#: Plain torch: white matter from T1, a checkpoint and a report each epoch. `KILL` ends what watches over it, once, in epoch 5.
TRAIN = """
import os, signal, sys
from pathlib import Path

import automl_run
import nibabel
import torch

HERE = Path(__file__).parent


def items(numbers):
    for number in numbers:
        volumes = (nibabel.load(HERE / f"{kind}{number}.nii.gz").get_fdata() for kind in ("image", "label"))
        yield tuple(torch.tensor(volume, dtype=torch.float32)[None, None] for volume in volumes)


def train(lr, kill=False):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv3d(4, 1, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr)
    checkpoint = automl_run.report.checkpoint_dir / "last.pt"
    begin, best = 1, 0.0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(saved["net"])
        optimizer.load_state_dict(saved["optimizer"])
        begin, best = saved["epoch"] + 1, saved["best"]
        print("goes on with epoch", begin)
    for epoch in range(begin, 11):
        for image, label in items((0, 1, 2)):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(net(image / 128 - 1), label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if kill and epoch == 5 and not (HERE / "killed").exists():
            (HERE / "killed").touch()
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        with torch.no_grad():
            ((image, label),) = items((3,))
            white = net(image / 128 - 1) > 0
            dice = (2 * (white & (label == 1)).sum() / (white.sum() + label.sum())).item()
        best = max(best, dice)
        state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch, "best": best}
        torch.save(state, checkpoint.with_suffix(".part"))
        checkpoint.with_suffix(".part").replace(checkpoint)
        if automl_run.report(epoch, dice=dice):
            break
    automl_run.result(dice=best)


if __name__ == "__main__":
    train(float(sys.argv[1]))
"""
PROGRAM = """automl 1
study "volumes" {{
  target = {target}
  maximize dice
  budget {{ trials = 1 }}
}}
lr = 0.02 ~ log 1e-3..1e-1
{more}
"""


def searched(folder: Path, run_id: str, target: str, more: str = "") -> dict[str, Any]:
    """The job of a run."""
    file = folder / f"{run_id}.automl"
    file.write_text(PROGRAM.format(target=target, more=more))
    assert main([str(file), "--run-id", run_id]) == 0
    (job,) = json.loads((folder / "runs" / run_id / "summary.json").read_bytes())["jobs"]
    found: dict[str, Any] = job
    return found


def test_a_killed_function_comes_to_what_a_command_comes_to(tmp_path: Path) -> None:
    write_pairs(tmp_path, 4, 16)
    (tmp_path / "train.py").write_text(TRAIN)
    killed = searched(tmp_path, "function", 'Python("train:train")', "kill = true")
    assert (killed["state"], killed["attempts"], killed["step"]) == ("done", 2, 10)
    assert "goes on with epoch 5" in log_tail(tmp_path / "runs" / "function" / "W1_1_J1" / "attempt_2")
    whole = searched(tmp_path, "command", 'Command("{python} train.py {lr}")')
    assert (whole["state"], whole["attempts"], whole["step"]) == ("done", 1, 10)
    assert killed["score"] == whole["score"] > 0.3
