"""A trained job as a MONAI bundle: what it holds, and that MONAI gives the table's score with it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tiny_bundle
import torch
from brain import AFFINE
from small_mmar import make_study

from automl_run.cli.main import main
from automl_run.dsl.ir import Value
from automl_run.engine.export.inference import without_label

#: What MONAI's bundle specification calls mandatory.
MANDATORY = {
    "version", "monai_version", "pytorch_version", "numpy_version", "required_packages_version", "task", "description", "authors",
    "copyright", "network_data_format",
}  # fmt: skip
TENSOR = {
    "type", "format", "modality", "num_channels", "spatial_shape", "dtype", "value_range", "is_patch_data", "channel_def",
}  # fmt: skip


BUNDLE = """automl 1
use "bundle/configs/train.json"
study "b" {
  controller = Random()
  budget { trials = 2 }
}
epochs = 1
network_def.width ~ 2 | 3
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two jobs on a small MMAR."""
    folder = tmp_path_factory.mktemp("export")
    assert main([str(make_study(folder)), "--run-id", "a"]) == 0
    return folder / "runs" / "a"


def monai_bundle(bundle: Path, config: str, **more: object) -> None:
    """What `python -m monai.bundle run --config_file ... --meta_file ...` does, which needs `fire` for its arguments."""
    files = {"config_file": f"configs/{config}", "meta_file": "configs/metadata.json", "bundle_root": ".", **more}
    code = f"from monai.bundle import run; run(**{files!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=bundle, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def summary(run: Path) -> Any:
    return json.loads((run / "summary.json").read_bytes())


def test_the_bundle_of_the_best_job_gives_the_score_of_the_table(run: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    assert main(["export", str(run), "--bundle", str(bundle)]) == 0
    monai_bundle(bundle, "evaluate.json")
    (line,) = (bundle / "eval" / "metrics.csv").read_text().splitlines()
    name, value = line.split(",")
    best = summary(run)["best"]
    assert name == "val_mean_dice"
    assert float(value) == pytest.approx(best["score"], abs=1e-6)
    monai_bundle(bundle, "inference.json", output_dir="out")
    found = nibabel.load(bundle / "out" / "image4" / "image4_seg.nii.gz")
    assert np.allclose(found.affine, AFFINE)
    assert set(np.unique(found.get_fdata())) <= {0, 1}


def test_what_the_specification_requires_is_there(run: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    job = summary(run)["jobs"][0]["name"]
    assert main(["export", str(run), "--bundle", str(bundle), "--job", job]) == 0
    files = {str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file()}
    wanted = ("models/model.pt", "docs/README.md", "docs/license.txt", "LICENSE")
    assert files >= {*wanted, *(f"configs/{name}.json" for name in ("metadata", "inference", "evaluate"))}
    meta = json.loads((bundle / "configs" / "metadata.json").read_bytes())
    assert meta.keys() >= MANDATORY
    formats = meta["network_data_format"]
    assert formats["inputs"]["image"].keys() >= TENSOR
    assert formats["outputs"]["pred"].keys() >= TENSOR
    assert (formats["inputs"]["image"]["num_channels"], formats["outputs"]["pred"]["num_channels"]) == (1, 2)
    assert formats["inputs"]["image"]["value_range"] == [0.0, 1.0]
    assert meta["eval_metrics"] == {"val_mean_dice": summary(run)["jobs"][0]["score"]}
    # MONAI's own look at it: the network takes and gives what is said.
    check = "from monai.bundle import verify_net_in_out as v; v('network_def', 'configs/metadata.json', 'configs/evaluate.json')"
    done = subprocess.run([sys.executable, "-c", check], cwd=bundle, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def test_nothing_is_overwritten_and_nothing_half_written(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = tmp_path / "there"
    there.mkdir()
    assert main(["export", str(run), "--bundle", str(there)]) == 2
    assert "there exists: nothing is overwritten" in capsys.readouterr().err
    for inside in (run, run / "bundle", run / "W1_1_J1" / "models" / "bundle"):
        assert main(["export", str(run), "--bundle", str(inside)]) == 2
        assert "lies in the folder of the run a, which removes what is there" in capsys.readouterr().err
    assert main(["export", str(run), "--bundle", str(tmp_path / "b"), "--job", "W1_1_J9"]) == 2
    assert "no job `W1_1_J9` in" in capsys.readouterr().err
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    best = summary(run)["best"]["job"]
    for model in (copy / best / "models" / "model.pt", copy / "best" / "models" / "model.pt"):
        model.unlink()
        model.write_bytes(b"no weights")
    assert main(["export", str(copy), "--bundle", str(tmp_path / "b")]) == 2
    assert "model.pt cannot be read" in capsys.readouterr().err
    for folder in (copy / best, copy / "best"):
        shutil.rmtree(folder / "models")
    assert main(["export", str(copy), "--bundle", str(tmp_path / "b")]) == 2
    assert f"{best} has no model" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "there"]


def test_a_function_has_no_model_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.py").write_text("def fn(x): return x")
    (tmp_path / "p.automl").write_text(
        'automl 1\nstudy p { target = Python("train:fn"), maximize dice, budget { trials = 1 } }\nx ~ 0.0..1.0'
    )
    assert main([str(tmp_path / "p.automl")]) == 0
    assert main(["export", str(tmp_path / "runs" / "p"), "--bundle", str(tmp_path / "b")]) == 2
    assert "a job of Python trains what its own code says: only an MMAR or a bundle" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_a_bundle_with_what_was_found_in_it(tmp_path: Path) -> None:
    tiny_bundle.make(tmp_path / "bundle")
    own = {"network_def": {"_target_": "scripts.network.Layers", "width": 2}, "run": ["$print(1)"]}
    (tmp_path / "bundle" / "configs" / "inference.json").write_text(json.dumps(own))
    (tmp_path / "b.automl").write_text(BUNDLE)
    assert main([str(tmp_path / "b.automl"), "--run-id", "b"]) == 0
    bundle = tmp_path / "out"
    assert main(["export", str(tmp_path / "runs" / "b"), "--bundle", str(bundle)]) == 0
    monai_bundle(bundle, "evaluate.json")
    lines = (line.split(",") for line in (bundle / "eval" / "metrics.csv").read_text().splitlines())
    (job,) = (
        job for job in summary(tmp_path / "runs" / "b")["jobs"] if job["name"] == summary(tmp_path / "runs" / "b")["best"]["job"]
    )
    # After one epoch the last values are those of the weights that are kept.
    found = {name: float(value) for name, value in lines}
    assert found == pytest.approx({name: job["reported"][name] for name in found}, abs=1e-6)
    assert found.keys() == {"val_mean_dice", "val_accuracy"}
    inference = json.loads((bundle / "configs" / "inference.json").read_bytes())
    assert inference["network_def"]["width"] == job["params"]["network_def.width"]
    assert inference["run"] == own["run"]
    meta = json.loads((bundle / "configs" / "metadata.json").read_bytes())
    assert meta.keys() >= MANDATORY
    assert meta["network_data_format"]["outputs"]["pred"]["num_channels"] == 2
    left_behind = {"job.json", "log.txt", "result.json", "best.json", "command.txt", "config", "commands"}
    assert not left_behind & {path.name for path in bundle.iterdir()}


def test_best_is_scored_and_trained_again_by_its_own_commands(run: Path, tmp_path: Path) -> None:
    best = run / "best"
    text = (best / "config" / "config_train.json").read_text()
    assert '"search"' not in text
    assert "{epochs}" not in text
    evaluated = subprocess.run([best / "commands" / "evaluate.sh"], capture_output=True, text=True, check=True, timeout=300)
    assert evaluated.stdout.splitlines()[-1] == f"val_mean_dice {summary(run)['best']['score']}"
    again = tmp_path / "again"
    subprocess.run([best / "commands" / "train.sh", again], capture_output=True, text=True, check=True, timeout=300)
    one, two = (torch.load(folder / "models" / "model.pt", weights_only=True)["model"] for folder in (best, again))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    refused = subprocess.run([best / "commands" / "train.sh", again], capture_output=True, text=True, check=False, timeout=300)
    assert refused.returncode == 2
    assert "nothing is overwritten" in refused.stderr
    assert "val_mean_dice" in (best / "README.md").read_text()


def test_an_inference_has_no_label() -> None:
    both: list[Value] = ["image", "label"]
    assert without_label(
        [
            {"_target_": "LoadImaged", "keys": both},
            {"_target_": "Spacingd", "keys": both, "pixdim": [1.0, 1.0], "mode": ["bilinear", "nearest"]},
            {"_target_": "AsDiscreted", "keys": "label", "to_onehot": 2},
            {"_target_": "ScaleIntensityd", "keys": "image"},
        ]
    ) == [
        {"_target_": "LoadImaged", "keys": ["image"]},
        {"_target_": "Spacingd", "keys": ["image"], "pixdim": [1.0, 1.0], "mode": ["bilinear"]},
        {"_target_": "ScaleIntensityd", "keys": "image"},
    ]
