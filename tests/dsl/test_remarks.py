"""What is held against tables and against the layers below: unknown classes, inherited values, settings, references."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl_run.cli.main import main
from automl_run.dsl.lint import lint
from automl_run.dsl.load import Checked, check, check_text, load_mmar

LOSS = {"name": "DiceLoss", "args": {"to_onehot_y": True}}


def base(folder: Path, *, loss: object = LOSS, **more: object) -> Path:
    config = {"epochs": 4, "scale": 2.0, "amp": False, "tag": "a", "ref": "{tag}", "train": {"loss": loss}, **more}
    (folder / "base.json").write_text(json.dumps(config))
    return folder / "search.automl"


def over(path: Path, text: str, *sets: tuple[str, str]) -> Checked:
    path.write_text(f'automl 1\nuse "base.json"\n{text}\n')
    return check(path, sets=sets)


def found(checked: Checked) -> list[tuple[str, str]]:
    return [(item.code, item.severity) for item in checked.diagnostics]


# -- classes ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("train.loss = DiceLos(x = 1)", "did you mean `DiceLoss`?"),
        ("train.loss = my.pkg.Loss(x = 1)", "its arguments are not checked"),
        ("train.loss ~ DiceLoss() | Mine(w ~ 1..3) | Mine(w ~ 2..4)", "its arguments are not checked"),
        ("let l = Mine()\ntrain.loss = l", "its arguments are not checked"),
        ("train.loss = torch.nn.NoSuchLoss()", ""),
    ],
)
def test_an_unknown_class_is_a_note(tmp_path: Path, text: str, help: str) -> None:
    checked = over(base(tmp_path), text)
    assert found(checked) == [("AM131", "note")], checked.rendered()
    assert help in checked.rendered()
    assert checked.ok


@pytest.mark.parametrize("text", ['train.loss = component("myLoss", k = 3)', "train.loss = DiceLoss()", ""])
def test_no_note_for_what_says_where_it_is(tmp_path: Path, text: str) -> None:
    assert found(over(base(tmp_path, loss={"path": "my.pkg.Loss", "args": {"k": 1}}), text)) == []


def test_an_unknown_class_of_a_base(tmp_path: Path) -> None:
    assert found(over(base(tmp_path, loss={"name": "DiceLos", "args": {}}), "")) == [("AM131", "note")]


def test_classes_given_to_a_function_are_the_users(tmp_path: Path) -> None:
    path = tmp_path / "a.automl"
    head = 'automl 1\nstudy { target = Python("a:b"), maximize d }\n'
    path.write_text(f"{head}m = Mine(k ~ 1..3)\no = torch.optim.Adam(lr ~ log 1e-4..1e-2)\n")
    assert found(check(path)) == []  # `params` is the function's to supply
    path.write_text(f"{head}o = torch.optim.Adam(lrr ~ log 1e-4..1e-2)\n")
    assert found(check(path)) == [("AM203", "error")]
    path.write_text(f"{head}o = torch.optim.Adam(lr = 0.1)\no.momentum ~ 0.1..0.2\n")
    assert found(check(path)) == [("AM203", "error")]
    path.write_text(f'{head}o = monai.transforms.RandFlipd(keys = "image", prob ~ 0..1)\n')
    assert found(check(path)) == [("AM104", "error")]


def test_check_counts_notes_and_is_content(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = base(tmp_path)
    over(path, "train.loss = DiceLos()\nepochs ~ 1..3")
    assert main(["check", str(path)]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0].endswith(", 1 note")
    assert "note[AM131]" in shown.err
    assert main(["check", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["diagnostics"][0]["severity"] == "note"


def test_the_linter_has_nothing_against_it(tmp_path: Path) -> None:
    path = base(tmp_path)
    checked = over(path, "train.loss = DiceLos()")
    assert [item for item in lint(checked, str(path)) if item.code == "AM131"] == []


# -- inherited values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "is_wrong"),
    [
        ({"to_onehot_y": "yes"}, True),
        ({"to_onehot_y": 1}, False),
        ({"to_onehot_y": 7}, True),
        ({"smooth_nr": "small"}, True),
        ({"smooth_nr": 1}, False),
        ({"smooth_nr": True}, True),
        ({"smooth_nr": "{smooth}"}, False),
        ({"to_onehot_y": "@flag", "smooth_nr": "#1 / 3"}, False),
        ({"to_onehot_y": None}, False),
    ],
)
def test_wrong_kinds_of_a_base_are_warnings(tmp_path: Path, args: dict[str, object], is_wrong: bool) -> None:
    checked = over(base(tmp_path, loss={"name": "DiceLoss", "args": args}, smooth=1.0), "")
    assert found(checked) == ([("AM104", "warning")] if is_wrong else []), checked.rendered()
    assert not is_wrong or "base.json" in checked.rendered()


def test_an_overridden_value_is_nobodys_business(tmp_path: Path) -> None:
    assert (
        found(over(base(tmp_path, loss={"name": "DiceLoss", "args": {"to_onehot_y": "yes"}}), "train.loss.to_onehot_y = true"))
        == []
    )


# -- settings -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "code", "words"),
    [
        ("epochs", "abc", "AM104", "`epochs` is a number, 4, and is set to a text"),
        ("epochs", '"abc"', "AM104", "`epochs` is a number, 4, and is set to a text"),
        ("epochs", "true", "AM104", "set to true or false"),
        ("amp", "1", "AM104", "`amp` is true or false, false, and is set to a number"),
        ("tag", "3", "AM104", "`tag` is a text"),
        ("tag", "abc", "AM101", "--set 'tag=\"abc\"'"),
        ("train.loss", "3", "AM104", "`loss` is a component"),
        ("train.loss.to_onehot_y", "abc", "AM104", "`to_onehot_y` is true or false"),
        ("epochs", "2.5", "AM104", "set to a fraction"),
        ("epochs", "7", None, ""),
        ("epochs", "null", None, ""),
        ("scale", "3", None, ""),
        ("epochs", "scale * 2", None, ""),
        ("ref", "3", None, ""),
        ("train.loss", "FocalLoss()", None, ""),
    ],
)
def test_a_setting_keeps_the_kind(tmp_path: Path, path: str, value: str, code: str | None, words: str) -> None:
    checked = over(base(tmp_path), "", (path, value))
    assert [item.code for item in checked.diagnostics] == ([] if code is None else [code]), checked.rendered()
    assert words in checked.rendered()
    assert code is None or "--set" in checked.rendered()


def test_a_later_setting_is_held_against_the_one_below(tmp_path: Path) -> None:
    assert found(over(base(tmp_path), "", ("epochs", "5"), ("epochs", '"x"'))) == [("AM104", "error")]


def test_claras_command_line_too(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config_train.json").write_text(json.dumps({"epochs": 4, "train": {"loss": LOSS}}))
    (tmp_path / "config" / "config_automl.json").write_text("{}")
    checked = load_mmar(tmp_path, settings={"epochs": "abc"})
    assert found(checked) == [("AM104", "error")]
    assert load_mmar(tmp_path, settings={"epochs": "5"}).ok


# -- references ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "is_right"),
    [
        ("ToTensord", "", True),
        ("Mine", "", True),
        ("ToTenserd", "", False),
        ("LoadImaged", "", False),
        ("LoadImaged", 'train.pre_transforms += [LoadImaged(keys = "image")]', True),
        ("Identityd", 'train.pre_transforms += [~ LoadImaged(keys = "image") | Identityd(keys = "image")]', True),
    ],
)
def test_a_reference_names_a_component(tmp_path: Path, name: str, text: str, is_right: bool) -> None:
    train = {"loss": LOSS, "pre_transforms": [{"name": "ToTensord#Mine", "args": {"keys": "image"}}]}
    path = base(tmp_path, **{"train": train, "validate": {"pre_transforms": [{"ref": name}]}})
    assert found(over(path, text)) == ([] if is_right else [("AM222", "error")])


@pytest.mark.parametrize("base", ["", "base"])
def test_a_likely_slip_is_told_where_a_class_may_be_ones_own(base: str, tmp_path: Path) -> None:
    (tmp_path / "base.automl").write_text("automl 1\nloss = DiceLoss(sigmoid = true)\nlr = 0.1\n")
    text = f'automl 1\nuse "base.automl"\nlr ~ 0.0..1.0\n{"loss = DiceLoss(sofmax = true)"}\n'
    if not base:
        text = "automl 1\nlr ~ 0.0..1.0\nloss = DiceLoss(sofmax = true)\n"
    (tmp_path / "a.automl").write_text(text)
    (found,) = check(tmp_path / "a.automl").diagnostics
    assert (found.code, found.severity, found.help) == ("AM203", "warning", "did you mean `softmax`?")


def test_an_own_class_of_a_known_name_takes_what_it_likes() -> None:
    assert check_text("net = UNet(depth ~ 2..5, width = 3, bottleneck = true)\nloss = DiceLoss(alpha = 0.1)").diagnostics == ()
