"""The MMAR target with torch and MONAI: building the real Clara configs, training, networks."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from clara_mmar import CONFIGS, make_clara_mmar
from monai.utils import set_determinism
from small_mmar import component, config_of_clara_4_0, make_mmar, training_config

from automl_run.dsl.ir import Value
from automl_run.engine.targets.base import Job
from automl_run.engine.targets.mmar import MmarTarget
from automl_run.engine.targets.mmar.build import Build
from automl_run.engine.targets.mmar.evaluate import evaluate
from automl_run.engine.targets.mmar.networks import SegAhnet, patch_sizes
from automl_run.errors import JobError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Training owns its process; here it must give the settings back."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    set_determinism(None)


class Recorder:
    """A report that remembers its metrics, and asks to stop from step `stop_at` on."""

    def __init__(self, checkpoint_dir: Path, stop_at: int | None = None) -> None:
        self.checkpoint_dir = checkpoint_dir
        self.seen: list[tuple[int, dict[str, float]]] = []
        self.told: list[tuple[str, float | None]] = []
        self._stop_at = stop_at

    def __call__(self, step: int, **metrics: float) -> bool:
        if metrics:
            self.seen.append((step, metrics))
        return self._stop_at is not None and step >= self._stop_at

    def progress(self, text: str, fraction: float | None = None) -> None:
        self.told.append((text, fraction))


def run(
    root: Path, folder: Path, config: dict[str, Any], seed: int = 1, stop_at: int | None = None
) -> list[tuple[int, dict[str, float]]]:
    folder.mkdir()
    report = Recorder(folder, stop_at)
    job = Job("W1_1_J1", folder, config, {}, seed, 1, (), ("val_mean_dice",), report)
    found = MmarTarget(str(root), root, {}).run(job)
    best = max((metrics for _, metrics in report.seen), key=lambda metrics: next(iter(metrics.values())), default=None)
    assert found == best, "what counts is what the kept weights gave"
    return report.seen


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MMAR of two volumes to train on and one for validation, larger than what a crop leaves."""
    return make_mmar(tmp_path_factory.mktemp("mmar") / "mmar", training=2, validation=1, size=24)


def config() -> dict[str, Any]:
    """The small MMAR's config with more of Clara's form: old names, parts that are switched off, a saver of its own."""
    keys = ["image", "label"]
    config = training_config(epochs=2)
    train, validate = config["train"], config["validate"]
    config["amp"] = True
    train["trainer"]["args"] |= {"amp": True, "max_epochs": 2}
    network = train["model"]["args"]
    network |= {"dimensions": network.pop("spatial_dims"), "norm": "INSTANCE"}
    train["pre_transforms"][3:] = [
        component("RandSpatialCropd", keys=keys, roi_size=[16, 16, 16], random_size=False),
        component("RandomAxisFlip", fields=keys, probability=0.5),
        {**component("RandGaussianNoised", keys="image", prob=1.0), "disabled": True},
    ]
    loader = component("CheckpointLoader", load_path="nowhere.pt", load_dict={"model": "@model"})
    train["handlers"].append({**loader, "disabled": True})
    validate["post_transforms"][1]["args"] |= {"to_onehot": True, "n_classes": 2}
    saved = {"model": "@model", "train_conf": "@conf"}
    validate["handlers"] = [component("CheckpointSaver", save_dir="models", save_dict=saved, save_key_metric=True)]
    validate["evaluator"]["args"]["val_handlers"] = "@handlers"
    return config


# -- training -------------------------------------------------------------------------------------------------------------


def test_a_config_trains_reports_and_leaves_its_models(root: Path, tmp_path: Path) -> None:
    seen = run(root, tmp_path / "a", config())
    assert [step for step, _ in seen] == [1, 2]
    assert all(set(metrics) == {"val_mean_dice", "train_loss"} and 0 <= metrics["val_mean_dice"] <= 1 for _, metrics in seen)
    models = tmp_path / "a" / "models"
    assert {"model.pt", "model_final.pt"} <= {path.name for path in models.iterdir()}
    assert any(path.name.startswith("checkpoint_key_metric=") for path in models.iterdir())
    best = max(metrics["val_mean_dice"] for _, metrics in seen)
    again = evaluate(config(), root, models / "model.pt", "validation", tmp_path / "b")
    assert again["val_mean_dice"] == pytest.approx(best, abs=1e-6)


def test_a_config_of_clara_4_0_trains(tmp_path: Path) -> None:
    mmar = make_mmar(tmp_path / "m", training=2, validation=1)
    written = config_of_clara_4_0()
    target = MmarTarget(str(mmar), mmar, {})
    rendered = target.render(written)
    target.inspect(rendered, ("val_mean_dice", "with_background"))
    ((step, metrics),) = run(mmar, tmp_path / "a", rendered)
    assert step == 1
    assert set(metrics) == {"val_mean_dice", "with_background", "train_loss"}
    assert any(path.name.startswith("checkpoint_final") for path in (tmp_path / "a" / "models").iterdir())


