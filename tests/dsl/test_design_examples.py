"""The design's four examples, over bases of our own: they elaborate, and MONAI and torch build what they resolve to."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from automl_run.dsl.evaluate import resolve
from automl_run.dsl.ir import Choice, Program
from automl_run.dsl.load import check
from automl_run.dsl.resolved import to_plain
from automl_run.dsl.sampling import sample
from automl_run.engine.targets.mmar import MmarTarget
from automl_run.engine.targets.mmar.build import Build

BASES = Path(__file__).parent / "data" / "design"
EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "design" / "language" / "examples"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if not EXAMPLES.is_dir():
        pytest.skip("the design's examples are not part of this repository")
    for path in [*EXAMPLES.iterdir(), *BASES.iterdir()]:
        shutil.copyfile(path, tmp_path / path.name)
    return tmp_path


def program(folder: Path, name: str) -> Program:
    checked = check(folder / name)
    assert checked.program is not None, checked.rendered()
    assert [found for found in checked.diagnostics if found.severity == "error"] == []
    return checked.program


def build(found: Program, point: dict[str, int | float], folder: Path) -> Build:
    rendered: Any = MmarTarget(str(folder), folder, found.variables).render(resolve(found, point))
    return Build(rendered, folder, folder, torch.device("cpu"), amp=False)


def corners(found: Program) -> list[dict[str, int | float]]:
    """Samples among which every alternative of every choice is taken."""
    points = sample(found, 40, seed=1)
    for param in found.params:
        if isinstance(param.domain, Choice):
            assert {point[param.id] for point in points if param.id in point} == set(range(len(param.domain.alts))), param.id
    return points


def test_the_network_of_the_guide(folder: Path) -> None:
    found = program(folder, "01_seg_ahnet.automl")
    assert [param.id for param in found.params] == [
        "learning_rate",
        "train.model.(if_use_psp,final_activation)",
        "train.pre_transforms.RandomAxisFlip.probability",
    ]
    for point in sample(found, 2, seed=1):
        config: Any = {key: to_plain(value) for key, value in resolve(found, point).items()}
        args = config["train"]["model"]
        assert (args["if_use_psp"], args["final_activation"]) in {(True, "softmax"), (False, "sigmoid")}
        built = build(found, point, folder)
        assert type(built.part("train", "model")).__name__ == "SegAhnet"
        transforms: Any = built.part("train", "pre_transforms")
        assert len(transforms.transforms) == 4
        optimizer: Any = built.part("train", "optimizer")
        assert optimizer.param_groups[0]["lr"] == point["learning_rate"]


def test_conditional_architectures(folder: Path) -> None:
    found = program(folder, "02_conditional_arch.automl")
    points = corners(found)
    seen: set[tuple[str, str]] = set()
    for point in points:
        built = build(found, point, folder)
        transforms: Any = built.part("train", "pre_transforms")
        names = [type(each).__name__ for each in transforms.transforms]
        model_name = ("UNet", "SegResNet", "SwinUNETR")[int(point["train.model"])]
        noise = ["RandGaussianNoised"] if model_name != "SwinUNETR" else []
        assert names[2:-1] == ["RandCropByPosNegLabeld", "RandFlipd", "RandFlipd", "RandFlipd", *noise]
        key = (model_name, ("AdamW", "SGD")[int(point["train.optimizer"])])
        if key in seen:
            continue
        seen.add(key)
        assert type(built.part("train", "model")).__name__ == key[0]
        assert type(built.part("train", "optimizer")).__name__ == key[1]
        loss: Any = built.part("train", "loss")
        assert loss(torch.zeros(1, 2, 8, 8, 8), torch.zeros(1, 1, 8, 8, 8)).isfinite()
        assert point["roi"] % 32 == 0 or model_name == "UNet"
    assert len(seen) == 6


def test_phases_over_the_same_space(folder: Path) -> None:
    found, base = program(folder, "03_phased_multi_gpu.automl"), program(folder, "02_conditional_arch.automl")
    assert found.params == base.params
    assert sample(found, 5, seed=3) == sample(base, 5, seed=3)
    assert [phase.name for phase in found.study.phases] == ["explore", "narrow", "polish"]


def test_a_function_of_ones_own(folder: Path) -> None:
    found = program(folder, "04_cpu_demo.automl")
    for point in sample(found, 20, seed=1):
        config: Any = {key: to_plain(value) for key, value in resolve(found, point).items()}
        assert config["batch_size"] * 2 ** len(config["model"]["channels"]) <= 32
        channels = config["model"]["channels"]
        assert all(b == 2 * a for a, b in pairwise(channels))
        layers = [torch.nn.Conv3d(a, b, 3) for a, b in pairwise([1, *channels])]
        assert len(layers) == int(point["blocks"])
        assert 0.0 <= torch.nn.Dropout(config["model"]["dropout"]).p <= 0.5
