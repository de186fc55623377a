"""`best/` of runs whose jobs say themselves what they train."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from small_mmar import make_study

from automl_run.cli.main import main
from automl_run.dsl.ir import Spec
from automl_run.engine import best
from automl_run.engine.agent.folders import JobSpec, prepare
from automl_run.engine.export.evaluate import score

SCRIPT = """
import os, sys
from pathlib import Path
lr = float(sys.argv[1])
Path(os.environ["AUTOML_CHECKPOINT_DIR"], "weights.txt").write_text(str(lr))
print(f"automl: score={lr}")
"""
SEARCH = """automl 1
study "s" {
  target = Command("python3 train.py {lr} --name 'a b'")
  maximize score
  controller = Random()
  budget { trials = 3 }
}
lr = 0.5 ~ 0.0..1.0
"""


def test_the_best_of_a_command_says_how_it_was_run(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "s.automl").write_text(SEARCH)
    assert main([str(tmp_path / "s.automl"), "--run-id", "a"]) == 0
    folder = tmp_path / "runs" / "a" / "best"
    info = json.loads((folder / "best.json").read_bytes())
    assert json.loads((folder / "config" / "params.json").read_bytes()) == {"lr": info["score"]}
    assert (folder / "checkpoints" / "weights.txt").read_text() == str(info["score"])
    assert len(list(tmp_path.glob("runs/a/W*/checkpoints/weights.txt"))) == 3, "what code of the user's keeps is the user's"
    text = (folder / "README.md").read_text()
    assert f"cd {tmp_path} || exit" in text
    assert f"python3 train.py {info['score']} --name" in text
    assert "evaluate.sh" not in text
    assert "`checkpoints/` is what it left" in text
    # It stands by itself: what the job left may go.
    again = tmp_path / "again"
    done = subprocess.run([folder / "commands" / "train.sh", again], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (again / "checkpoints" / "weights.txt").read_text() == str(info["score"])
    assert f"done\n  score = {info['score']}\n" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} <= {"train.py", "s.automl", "runs", "again", "__pycache__"}
    twice = subprocess.run([folder / "commands" / "train.sh", again], capture_output=True, text=True, check=False, timeout=120)
    assert (twice.returncode, twice.stdout) == (2, "")
    assert twice.stderr == f"error: {again} exists: nothing is overwritten; name another folder\n"
    assert not list(tmp_path.glob("runs/a/.best*"))


def test_of_an_expression_the_model_is_the_one_that_the_table_is_about(tmp_path: Path) -> None:
    """The worst epoch by the key metric, which the evaluator would not have kept."""
    file = make_study(tmp_path, trials=1, more="minimize 2 * val_mean_dice\n  ensure train_loss > 0")
    assert main([str(file), "--run-id", "a", "--set", "epochs=3"]) == 0
    run = tmp_path / "runs" / "a"
    (job,) = json.loads((run / "summary.json").read_bytes())["jobs"]
    info = json.loads((run / "best" / "best.json").read_bytes())
    found = score(run / "best")["val_mean_dice"]
    assert 2 * found == pytest.approx(info["score"], abs=1e-6)
    assert info["score"] == job["score"] == info["scores"]["2 * val_mean_dice"]
    assert "`models/model.pt` has the weights that these are of" in (run / "best" / "README.md").read_text()


def test_of_a_pruned_job_it_says_which_numbers_are_whose(tmp_path: Path) -> None:
    spec = JobSpec("J1", 1, Spec("Mmar", {"path": "m"}), "config_train.json", {}, 1, ("dice",), (), 1, str(tmp_path))
    prepare(tmp_path, spec, {})
    info = {"job": "J1", "scores": {"dice": 0.3}, "weights": "models/model.pt", "pruned": True}
    best.write_best(tmp_path, "J1", 1, info)
    said = (tmp_path / "best" / "README.md").read_text()
    assert "these are its last values, `models/model.pt` has the weights of its best validation" in said


@pytest.mark.parametrize("can_exchange", [True, False])
def test_the_old_best_stays_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool) -> None:
    if not can_exchange:
        monkeypatch.setattr(best, "_exchange", lambda one, other: False)
    for name in ("J1", "J2"):
        (tmp_path / name / "models").mkdir(parents=True)
        (tmp_path / name / "models" / "model.pt").write_text(name)
    best.write_best(tmp_path, "J1", 1, {"job": "J1"})

    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(best, "_take", full)
        with pytest.raises(OSError, match="No space"):
            best.write_best(tmp_path, "J2", 1, {"job": "J2"})
    assert (tmp_path / "best" / "models" / "model.pt").read_text() == "J1"
    best.write_best(tmp_path, "J2", 1, {"job": "J2"})
    assert (tmp_path / "best" / "models" / "model.pt").read_text() == "J2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["J1", "J2", "best"]