def test_progress_is_told_after_each_epoch(root: Path, tmp_path: Path) -> None:
    report = Recorder(tmp_path)
    MmarTarget(str(root), root, {}).run(Job("W1_1_J1", tmp_path, config(), {}, 1, 1, (), ("val_mean_dice",), report))
    assert report.told == [("epoch 1/2", 0.5), ("epoch 2/2", 1.0)]


def test_the_seed_decides_everything(root: Path, tmp_path: Path) -> None:
    first, again, other = (run(root, tmp_path / name, config(), seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again
    assert first != other


def test_a_job_that_is_told_to_stop_stops(root: Path, tmp_path: Path) -> None:
    cut = config()
    cut["train"]["trainer"]["args"]["max_epochs"] = 50
    assert [step for step, _ in run(root, tmp_path / "a", cut, stop_at=2)] in ([1], [1, 2])
    assert (tmp_path / "a" / "models" / "model_final.pt").is_file()


def test_a_run_without_a_validation_says_why(root: Path, tmp_path: Path) -> None:
    cut = config()
    cut["num_interval_per_valid"] = cut["train"]["handlers"][0]["args"]["interval"] = 20
    with pytest.raises(JobError, match="epochs is 2 and num_interval_per_valid is 20") as caught:
        run(root, tmp_path / "a", cut)
    assert caught.value.cause == "user_error"


def test_a_loss_that_is_no_number_ends_the_job(root: Path, tmp_path: Path) -> None:
    bad = config()
    bad["train"]["optimizer"]["args"]["lr"] = 1e30
    with pytest.raises(JobError, match="became nan") as caught:
        run(root, tmp_path / "a", bad)
    assert caught.value.cause == "diverged"


# -- mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("train.model.name", "UNett", r"train\.model: there is no component `UNett` \(did you mean `UNet`"),
        ("train.model.args.chanels", 3, r"train\.model: UNet has no argument `chanels` \(did you mean `channels`"),
        ("train.loss.args.reduction", "sum of all", r"train\.loss: DiceLoss: ValueError"),
        ("train.optimizer.args.params", "@modle", r"`@modle` is nothing in this config \(did you mean `model`"),
        ("train.optimizer.args.params", "#@model.params()", r"`@model\.params\(\)` failed: AttributeError"),
        ("train.optimizer.args.params", "@trainer", "need each other: train.trainer -> train.optimizer -> train.trainer"),
        ("train.model", {"path": "os.system", "args": {}}, r"module `os` is not in .*--allow-module os"),
        ("train.model", {"path": "monai.nets.UNet", "args": {}}, "there is no module `monai.nets`"),
        ("validate.pre_transforms", [{"ref": "LoadImage"}], r"`ref` to 'LoadImage'.*did you mean `LoadImaged`"),
        ("validate.evaluator.args.key_val_metric", "@key_metrics", r"did you mean `key_metric`"),
        (
            "train.loss",
            [component("DiceLoss"), component("FocalLoss")],
            "exactly one of DiceLoss, FocalLoss must be enabled, not 2",
        ),
    ],
)
def test_a_mistake_is_one_error_at_its_place(root: Path, tmp_path: Path, path: str, value: Value, message: str) -> None:
    wrong = config()
    node: Any = wrong
    *steps, last = path.split(".")
    for step in steps:
        node = node[step]
    node[last] = value
    build = Build(wrong, root, tmp_path, CPU, amp=False)
    with pytest.raises(JobError, match=message):
        assert build.part("train", "trainer") is build.part("validate", "evaluator")


def test_a_component_of_the_mmars_custom_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom" / "mmar_own_part.py").write_text("class Mine:\n    def __init__(self, k):\n        self.k = k\n")
    build = Build({"train": {"loss": {"path": "mmar_own_part.Mine", "args": {"k": 3}}}}, tmp_path, tmp_path, CPU, amp=False)
    assert getattr(build.part("train", "loss"), "k", None) == 3


# -- real Clara configs -----------------------------------------------------------------------------------------------------


def clara_config(name: str, root: Path) -> tuple[MmarTarget, dict[str, Any]]:
    """One of NVIDIA's training configs, its searches removed as at the start of a job, with a small volume to train on."""
    make_clara_mmar(root)
    raw = json.loads((root / "config" / f"trn_autoML_{name}.json").read_text())
    raw.pop("search", None)
    _choose_first(raw["train"])
    target = MmarTarget(str(root), root, {"DATASET_JSON": "data/dataset.json", "DATA_ROOT": "data", "MMAR_CKPT": "models/model.pt"})
    target.check()
    return target, target.render(raw)


def _choose_first(section: dict[str, Any]) -> None:
    """What the search would do with alternatives: all but the first are disabled."""
    for key in ("loss", "optimizer"):
        if isinstance(section[key], list):
            for other in section[key][1:]:
                other["disabled"] = True


