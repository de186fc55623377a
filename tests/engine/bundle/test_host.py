"""A configuration made to fit where it runs, and a job's folder that is a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl_run.engine.targets.bundle import folder, host
from automl_run.engine.targets.bundle.layout import Ids, command
from automl_run.engine.targets.bundle.target import BundleTarget
from automl_run.errors import InputError


@pytest.mark.parametrize(
    ("value", "there"),
    [
        ("cuda:1", "cpu"),
        ("$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')", None),
        ("$torch.device('cuda:' + os.environ['LOCAL_RANK'])", "$torch.device('cpu')"),
        ("$torch.device(f'cuda:{dist.get_rank()}')", "$torch.device('cpu')"),
        ('$torch.device("cuda")', "$torch.device('cpu')"),
        ("$@net.cuda()", "$@net.cpu()"),
        ("$torch.cuda.set_device(@device)", "$None"),
        ("$dist.init_process_group(backend='nccl')", "$dist.init_process_group(backend='gloo')"),
        ("barracuda", None),
        ([{"x": "cuda"}], [{"x": "cpu"}]),
    ],
)  # fmt: skip
def test_without_a_gpu(value: Any, there: Any) -> None:
    assert host.without_gpu({"a": value}) == {"a": value if there is None else there}


def test_mixed_precision_and_device_ids_are_the_gpus() -> None:
    config: dict[str, Any] = {
        "amp": True,
        "net": {"_target_": "torch.nn.parallel.DistributedDataParallel", "module": "@n", "device_ids": ["@device"]},
        "trainer": {"_target_": "SupervisedTrainer", "amp": "@amp"},
    }
    assert host.without_gpu(config) == {
        "amp": False,
        "net": {"_target_": "torch.nn.parallel.DistributedDataParallel", "module": "@n"},
        "trainer": {"_target_": "SupervisedTrainer", "amp": False},
    }
    assert config["amp"] is True


def test_the_seed_stands_where_the_bundle_sets_its_own() -> None:
    ids, benchmark = Ids(), "$setattr(torch.backends.cudnn, 'benchmark', True)"
    own: dict[str, Any] = {"initialize": ["$import os", "$monai.utils.set_determinism(seed=123)", benchmark]}
    assert host.own_seed(own, ids) == 123
    assert host.seeded(own, ids, 5)["initialize"] == [*own["initialize"][:2], "$monai.utils.set_determinism(seed=5)", benchmark]
    assert host.seeded({"initialize": benchmark}, ids, 5)["initialize"] == ["$monai.utils.set_determinism(seed=5)", benchmark]
    assert host.seeded({}, ids, 5)["initialize"] == ["$monai.utils.set_determinism(seed=5)"]


def test_handlers_of_what_is_not_installed_are_silent() -> None:
    stats = {"_target_": "monai.handlers.TensorBoardStatsHandler", "log_dir": "x"}
    config: dict[str, Any] = {"handlers": ["@tb", stats], "tb": {"_target_": "TensorBoardImageHandler"}}
    silent = {"_target_": "StatsHandler", "iteration_log": False, "epoch_log": False}
    assert host.without_handlers(config, ("TensorBoard",)) == ({"handlers": ["@tb", silent], "tb": silent}, ["handlers#1", "tb"])
    assert host.without_handlers(config, ()) == (config, [])


def test_paths_above_the_bundle_become_absolute(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "bundle").mkdir()
    config: dict[str, Any] = {"a": "../data", "b": ["../nowhere", "data"], "c": {"d": "../data"}}
    place = str(tmp_path / "data")
    assert host.rooted(config, tmp_path / "bundle") == {"a": place, "b": ["../nowhere", "data"], "c": {"d": place}}


def test_folds_are_the_bundles_own(tmp_path: Path) -> None:
    assert host.folded({"fold": 0, "folds": 3, "x": 1}, 2, 5) == {"fold": 2, "folds": 5, "x": 1}
    assert host.folded({"fold": 0}, 2, 5) == {"fold": 2}
    target = BundleTarget(str(tmp_path), tmp_path)
    target.check_folds({"fold": 0}, 5)
    with pytest.raises(InputError, match="needs an id `fold`"):
        target.check_folds({}, 5)


def test_ranks_are_for_configurations_that_know_of_them(tmp_path: Path) -> None:
    target = BundleTarget(str(tmp_path), tmp_path)
    assert target.ranks({"initialize": ["$monai.utils.set_determinism(seed=1)"]}, 4) == 1
    assert target.ranks({"initialize": ["$dist.init_process_group(backend='nccl')"]}, 4) == 4


def test_a_job_is_a_bundle_of_its_own(tmp_path: Path) -> None:
    root, job = tmp_path / "bundle", tmp_path / "bundle" / "runs" / "a" / "W1_1_J1"
    code = ["configs/train.json", "configs/list.json", "scripts/net.py"]
    others = ["data/x.nii", "models/start.pt", "models/model.pt", "eval/log", ".git/config", "results/old.txt", "checkpoints/in.pt"]
    for name in (*code, *others, "LICENSE"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (job / "checkpoints").mkdir(parents=True)
    saver = {"_target_": "CheckpointSaver", "key_metric_filename": "model.pt"}
    config: dict[str, Any] = {"a": "$@bundle_root + '/models/start.pt'", "saver": saver}
    folder.make(root, job, config)
    copied = {str(path.relative_to(job)) for path in job.rglob("*") if path.is_file() and not path.is_symlink()}
    assert copied == {*code, "models/start.pt"}
    linked = {str(path.relative_to(job)) for path in job.rglob("*") if path.is_symlink()}
    assert linked == {"data", "results", "checkpoints/in.pt", "LICENSE"}
    folder.unlink(job, [Path("./results/new"), job / "eval", Path("/elsewhere")])
    assert not (job / "results").exists()
    assert (root / "results" / "old.txt").is_file()


def test_the_command_names_what_is_there() -> None:
    assert command("train.json", Ids(), []) == "python -m monai.bundle run --config_file configs/train.json"
    shown = command("train.json", Ids("training", "start", "finalize"), ["metadata.json"])
    assert shown == (
        "python -m monai.bundle run --run_id training --init_id start "
        "--config_file configs/train.json --meta_file configs/metadata.json"
    )
