"""The pages for users of scripts: their files are written, their commands run, in a folder with nothing else in it.

Lightning and Hydra are installed for development; nnU-Net, which brings much with it, where one wants to (`docs/nnunet.md`).
Where one is absent its page is not run; what the page says to it is tried against a stand-in for the few names that it uses.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest
from brain import subjects, template
from pages import blocks, shell

from automl_run.dsl.load import load
from automl_run.engine.targets.command_line import Filling
from automl_run.engine.targets.metric_lines import Patterns
from automl_run.engine.targets.script import report

ROOT = Path(__file__).resolve().parents[1]


def files(page: str) -> dict[str, str]:
    """The blocks of a page that stand below the name of a file."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = re.findall(r"^`([\w./]+)`[^\n]*:\n\n```[a-z ]+\n(.*?)^```", text, flags=re.M | re.S)
    assert found, page
    return dict(found)


def write(page: str, folder: Path) -> Path:
    for name, text in files(page).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def run(page: str, folder: Path, timeout_s: float = 280, **environment: str) -> None:
    """The commands of a page."""
    found = blocks(page, "sh")
    assert found
    for block in found:
        shell(block, folder, timeout_s, **environment)


def summary(folder: Path, name: str) -> Any:
    return json.loads((folder / "runs" / name / "summary.json").read_text())


def needs(module: str, *, optional: bool = False) -> None:
    """Skips without `module`; where changes are judged only `optional` ones may be absent."""
    if importlib.util.find_spec(module) is None:
        assert optional or "CI" not in os.environ, f"{module} is not installed, which `pip install -e .[dev]` does"
        pytest.skip(f"{module} is not installed")


# -- scripts.md ---------------------------------------------------------------------------------------------------------------


def test_the_page_for_scripts(tmp_path: Path) -> None:
    run("scripts.md", write("scripts.md", tmp_path))
    found = summary(tmp_path, "scripts")
    assert [job["state"] for job in found["jobs"]] == ["done"] * 2
    assert (tmp_path / "runs" / "scripts" / "W1_1_J1" / "checkpoints" / "last.pt").is_file()
    assert [job["state"] for job in summary(tmp_path, "theirs")["jobs"]] == ["done"] * 2
    assert {job["params"]["optimizer.lr"] for job in summary(tmp_path, "file")["jobs"]} > {0.001}


# -- Lightning ----------------------------------------------------------------------------------------------------------------


def test_the_page_for_lightning(tmp_path: Path) -> None:
    needs("lightning")
    run("lightning.md", write("lightning.md", tmp_path))
    assert [job["state"] for job in summary(tmp_path, "lightning")["jobs"]] == ["done"] * 2
    assert (tmp_path / "runs" / "lightning" / "W1_1_J1" / "checkpoints" / "last.ckpt").is_file()


#: A training of volumes whose machine goes down in its third epoch, at the first attempt.
TISSUE = """
import os, signal, sys
from pathlib import Path
import automl_run, lightning, numpy, torch
from lightning.pytorch.callbacks import ModelCheckpoint
from report_to_search import ReportToSearch
from torch.utils.data import DataLoader, TensorDataset

class Tissue(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        first, second = torch.nn.Conv3d(1, 8, 3, padding=1), torch.nn.Conv3d(8, 3, 3, padding=1)
        self.net = torch.nn.Sequential(first, torch.nn.ReLU(), second)
    def on_train_epoch_start(self):
        with Path("epochs").open("a") as file:
            print(self.current_epoch, file=file)
        if Path("epochs").read_text().split() == ["0", "1", "2"]:
            os.kill(os.getpid(), signal.SIGKILL)
    def training_step(self, batch, index):
        return torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
    def validation_step(self, batch, index):
        pairs = [(self.net(batch[0]).argmax(1) == tissue, batch[1] == tissue) for tissue in (1, 2)]
        dice = [2 * (found & label).sum() / (found.sum() + label.sum()) for found, label in pairs]
        self.log("val/dice", torch.stack(dice).mean())
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=float(sys.argv[1]))

lightning.seed_everything(0)
volumes = numpy.load("volumes.npz")
image, label = torch.from_numpy(volumes["image"])[:, None] / 128 - 1, torch.from_numpy(volumes["label"]).long()
training, validation = (DataLoader(TensorDataset(image[part], label[part])) for part in (slice(4), slice(4, None)))
checkpoints = automl_run.report.checkpoint_dir
trainer = lightning.Trainer(max_epochs=6, accelerator="cpu", logger=False, enable_progress_bar=False,
    callbacks=[ReportToSearch(dice=sys.argv[2]), ModelCheckpoint(checkpoints, save_last=True)])
last = checkpoints / "last.ckpt"
trainer.fit(Tissue(), training, validation, ckpt_path=last if last.exists() else None)
"""


