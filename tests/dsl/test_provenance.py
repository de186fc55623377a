"""Where a value comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl_run.dsl.load import Checked, check
from automl_run.dsl.provenance import provenance, render
from automl_run.errors import InputError, ProgramError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    base = {
        "epochs": 3,
        "model": {"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [8], "strides": []},
    }
    (tmp_path / "base.json").write_text(json.dumps(base, indent=2))
    (tmp_path / "middle.automl").write_text('automl 1\nuse "base.json"\nmodel.channels = [16]\nepochs = 5\n')
    return tmp_path


def over(folder: Path, text: str, *sets: tuple[str, str]) -> Checked:
    (folder / "top.automl").write_text(f'automl 1\nuse "middle.automl"\n{text}\n')
    return check(folder / "top.automl", sets=sets)


def places(checked: Checked, path: str) -> list[str]:
    return [Path(touch.place).name for touch in provenance(checked, path).touches]


def test_every_layer_low_to_high(folder: Path) -> None:
    checked = over(folder, "epochs ~ 2..9", ("epochs", "7"))
    found = provenance(checked, "epochs")
    assert places(checked, "epochs") == ["base.json:2:3", "middle.automl:4:1", "top.automl:3:1", "--set:1:1"]
    assert [touch.text for touch in found.touches] == ['"epochs": 3', "epochs = 5", "epochs ~ 2..9", "epochs=7"]
    assert (found.kind, found.value) == ("value", "7")
    assert render(found).splitlines()[-1] == "  = value: 7"


def test_a_search_with_its_condition(folder: Path) -> None:
    checked = over(folder, "model ~ SegResNet(init_filters ~ 8 | 16) | UNETR(in_channels = 1, out_channels = 2, img_size = 96)")
    found = provenance(checked, "model.SegResNet.init_filters")
    assert (found.kind, found.value, found.baseline, found.active) == ("parameter", "8 | 16", "8", "model is SegResNet")
    assert render(found).splitlines()[-2:] == ["  = searched: 8 | 16  (baseline 8)", "    when model is SegResNet"]
    assert provenance(checked, "model").value == "SegResNet | UNETR"


def test_a_layer_that_replaces_the_whole_takes_a_path_away(folder: Path) -> None:
    found = provenance(over(folder, "model = SegResNet()"), "model.channels")
    assert [(touch.gone, Path(touch.place).name) for touch in found.touches] == [
        (False, "base.json:8:5"), (False, "middle.automl:3:1"), (True, "top.automl:3:1"),
    ]  # fmt: skip
    assert found.kind == "absent"
    assert render(found).splitlines()[-1] == "  = nothing stands there"


def test_lets_derived_values_and_grouped_searches(folder: Path) -> None:
    checked = over(folder, "let v ~ 1..3\nepochs = v * 2\n(model.out_channels, model.in_channels) ~ (1, 2) | (3, 4)")
    assert provenance(checked, "v").value == "1..3"
    found = provenance(checked, "epochs")
    assert (found.kind, found.value) == ("derived", "v * 2")
    assert provenance(checked, "model.in_channels").kind == "parameter"


def test_both_branches_of_a_layer_are_listed(folder: Path) -> None:
    checked = over(folder, "let v ~ true | false\nepochs = 1 when v\nepochs = 2 when not v")
    assert len(places(checked, "epochs")) == 4


@pytest.mark.parametrize(("path", "said"), [("epoch", "did you mean `epochs`"), ("model.chanels", "did you mean `channels`")])
def test_an_unknown_path(folder: Path, path: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        provenance(over(folder, ""), path)


def test_what_is_no_path(folder: Path) -> None:
    with pytest.raises(ProgramError):
        provenance(over(folder, ""), "a + 1")


def test_the_digest_is_free_of_it(folder: Path) -> None:
    assert over(folder, "epochs = 5").unwrap().digest == over(folder, "").unwrap().digest