@pytest.mark.parametrize("name", CONFIGS)
def test_a_real_clara_config_can_be_built(name: str, tmp_path: Path) -> None:
    target, rendered = clara_config(name, tmp_path / "mmar")
    build = Build(rendered, target.root, tmp_path / "job", CPU, amp=False)
    assert type(build.part("train", "trainer")).__name__ == "SupervisedTrainer"
    assert type(build.part("validate", "evaluator")).__name__ == "SupervisedEvaluator"


# -- networks ---------------------------------------------------------------------------------------------------------------


def small(**args: Any) -> SegAhnet:
    torch.manual_seed(0)
    network = SegAhnet(num_classes=3, layers=[1, 1, 1, 1], norm="group", **args)
    network.eval()
    return network


@pytest.mark.parametrize(("activation", "total"), [("softmax", True), ("sigmoid", False), ("none", False)])
def test_the_network_applies_its_final_activation(activation: str, total: bool) -> None:
    with torch.no_grad():
        out = small(final_activation=activation)(torch.randn(1, 1, 32, 32, 32))
    assert out.shape == (1, 3, 32, 32, 32)
    assert torch.allclose(out.sum(dim=1), torch.ones(()), atol=1e-5) is total
    assert bool((out < 0).any()) is (activation == "none")


def test_the_plane_is_the_axis_of_low_resolution() -> None:
    x = torch.randn(1, 1, 32, 32, 64)
    with torch.no_grad():
        along_z = small(plane="z")(x)
        along_x = small(plane="x")(x.transpose(2, 4))
    assert torch.allclose(along_z, along_x.transpose(2, 4), atol=1e-5)


@pytest.mark.parametrize(
    ("sizes", "mode", "blocks"),
    [([[32, 32, 32]], "transpose", 2), ([[96, 96, 32]], "trilinear", 3), ([[64, 64, 32], [128, 128, 128]], "transpose", 3)],
)
def test_as_many_pyramid_blocks_as_fit(sizes: list[list[int]], mode: str, blocks: int) -> None:
    network = small(if_use_psp=True, upsample_mode=mode, patch_sizes=sizes)
    assert network.psp_block_num == blocks
    if sizes == [[32, 32, 32]]:
        with torch.no_grad():
            assert network(torch.zeros(1, 1, 32, 32, 32)).shape == (1, 3, 32, 32, 32)


def test_patches_that_do_not_fit_are_refused() -> None:
    with pytest.raises(JobError, match=r"divisible by 32"):
        small(patch_sizes=[[40, 40, 40]])
    with pytest.raises(JobError, match="no patch size to choose the pyramid blocks by"):
        small(if_use_psp=True)


def test_patch_sizes_are_those_of_the_last_crop_and_of_the_windows() -> None:
    crop = [
        component("Resized", spatial_size=[200] * 3),
        component("RandSpatialCropd", roi_size=64),
        {**component("C", roi_size=8), "disabled": True},
    ]
    cut: dict[str, Any] = {"train": {"pre_transforms": crop}, "validate": {"inferer": component("S", roi_size=[96, 96, 32])}}
    assert patch_sizes(cut) == [[64, 64, 64], [96, 96, 32]]


def test_weights_load_by_name_and_shape(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = small()
    torch.save({"model": source.state_dict()}, tmp_path / "w.pt")
    torch.manual_seed(5)
    with caplog.at_level(logging.INFO):
        loaded = SegAhnet(2, layers=[1, 1, 1, 1], norm="group", pretrain_weight_name=str(tmp_path / "w.pt"))
    assert torch.equal(loaded.conv1.weight, source.conv1.weight)
    assert "weights from" in caplog.text
    with pytest.raises(JobError, match="there is no file"):
        SegAhnet(2, pretrain_weight_name=str(tmp_path / "none.pt"))


def test_an_activation_is_not_applied_twice(root: Path, tmp_path: Path) -> None:
    own = config()
    own["train"]["model"] = component("SegAhnet", num_classes=2, layers=[1, 1, 1, 1], norm="group")
    own["train"]["pre_transforms"][3]["args"]["roi_size"] = 32
    loss: Any = Build(own, root, tmp_path, CPU, amp=False).part("train", "loss")
    assert loss.softmax is False
    own["train"]["loss"] = component("DiceCELoss", to_onehot_y=True, softmax=True)
    with pytest.raises(JobError, match="it needs raw output, but the network applies softmax itself"):
        Build(own, root, tmp_path, CPU, amp=False).part("train", "loss")


def test_a_study_may_ask_for_weights_and_latency(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    report, measured = Recorder(folder), ("parameters", "latency_ms")
    job = Job("W1_1_J1", folder, config(), {}, 1, 1, (), ("val_mean_dice",), report, measured=measured)
    found = MmarTarget(str(root), root, {}).run(job)
    assert isinstance(found, dict)
    saved = torch.load(folder / "models" / "model.pt", weights_only=True)["model"]
    assert found["parameters"] == sum(weight.numel() for weight in saved.values())
    assert 0.0 < found["latency_ms"] < 10_000.0