def test_lightning_trains_on_volumes_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    needs("lightning")
    (tmp_path / "report_to_search.py").write_text(files("lightning.md")["report_to_search.py"])
    (tmp_path / "train.py").write_text(TISSUE)
    images, labels = zip(*subjects(6, 24), strict=True)
    np.savez(tmp_path / "volumes.npz", image=np.stack(images), label=np.stack(labels))
    job = one_job(tmp_path, 'Command("{python} train.py {lr} val/dice")', "lr = 3e-2 ~ log 1e-3..1e-1")
    assert job["state"] == "done"
    assert job["score"] > 0.5
    assert (tmp_path / "epochs").read_text().split() == ["0", "1", "2", *"2345"]


def one_job(folder: Path, target: str, parameter: str) -> Any:
    """The baseline's entry in the summary of a run of it alone."""
    study = f'study "one" {{ target = {target}, maximize dice, budget {{ trials = 1 }} }}'
    (folder / "one.automl").write_text(f"automl 1\n{study}\n{parameter}\n")
    command = [sys.executable, "-m", "automl_run", "one.automl"]
    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False, timeout=280)
    (job,) = summary(folder, "one")["jobs"]
    return job


class Recorder:
    """What a job's report does, and asks to stop at step `stop_at`."""

    def __init__(self, folder: Path, stop_at: int) -> None:
        self.checkpoint_dir = folder
        self.seen: list[tuple[int, dict[str, float]]] = []
        self._stop_at = stop_at

    def __call__(self, step: int, **metrics: float) -> bool:
        self.seen.append((step, metrics))
        return step == self._stop_at

    def progress(self, text: str, fraction: float | None = None) -> None: ...


@pytest.fixture
def recorder(tmp_path: Path) -> Any:
    recorder = Recorder(tmp_path, stop_at=2)
    report.speak_through(recorder)
    yield recorder
    report.speak_through(None)


def stand_in(monkeypatch: pytest.MonkeyPatch, module: str, **names: object) -> None:
    parts = module.split(".")
    for index in range(len(parts)):
        name = ".".join(parts[: index + 1])
        made = ModuleType(name)
        made.__dict__.update(names if name == module else {})
        monkeypatch.setitem(sys.modules, name, made)


def test_the_callback_for_lightning(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "lightning.pytorch.callbacks", Callback=object)
    names: dict[str, Any] = {}
    exec(files("lightning.md")["report_to_search.py"], names)
    callback = names["ReportToSearch"](dice="val/dice")
    stopped: list[bool] = []
    for epoch in range(-1, 3):
        for rank in (0, 1):
            trainer = SimpleNamespace(
                sanity_checking=epoch < 0,
                is_global_zero=rank == 0,
                current_epoch=epoch,
                callback_metrics={"val/dice": np.float32(epoch / 4)},
                should_stop=False,
                strategy=SimpleNamespace(broadcast=lambda value: value or bool(stopped and stopped[-1])),
            )
            callback.on_validation_end(trainer, None)
            stopped.append(trainer.should_stop)
    assert recorder.seen == [(0, {"dice": 0.0}), (1, {"dice": 0.25}), (2, {"dice": 0.5})]
    assert stopped == [False] * 6 + [True] * 2


# -- Hydra --------------------------------------------------------------------------------------------------------------------


def test_the_page_for_hydra(tmp_path: Path) -> None:
    needs("hydra")
    run("hydra.md", write("hydra.md", tmp_path))
    assert [job["state"] for job in summary(tmp_path, "hydra")["jobs"]] == ["done"] * 4
    assert (tmp_path / "runs" / "hydra" / "W1_1_J1" / "hydra" / ".hydra" / "config.yaml").is_file()


def test_the_overrides_for_hydra(tmp_path: Path) -> None:
    program = load(write("hydra.md", tmp_path) / "search.automl")
    assert program.study.target is not None
    template = str(program.study.target.args["template"])
    overrides = set()
    for sample in program.sample(20, seed=1):
        line = Filling(program.resolve(sample), {"job_dir": "/runs/a b/W1_1_J1"}).shell(template)
        out = subprocess.run(
            ["bash", "-c", line.replace("python train.py", "printf '%s\\n'")], capture_output=True, text=True, check=True
        )
        words = out.stdout.splitlines()
        assert words[-1] == "hydra.run.dir=/runs/a b/W1_1_J1/hydra"
        assert ("model=unet" in words) == any(word.startswith("model.dropout=0.") for word in words)
        overrides |= {word for word in words if word.startswith("patch")}
    assert overrides == {"patch=[32, 32, 32]", "patch=[32, 32, 16]"}


