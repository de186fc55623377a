"""`target = Bundle("dir", ...)`: the base that it brings, what it may say, and references of the configuration to nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from automl_run.dsl import ir
from automl_run.dsl.load import Checked, check, load
from automl_run.dsl.readiness import missing

CONFIG: dict[str, Any] = {
    "bundle_root": ".",
    "epochs": 3,
    "network_def": {
        "_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [8, 16], "strides": [2],
    },
    "optimizer": {"_target_": "torch.optim.Adam", "params": "$@network_def.parameters()", "lr": 0.001},
    "evaluator": {
        "_target_": "SupervisedEvaluator", "device": "cpu", "val_data_loader": "$[]", "network": "@network_def",
        "key_val_metric": {"val_mean_dice": {"_target_": "MeanDice"}},
    },
    "run": ["$@evaluator.run()", "$print(@optimizer)"],
}  # fmt: skip


def write(folder: Path, name: str, content: dict[str, Any]) -> None:
    (folder / "b" / "configs").mkdir(parents=True, exist_ok=True)
    (folder / "b" / "configs" / name).write_text(json.dumps(content, indent=1))


def program(folder: Path, text: str) -> Checked:
    (folder / "search.automl").write_text(f"automl 1\n{text}\n")
    return check(folder / "search.automl")


def errors(checked: Checked) -> list[str]:
    return [found.code for found in checked.diagnostics if found.severity == "error"]


def test_a_bundle_brings_its_configuration(tmp_path: Path) -> None:
    write(tmp_path, "train.json", CONFIG)
    named = program(tmp_path, 'optimizer.lr ~ log 1e-4..1e-2\nstudy { target = Bundle("b") }').unwrap()
    used = program(tmp_path, 'use "b/configs/train.json"\noptimizer.lr ~ log 1e-4..1e-2').unwrap()
    assert named.digest == used.digest
    assert named.study.target == used.study.target == ir.Spec("Bundle", {"path": str((tmp_path / "b").resolve())})
    dotted = program(tmp_path, 'optimizer.lr ~ log 1e-4..1e-2\nstudy.target = Bundle("b")').unwrap()
    assert dotted.digest == used.digest


def test_several_files_are_layers(tmp_path: Path) -> None:
    write(tmp_path, "train.json", CONFIG)
    write(tmp_path, "more.json", {"epochs": 9, "+run": ["$print(1)"], "evaluator#amp": True})
    found = program(tmp_path, 'study { target = Bundle("b", config = ["train.json", "more.json"]) }').unwrap().resolve(None)
    assert found["epochs"] == 9
    assert found["run"] == [*CONFIG["run"], "$print(1)"]
    only = program(tmp_path, 'study { target = Bundle("b", config = "train.json") }').unwrap().resolve(None)
    assert only["epochs"] == 3


def test_yaml_and_a_folder_without_configs(tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "train.yaml").write_text("epochs: 3\nrun: [$print(@epochs)]\n")
    found = program(tmp_path, 'epochs ~ 1..4\nstudy { target = Bundle("flat"), maximize dice }').unwrap()
    assert [param.baseline for param in found.params] == [(3,)]


def test_other_ids_are_meant_and_written(tmp_path: Path) -> None:
    write(tmp_path, "train.json", {**CONFIG, "mine": CONFIG["run"]})
    plain = program(tmp_path, 'epochs ~ 1..4\nstudy { target = Bundle("b", run_id = "run") }').unwrap()
    other = program(tmp_path, 'epochs ~ 1..4\nstudy { target = Bundle("b", run_id = "mine", final_id = "epochs") }').unwrap()
    assert plain.study.target is not None
    assert other.study.target is not None
    assert set(plain.study.target.args) == {"path"}
    assert plain.digest != other.digest
    (tmp_path / "again.automl").write_text(other.to_automl())
    again = load(tmp_path / "again.automl")
    assert again.digest == other.digest
    assert again.study.target == other.study.target


def test_what_is_run_must_be_there(tmp_path: Path) -> None:
    write(tmp_path, "train.json", {key: value for key, value in CONFIG.items() if key != "run"} | {"training": CONFIG["run"]})
    assert missing(program(tmp_path, 'study { target = Bundle("b") }').unwrap()) == {}  # what the specification said before
    (lacks,) = missing(program(tmp_path, 'study { target = Bundle("b", run_id = "go") }').unwrap())
    assert "`go`" in lacks


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ('target = Bundle("c")', "AM305", "no folder `c`"),
        ('target = Bundle("b", config = "trian.json")', "AM305", "did you mean `train.json`?"),
        ('target = Bundle("b", config = "../../x.json")', "AM310", "outside the bundle"),
        ('target = Bundle("b", config = "notes.txt")', "AM305", ".json and .yaml"),
        ('target = Bundle("b", confg = "train.json")', "AM203", "did you mean `config`?"),
        ('target = Bundle("b", config = 3)', "AM402", "a list of them"),
        ('target = Bundle("b", run_id = 3)', "AM402", "the id that is evaluated"),
        ('target = Bundle("b", "train.json")', "AM115", "name = value"),
        ('target = Bundle("b", config = [])', "AM405", "no configuration"),
        ('target = Bundle("empty")', "AM305", 'config = "other.json"'),
    ],
)
def test_mistakes(tmp_path: Path, text: str, code: str, says: str) -> None:
    write(tmp_path, "train.json", CONFIG)
    (tmp_path / "empty" / "configs").mkdir(parents=True)
    (tmp_path / "empty" / "configs" / "other.json").write_text("{}")
    checked = program(tmp_path, f"study {{ {text}, maximize val_mean_dice }}")
    assert code in errors(checked)
    assert says in checked.rendered()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"run": ["$@evaluatr.run()"]}, "`@evaluatr` refers to nothing: there is no `evaluatr`"),
        ({"run": ["$@evaluator::netwrk"]}, "no `netwrk` in `evaluator`"),
        ({"run": ["$@optimizer#params#0"]}, "no `0` in `optimizer#params`"),
        ({"run": ["@#1", "@#2"]}, "no `2` in `run`"),
        ({"run": "%networkdef"}, "did you mean `network_def`?"),
        ({"optimizer": {"_target_": "torch.optim.Adam", "params": "@weights", "lr": 0.1}}, "no `weights`"),
        ({"run": ["$@run::1", "$@_meta_::version", "%other.json#nothing", "no@thing"]}, ""),
        ({"unused": "@nothing"}, ""),
        ({"copy": "%evaluator", "run": ["$@copy#network"]}, ""),
    ],
)
def test_references_to_nothing(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    write(tmp_path, "train.json", {**CONFIG, **change})
    checked = program(tmp_path, 'epochs ~ 1..4\nstudy { target = Bundle("b") }')
    assert errors(checked) == (["AM222"] if says else [])
    assert says in checked.rendered()
    if says:
        assert "train.json:" in checked.rendered()


@pytest.mark.parametrize(
    ("argument", "value", "direction"),
    [
        ("metric_cmp_fn", "$lambda current, prev: prev < 0 or current < prev", "minimize"),
        ("metric_cmp_fn", "$torch.lt", "minimize"),
        ("metric_cmp_fn", "$lambda x, y: x > y", "maximize"),
        ("key_metric_negative_sign", True, "minimize"),
        ("key_metric_negative_sign", False, "maximize"),
    ],
)
def test_the_key_metric_is_improved_as_the_bundle_compares_it(tmp_path: Path, argument: str, value: Any, direction: str) -> None:
    saver = {"_target_": "CheckpointSaver", "save_dir": "x", "save_dict": {}}
    where = "saver" if argument.startswith("key") else "evaluator"
    config = {**CONFIG, "saver": saver, "evaluator": dict(CONFIG["evaluator"])}
    config[where][argument] = value
    write(tmp_path, "train.json", config)
    (objective,) = program(tmp_path, 'study { target = Bundle("b") }').unwrap().study.objectives
    assert (objective.metric, objective.direction) == ("val_mean_dice", direction)


def test_ids_on_the_command_line_are_monais_too(tmp_path: Path) -> None:
    write(tmp_path, "train.json", CONFIG)
    (tmp_path / "search.automl").write_text('automl 1\nstudy { target = Bundle("b") }\n')
    sets = [("network_def#channels#1", "4"), ("evaluator::amp", "true"), ("optimizer#lr", "0.5")]
    found: Any = load(tmp_path / "search.automl", sets=sets).resolve(None)
    assert (found["network_def"]["channels"], found["evaluator"]["amp"], found["optimizer"]["lr"]) == ([8, 4], True, 0.5)


def test_a_search_may_be_what_is_referred_to(tmp_path: Path) -> None:
    write(tmp_path, "train.json", {**CONFIG, "run": ["$@network_def#channels", "$@network_def#init_filters"]})
    unet = "UNet(spatial_dims = 3, in_channels = 1, out_channels = 2, channels = [8], strides = [])"
    nets = f"network_def ~ SegResNet(init_filters ~ 8 | 16) | {unet}"
    assert errors(program(tmp_path, f'{nets}\nstudy {{ target = Bundle("b"), maximize val_mean_dice }}')) == []


def test_an_argument_that_a_class_no_longer_has_can_be_replaced(tmp_path: Path) -> None:
    old = {"_target_": "SwinUNETR", "img_size": 96, "in_channels": 1, "out_channels": 2}
    write(tmp_path, "train.json", {**CONFIG, "network_def": old})
    study = 'study { target = Bundle("b") }'
    assert errors(program(tmp_path, study)) == ["AM203"]
    assert errors(program(tmp_path, f"network_def = SwinUNETR(in_channels = 1, out_channels = 2)\n{study}")) == []


def test_a_disabled_component_stays_where_references_find_it(tmp_path: Path) -> None:
    from automl_run.dsl.bundle_writer import to_monai
    from automl_run.dsl.evaluate import resolve

    write(tmp_path, "train.json", {**CONFIG, "extra": {"_target_": "StatsHandler", "name": "x", "_requires_": "@epochs"}})
    found = program(tmp_path, 'extra.@disabled ~ true | false\nextra.name ~ "a" | "b"\nstudy { target = Bundle("b") }').unwrap()
    shown = [
        to_monai(resolve(found, point)["extra"]) for point in ({"extra.@disabled": 0}, {"extra.@disabled": 1, "extra.name": 1})
    ]
    assert shown == [
        {"_target_": "StatsHandler", "_requires_": "@epochs", "_disabled_": True},
        {"_target_": "StatsHandler", "_requires_": "@epochs", "_disabled_": False, "name": "b"},
    ]
