"""The example: small and licensed data, two forms of one program, subjects that are apart, scripts that work from any folder."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from automl_run.dsl.evaluate import next_unassigned, resolve
from automl_run.dsl.ir import Choice
from automl_run.dsl.load import check, load_mmar
from automl_run.engine.targets.mmar import MmarTarget
from automl_run.engine.targets.mmar.build import Build

REPOSITORY = Path(__file__).parents[1]
EXAMPLE = REPOSITORY / "examples" / "brain_tissue"
ICBM = REPOSITORY.parent / "shared" / "data" / "icbm152"


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def template() -> dict[str, MetaTensor]:
    rng = torch.Generator().manual_seed(0)
    grey = (torch.rand((1, 20, 22, 18), generator=rng) * 255).floor()
    return {"image": MetaTensor(grey.clone()), "label": MetaTensor(torch.cat([grey, 255 - grey]))}


# -- programs -------------------------------------------------------------------------------------------------------------


def test_both_forms_are_the_same_program() -> None:
    legacy, language = load_mmar(EXAMPLE), check(EXAMPLE / "brain_tissue.automl")
    assert legacy.program is not None
    assert language.program is not None
    assert legacy.program.digest == language.program.digest
    assert [param.label for param in legacy.program.params] == ["lr", "net", "transform"]


def test_the_second_program_says_what_only_the_language_can() -> None:
    program = check(EXAMPLE / "brain_tissue_log.automl").program
    assert program is not None
    assert any(param.active is not None for param in program.params)
    code = [line for line in (EXAMPLE / "brain_tissue_log.automl").read_text().splitlines()[1:] if not line.startswith("#")]
    assert len(code) <= 8


@pytest.mark.parametrize(("alternative", "network", "softmax"), [(0, "SegAhnet", False), (1, "UNet", True)])
def test_each_network_of_the_second_program_can_be_built(
    alternative: int, network: str, softmax: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    program = check(EXAMPLE / "brain_tissue_log.automl").program
    assert program is not None
    point: dict[str, int | float] = {"train.model": alternative}
    while (param := next_unassigned(program, point)) is not None:
        point[param.id] = 0 if isinstance(param.domain, Choice) else param.domain.lo
    rendered: Any = MmarTarget(str(EXAMPLE), REPOSITORY, program.variables).render(resolve(program, point))
    build = Build(rendered, EXAMPLE, tmp_path, torch.device("cpu"), amp=False)
    model: Any = build.part("train", "model")
    loss: Any = build.part("train", "loss")
    assert type(model).__name__ == network
    assert loss.softmax is softmax
    assert type(build.part("train", "optimizer")).__name__ == "Adam"


def test_the_mmar_can_be_run_as_it_is_cloned() -> None:
    environment = json.loads((EXAMPLE / "config" / "environment.json").read_text())
    MmarTarget(str(EXAMPLE), REPOSITORY, environment).check()


# -- data -----------------------------------------------------------------------------------------------------------------


def test_the_volumes_are_small_and_carry_their_notice() -> None:
    volumes = sorted(EXAMPLE.glob("data/*.nii.gz"))
    assert [path.name for path in volumes] == [f"icbm152_2mm_{name}.nii.gz" for name in ("gm", "t1", "wm")]
    assert sum(path.stat().st_size for path in volumes) <= 3e6
    assert "Copyright (C) 1993-2009 Louis Collins" in (EXAMPLE / "data" / "README.md").read_text()


def test_the_subjects_of_training_validation_and_test_are_apart() -> None:
    data = json.loads((EXAMPLE / "data" / "dataset.json").read_text())
    subjects = [item["subject"] for key in ("training", "validation", "test") for item in data[key]]
    assert len(subjects) == len(set(subjects)) == 14


def test_the_volumes_come_from_the_template(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if not ICBM.is_dir():
        pytest.skip(f"needs the ICBM 152 template in {ICBM}")
    import nibabel

    script = module(EXAMPLE / "scripts" / "make_icbm_2mm.py")
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(script, "HERE", tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_icbm_2mm.py", str(ICBM)])
    script.main()
    for path in EXAMPLE.glob("data/*.nii.gz"):
        ours: Any = nibabel.load(path)
        made: Any = nibabel.load(tmp_path / "data" / path.name)
        np.testing.assert_array_equal(ours.dataobj, made.dataobj)
        np.testing.assert_array_equal(ours.affine, made.affine)


def test_a_subject_is_its_number() -> None:
    derive = module(EXAMPLE / "custom" / "subjects.py").DeriveSubjectd()
    first, again, other = (derive({**template(), "subject": number}) for number in (1, 1, 2))
    assert torch.equal(first["image"], again["image"])
    assert torch.equal(first["label"], again["label"])
    assert not torch.equal(first["image"], other["image"])
    assert not torch.equal(first["label"], other["label"])
    assert set(first["label"].unique().tolist()) <= {0.0, 1.0, 2.0}
    assert first["image"].shape == first["label"].shape == (1, 20, 22, 18)


def test_without_strength_a_subject_is_the_template() -> None:
    item = template()
    out = module(EXAMPLE / "custom" / "subjects.py").DeriveSubjectd(strength=0.0)({**item, "subject": 1})
    torch.testing.assert_close(out["image"].as_tensor(), item["image"].as_tensor() / 255, atol=1e-4, rtol=0)


# -- commands -------------------------------------------------------------------------------------------------------------


def test_the_commands_work_from_any_folder_and_pass_what_overrides(tmp_path: Path) -> None:
    fake = tmp_path / "automl-run"
    fake.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = EXAMPLE / "commands" / "automl.sh"
    done = subprocess.run(
        [script, "run_id=test1", "a=b c"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        f"MMAR_ROOT set to {EXAMPLE}",
        *("-m", str(EXAMPLE), "--set", "run_id=a", "workers=0:1", "run_id=test1", "a=b c"),
    ]