# -- nnU-Net ------------------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(1800)
def test_the_page_for_nnunet(tmp_path: Path) -> None:
    needs("nnunetv2", optional=True)
    folder = write("nnunet.md", tmp_path)
    dataset(folder / "raw" / "Dataset001_Brain")
    places = {"nnUNet_raw": str(folder / "raw"), "nnUNet_preprocessed": str(folder / "preprocessed"), "nnUNet_results": str(folder)}
    prepare = [
        str(Path(sys.executable).parent / "nnUNetv2_plan_and_preprocess"),
        "-d",
        "1",
        "-c",
        "3d_fullres",
        "-np",
        "1",
        "-npfp",
        "1",
    ]
    subprocess.run(prepare, env={**os.environ, **places}, check=True, capture_output=True)
    run("nnunet.md", folder, 1200, nnUNet_n_proc_DA="0", nnUNet_def_n_proc="1", nnUNet_compile="F")
    assert [job["state"] for job in summary(folder, "nnunet")["jobs"]] == ["done"] * 2


@pytest.mark.parametrize("values", ["[np.float32(0.2869), np.float32(0.1995)]", "[0.2869, 0.1995]"])
def test_the_pattern_for_nnunet(values: str) -> None:
    """Lines of nnU-Net 2.8, and of older ones."""
    found = re.search(r'metrics = \{(dice): "([^"]+)"\}', (ROOT / "docs" / "nnunet.md").read_text(encoding="utf-8"))
    assert found is not None
    patterns = Patterns({found[1]: found[2]})
    assert list(patterns.find(f"2026-11-28 01:11:38.099555: Pseudo dice {values}")) == [(1, {"dice": 0.2869})]


def dataset(folder: Path) -> None:
    """Five subjects of 5 mm from the ICBM average: shifted, of other contrast, with noise."""
    t1, gm, wm = (np.kron(template(name), np.ones((2, 2, 2)))[::5, ::5, ::5] for name in ("t1", "gm", "wm"))
    label = np.where(gm > 127, 1, np.where(wm > 127, 2, 0)).astype(np.uint8)
    random, affine = np.random.default_rng(0), np.diag([5.0, 5.0, 5.0, 1.0])
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    for number in range(5):
        shift = tuple(random.integers(-2, 3, 3))
        image = np.roll(t1, shift, (0, 1, 2)) * random.uniform(0.8, 1.2) + random.normal(0, 8, t1.shape)
        nibabel.save(nibabel.Nifti1Image(image.astype(np.float32), affine), folder / "imagesTr" / f"b_{number:03}_0000.nii.gz")
        nibabel.save(nibabel.Nifti1Image(np.roll(label, shift, (0, 1, 2)), affine), folder / "labelsTr" / f"b_{number:03}.nii.gz")
    labels = {"background": 0, "gm": 1, "wm": 2}
    about = {"channel_names": {"0": "T1"}, "labels": labels, "numTraining": 5, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(about))


class Trainer:
    """The part of nnU-Net's trainer that the page's one builds on."""

    def __init__(self, plans: object, configuration: str, fold: int, dataset_json: object, device: object) -> None:
        self.initial_lr, self.num_epochs, self.current_epoch, self.ended = 1e-2, 1000, 0, False
        self.logger = SimpleNamespace(get_value=lambda name, step: np.float64(self.current_epoch / 10))

    def run_training(self) -> None:
        for _ in range(self.current_epoch, self.num_epochs):
            self.on_epoch_end()
        self.on_train_end()

    def on_epoch_end(self) -> None:
        self.current_epoch += 1

    def on_train_end(self) -> None:
        self.ended = True


def test_the_trainer_for_nnunet(tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "nnunetv2.training.nnUNetTrainer.nnUNetTrainer", nnUNetTrainer=Trainer)
    names: dict[str, Any] = {}
    exec(files("nnunet.md")["trainers/nnUNetTrainerSearch.py"], names)
    (tmp_path / "params.json").write_text('{"initial_lr": 0.02, "num_epochs": 5}')
    monkeypatch.setenv("AUTOML_CONFIG", str(tmp_path / "params.json"))
    trainer = names["nnUNetTrainerSearch"]({}, "3d_fullres", 0, {}, None)
    assert (trainer.initial_lr, trainer.num_epochs) == (0.02, 5)
    trainer.run_training()
    assert trainer.ended
    assert recorder.seen == [(epoch, {"dice": (epoch + 1) / 10}) for epoch in range(3)]
    (tmp_path / "params.json").write_text('{"initial_rl": 0.02}')
    with pytest.raises(AttributeError, match="nnUNetTrainer has no setting 'initial_rl'"):
        names["nnUNetTrainerSearch"]({}, "3d_fullres", 0, {}, None)
