"""A job of a bundle, in this process: what it reports, what it leaves, and what it leaves alone."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_bundle
import torch
from monai.utils import set_determinism
from tiny_training import Recorder

from automl_run.dsl.ir import Objective
from automl_run.engine.targets.base import Job
from automl_run.engine.targets.bundle import BundleTarget
from automl_run.errors import JobError

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="these say what happens on a host without a GPU")


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A job owns its process; here it must give the settings back."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(Path.cwd())
    modules, threads = set(sys.modules), torch.get_num_threads()
    environment, handlers = dict(os.environ), list(logging.root.handlers)
    yield
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] == "scripts":
            del sys.modules[name]
    torch.set_num_threads(threads)
    set_determinism(None)
    logging.root.handlers[:] = handlers
    os.environ.clear()
    os.environ.update(environment)


def run(root: Path, folder: Path, config: dict[str, Any], seed: int = 1, report: Recorder | None = None, **job: Any) -> Recorder:
    (folder / "config").mkdir(parents=True)
    report = report or Recorder(folder)
    target = BundleTarget(str(root), root, job.pop("ids", {}))
    rendered = target.render(config)
    target.run(Job("W1_1_J1", folder, rendered, {}, seed, 1, (), job.pop("objectives", ("val_mean_dice",)), report, **job))
    return report


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def test_a_bundle_as_it_stands(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = tiny_bundle.make(tmp_path / "bundle")
    before, folder = snapshot(root), tmp_path / "job"
    report = run(root, folder, tiny_bundle.config())
    assert [step for step, _ in report.seen] == [1, 2]
    assert all(set(metrics) == {"val_mean_dice", "val_accuracy", "train_loss"} for _, metrics in report.seen)
    assert snapshot(root) == before  # not a byte of the user's bundle
    said = capfd.readouterr().out
    assert "bundle says: " in said  # its logging.conf
    assert "finalized" in said
    weights = torch.load(folder / "models" / "model.pt", weights_only=True)
    assert set(weights) == {f"layers.{layer}.{part}" for layer in (0, 2) for part in ("weight", "bias")}
    assert (folder / "models" / "model_final.pt").is_file()
    assert (folder / "data").is_symlink()
    assert not (folder / "scripts").is_symlink()
    assert json.loads((folder / "configs" / "metadata.json").read_text())["version"] == "0.1.0"


def test_what_a_job_ran_runs_with_monai_alone(tmp_path: Path) -> None:
    root = tiny_bundle.make(tmp_path / "bundle")
    folder = tmp_path / "job"
    report = run(root, folder, tiny_bundle.config())
    command = (folder / "command.txt").read_text().split()
    assert command[:4] == ["python", "-m", "monai.bundle", "run"]
    options = dict(zip(command[4::2], command[5::2], strict=True))
    assert options == {
        "--config_file": "configs/train.json", "--meta_file": "configs/metadata.json", "--logging_file": "configs/logging.conf",
    }  # fmt: skip
    # What the command does, without the package that reads its options.
    keywords = {name.removeprefix("--"): value for name, value in options.items()}
    code = f"import torch, monai.bundle; torch.set_num_threads(1); monai.bundle.run(**{keywords!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert f"val_mean_dice: {report.seen[-1][1]['val_mean_dice']:.4f}" in done.stdout


def test_seeds_make_the_difference(tmp_path: Path) -> None:
    root = tiny_bundle.make(tmp_path / "bundle")
    first, again, other = (run(root, tmp_path / f"job{k}", tiny_bundle.config(), seed).seen for k, seed in enumerate((1, 1, 2)))
    assert first == again != other


def test_it_stops_when_it_is_told_and_goes_on_from_there(tmp_path: Path) -> None:
    root = tiny_bundle.make(tmp_path / "bundle")
    config = {**tiny_bundle.config(), "epochs": 3}
    whole = run(root, tmp_path / "whole", config)
    run(root, tmp_path / "cut", config, report=Recorder(tmp_path / "cut", lambda calls: calls > 2))
    again = run(root, tmp_path / "cut" / "attempt_2", config, report=Recorder(tmp_path / "cut"))
    assert [step for step, _ in again.seen] == [1, 2, 3]
    assert again.seen == whole.seen
    best = [torch.load(tmp_path / job / "models" / "model.pt", weights_only=True) for job in ("whole", "cut/attempt_2")]
    assert all(torch.equal(best[0][name], best[1][name]) for name in best[0])


def test_another_id_is_run(tmp_path: Path) -> None:
    root = tiny_bundle.make(tmp_path / "bundle")
    config = tiny_bundle.config()
    config["training"] = config.pop("run")  # what the specification called it before
    assert run(root, tmp_path / "job", config).seen
    assert "--run_id training" in (tmp_path / "job" / "command.txt").read_text()
    config["mine"] = config["training"]
    assert run(root, tmp_path / "other", config, ids={"run_id": "mine"}).seen


def test_an_evaluation_alone(tmp_path: Path) -> None:
    root = tiny_bundle.make(tmp_path / "bundle")
    config = {**tiny_bundle.config(), "run": ["$@validate#evaluator.run()"]}
    (step, metrics), *rest = run(root, tmp_path / "job", config).seen
    assert (step, set(metrics), rest) == (1, {"val_mean_dice", "val_accuracy"}, [])


def test_a_training_without_validation_has_its_loss(tmp_path: Path) -> None:
    root = tiny_bundle.make(tmp_path / "bundle")
    config = tiny_bundle.config()
    del config["train"]["handlers"][0]
    report = run(root, tmp_path / "job", config, objectives=("train_loss",), goal=Objective("train_loss", "maximize"))
    assert [(step, set(metrics)) for step, metrics in report.seen] == [(1, {"train_loss"}), (2, {"train_loss"})]
    first, last = (torch.load(tmp_path / "job" / "models" / name, weights_only=True) for name in ("model.pt", "model_final.pt"))
    assert report.seen[0][1]["train_loss"] > report.seen[1][1]["train_loss"]
    assert any(not torch.equal(first[name], last[name]) for name in first)
    with pytest.raises(JobError, match="without a validation"):
        run(root, tmp_path / "other", config)


def test_weights_that_it_starts_from_are_copied(tmp_path: Path) -> None:
    root = tiny_bundle.make(tmp_path / "bundle")
    torch.save({"layers.0.weight": torch.zeros(1)}, root / "models" / "start.pt")
    config = tiny_bundle.config()
    loader = config["train"]["handlers"][2]
    loader |= {"_disabled_": False, "load_path": "$@ckpt_dir + '/start.pt'", "strict": False}
    with pytest.raises(JobError, match="shape"):
        run(root, tmp_path / "job", config)
    assert (tmp_path / "job" / "models" / "start.pt").is_file()
    assert not (tmp_path / "job" / "models" / "start.pt").is_symlink()
    assert not (tmp_path / "job" / "models" / "model.pt").exists()


UNET = {"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [2], "strides": []}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network_def": UNET}, "`UNet`: ValueError: the length of `channels`"),
        ({"items": "$[{'image': i} for i in @nothing]"}, "`@nothing` is not defined"),
        ({"items": "$undefined_name"}, "`$undefined_name`: NameError"),
    ],
)
def test_failures_name_what_failed(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    root = tiny_bundle.make(tmp_path / "bundle")
    with pytest.raises((JobError, ValueError)) as caught:
        run(root, tmp_path / "job", {**tiny_bundle.config(), **change})
    assert message in str(caught.value)
