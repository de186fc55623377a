"""docs/bundles.md with the zoo's own spleen bundle, and short searches over the other three, on volumes derived from one brain."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import bundle_volumes
import pytest
import torch
from pages import DOCS, blocks, shell

from automl_run.cli.main import main
from automl_run.engine.agent.folders import read_job_spec

pytestmark = pytest.mark.skipif(
    not bundle_volumes.BUNDLES.is_dir(),
    reason=f"needs the zoo's configurations in {bundle_volumes.BUNDLES}",
)


def bundle(name: str, folder: Path) -> Path:
    shutil.copytree(bundle_volumes.BUNDLES / name, folder / name)
    for path in (folder / name, *(folder / name).rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder / name


def summary(folder: Path, run: str) -> Any:
    return json.loads((folder / "runs" / run / "summary.json").read_text())


def test_the_page(tmp_path: Path) -> None:
    """As it stands, but for the size of patches: the first run has those of the second, in the bundle's own file."""
    root = bundle("spleen_ct_segmentation", tmp_path)
    text = (root / "configs" / "train.json").read_text()
    text = re.sub(r"\[\s*96,\s*96,\s*96\s*\]", "[16, 16, 16]", text)
    text = re.sub(r"\[\s*16,\s*32,\s*64,\s*128,\s*256\s*\]", "[4, 8]", text).replace('"num_workers": 4', '"num_workers": 0')
    (root / "configs" / "train.json").write_text(re.sub(r"\[\s*2,\s*2,\s*2,\s*2\s*\]", "[2]", text))
    bundle_volumes.decathlon(tmp_path / "data" / "spleen", 11, 24)
    (program,) = blocks("bundles.md", "automl program")
    (tmp_path / "search.automl").write_text(program)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    for block in blocks("bundles.md", "sh"):
        said = shell(block, tmp_path)
    # What stands in the table, for the command line.
    settings = re.findall(r"`(--set [^`]+)`", (DOCS / "bundles.md").read_text(encoding="utf-8"))
    assert len(settings) == 2
    shell(f"automl-run check search.automl {' '.join(settings)}", tmp_path)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    found = summary(tmp_path, "first")
    assert [job["state"] for job in found["jobs"]] == ["done"] * 3
    assert [objective["name"] for objective in found["objectives"]] == ["val_mean_dice"]
    best = tmp_path / "runs" / "first" / "best"
    assert said.startswith("python -m monai.bundle run --config_file configs/train.json")
    assert all(isinstance(value, torch.Tensor) for value in torch.load(best / "models" / "model.pt", weights_only=True).values())
    resolved = json.loads((best / "configs" / "train.json").read_text())
    params = found["best"]["params"]
    assert resolved["optimizer"]["lr"] == params["optimizer.lr"]
    assert len(summary(tmp_path, "small")["jobs"]) == 2
    spec = read_job_spec(tmp_path / "runs" / "first" / found["best"]["job"])
    assert spec is not None
    # The command that it printed last, without the package that reads its options, and with as many threads as a job has.
    words = shlex.split(said)
    options = {name.removeprefix("--"): value for name, value in zip(words[4::2], words[5::2], strict=True)}
    code = f"import torch, monai.bundle; torch.set_num_threads({spec.threads}); monai.bundle.run(**{options!r})"
    trained = shell(f"cd runs/first/best; python -c {shlex.quote(code)}", tmp_path)
    scores = [float(value) for value in re.findall(r"val_mean_dice: ([0-9.]+)", trained)]
    assert max(scores) == pytest.approx(found["best"]["score"], abs=5e-5), trained


SEARCHES = {
    "brats_mri_segmentation": """
epochs = 1
network_def.init_filters ~ 8 | 16
network_def.blocks_down = [1, 1]
network_def.blocks_up = [1]
train.preprocessing_transforms += [EnsureTyped(keys = ["image", "label"], dtype = "$torch.float32")]
train.random_transforms.RandSpatialCropd.roi_size = [16, 16, 16]
train.random_transforms.RandFlipd[2].prob ~ 0.0..1.0
validate.inferer.roi_size = [24, 24, 24]
(train.dataloader.num_workers, validate.dataloader.num_workers) ~ (0, 0)
""",
    "wholeBody_ct_segmentation": """
val_interval = 1
train.trainer.max_epochs = 1
displayable_configs.init_LR ~ log 1e-4..1e-2
pixdim = [2.0, 2.0, 2.0]
network_def.init_filters = 8
network_def.blocks_down = [1, 1]
network_def.blocks_up = [1]
network_def.out_channels = 3
train.postprocessing.transforms.AsDiscreted.to_onehot = 3
validate.postprocessing.transforms.AsDiscreted.to_onehot = 3
train.deterministic_transforms.CropForegroundd.k_divisible = [8, 8, 8]
validate.preprocessing.transforms.CropForegroundd.k_divisible = [8, 8, 8]
validate.preprocessing.transforms.CenterSpatialCropd.roi_size = [24, 24, 24]
train.random_transforms.RandSpatialCropd.roi_size = [16, 16, 16]
validate.inferer.roi_size = [24, 24, 24]
(train.dataloader.num_workers, validate.dataloader.num_workers) ~ (0, 0)
""",
    "segmentation_template": """
num_epochs = 1
num_classes = 3
num_workers = 0
batch_size ~ 1 | 2
learning_rate ~ log 1e-4..1e-2
rand_prob ~ 0.0..1.0
network_def.channels ~ [4, 8, 16, 32] | [8, 16, 32, 64]
""",
}


@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_the_other_bundles(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    root = bundle(name, tmp_path)
    match name:
        case "brats_mri_segmentation":
            bundle_volumes.brats(tmp_path / "data", root, 2, 1, 24)
        case "wholeBody_ct_segmentation":
            bundle_volumes.decathlon(tmp_path / "data", 12, 24, 3)
        case _:
            bundle_volumes.pairs(tmp_path / "data", 5, 24)
    study = f'automl 1\nstudy {{ target = Bundle("{name}"), budget.trials = 2 }}\ndataset_dir = "{tmp_path / "data"}"\n'
    (tmp_path / "search.automl").write_text(study + SEARCHES[name])
    code = main([str(tmp_path / "search.automl"), "--run-id", "a"])
    assert code == 0, capsys.readouterr()
    jobs = summary(tmp_path, "a")["jobs"]
    assert [job["state"] for job in jobs] == ["done", "done"]
    assert all(0 <= job["score"] <= 1 for job in jobs)
    assert (tmp_path / "runs" / "a" / "best" / "models" / "model.pt").is_file()
