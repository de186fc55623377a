"""A legacy MMAR and the same search in the language: one program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from automl_run.dsl import ir
from automl_run.dsl.evaluate import resolve
from automl_run.dsl.load import check, load, load_mmar
from automl_run.dsl.resolved import to_clara
from automl_run.errors import InputError, ProgramError

TRAIN: dict[str, object] = {
    "epochs": 2,
    "learning_rate": 2e-4,
    "search": [{"domain": "lr", "type": "float", "args": ["learning_rate"], "targets": [1e-4, 1e-3]}],
    "train": {
        "optimizer": {"name": "Adam", "args": {"params": "#@model.parameters()", "lr": "{learning_rate}"}},
        "model": {
            "name": "SegAhnet",
            "args": {
                "num_classes": 2,
                "if_use_psp": False,
                "pretrain_weight_name": "{PRETRAIN_WEIGHTS_FILE}",
                "plane": "z",
                "final_activation": "softmax",
                "n_spatial_dim": 3,
            },
            "search": [
                {
                    "args": ["if_use_psp", "final_activation"],
                    "domain": "net",
                    "type": "enum",
                    "targets": [[True, "softmax"], [False, "sigmoid"]],
                }
            ],
        },
        "pre_transforms": [
            {"name": "LoadImaged", "args": {"keys": ["image", "label"]}},
            {
                "name": "RandomAxisFlip",
                "args": {"fields": ["image", "label"], "probability": 0.0},
                "search": [{"domain": "transform", "type": "float", "args": ["probability"], "targets": [0, 1]}],
            },
            {
                "name": "RandShiftIntensityd",
                "args": {"keys": "image", "offsets": 0.1, "prob": 0.5},
                "search": [{"domain": "transform", "type": "float", "args": ["prob#myProb"], "targets": [0, 0.8]}],
            },
            {"name": "RandGaussianNoised", "args": {"keys": "image", "prob": 0.1}, "apply": {"prob": "myProb"}},
        ],
    },
    "validate": {
        "key_metric": {"name": "MeanDice", "log_label": "val_mean_dice", "args": {}},
        "additional_metrics": [{"name": "MeanDice", "log_label": "val_other", "args": {}}],
    },
}

AUTOML = {
    "handlers": [{"name": "MMARHandler", "args": {"num_mmars_to_keep": 3, "train_config_file": "{trainconf}"}}],
    "executor": {"name": "MMARExecutor", "args": {"msg_destination": "file"}},
    "controller": {"name": "ReinforcementController", "args": {"max_rounds": 8}},
}

OVERLAY = """automl 1
use "config/config_train.json"
study "test1" {
  maximize val_mean_dice
  controller = Reinforcement(max_rounds = 8)
  workers = [[0], [1]]
}
learning_rate = 2e-4 ~ 1e-4..1e-3
train.model = SegAhnet(
  num_classes = 2,
  pretrain_weight_name = "{PRETRAIN_WEIGHTS_FILE}",
  plane = "z",
  n_spatial_dim = 3,
  (if_use_psp, final_activation) = (false, "softmax")
    ~ (true, "softmax") | (false, "sigmoid"),
)
train.pre_transforms.RandomAxisFlip.probability = 0.0 ~ 0.0..1.0
"""


@pytest.fixture
def mmar(tmp_path: Path) -> Path:
    config = tmp_path / "mmar" / "config"
    config.mkdir(parents=True)
    (config / "config_train.json").write_text(json.dumps(TRAIN, indent=1))
    (config / "config_automl.json").write_text(json.dumps(AUTOML))
    (config / "environment.json").write_text('{"PRETRAIN_WEIGHTS_FILE": "w.pt"}')
    (tmp_path / "mmar" / "search.automl").write_text(OVERLAY)
    return tmp_path / "mmar"


def test_both_forms_are_one_program(mmar: Path) -> None:
    legacy = load_mmar(mmar, settings={"run_id": "a", "workers": "0:1"}).unwrap()
    ours = load(mmar / "search.automl")
    assert legacy.digest == ours.digest
    assert legacy.params == ours.params
    assert [param.id for param in ours.params] == [
        "learning_rate",
        "train.model.(if_use_psp,final_activation)",
        "train.pre_transforms.RandomAxisFlip.probability",
        "myProb",
    ]
    assert [param.label for param in ours.params] == ["lr", "net", "transform", "transform"]
    assert ours.study.target == legacy.study.target == ir.Spec("Mmar", {"path": str(mmar.resolve())})
    assert ours.study.workers == legacy.study.workers == (ir.Worker((0,)), ir.Worker((1,)))
    assert ours.base_dir == legacy.base_dir == str(mmar.resolve())


def test_the_baseline_is_the_config_as_it_was(mmar: Path) -> None:
    program = load(mmar / "config" / "config_train.json")
    found = to_clara(resolve(program, None))
    assert found == json.loads(json.dumps(_without_searches(TRAIN)))


def _without_searches(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_searches(item) for key, item in value.items() if key not in ("search", "apply")}
    return [_without_searches(item) for item in value] if isinstance(value, list) else value


def test_a_linked_value_goes_to_all_its_readers(mmar: Path) -> None:
    program = load(mmar / "config" / "config_train.json")
    point = {"learning_rate": 5e-4, program.params[1].id: 0, program.params[2].id: 0.5, "myProb": 0.3}
    config = to_clara(resolve(program, point))
    train: Any = config["train"] if isinstance(config, dict) else None
    assert [item["args"].get("prob") for item in train["pre_transforms"]][2:] == [0.3, 0.3]


def test_what_the_automl_config_says(mmar: Path) -> None:
    study = load_mmar(mmar, settings={"run_id": "a"}).unwrap().study
    assert study.controller == ir.Spec("Reinforcement", {"max_rounds": 8})
    assert study.objectives == (ir.Objective("val_mean_dice", "maximize"),)
    assert study.keep == 3
    assert study.budget == ir.Budget()


def test_the_objective_is_the_key_metric(mmar: Path) -> None:
    (mmar / "search.automl").write_text('automl 1\nuse "config/config_train.json"\n')
    assert load(mmar / "search.automl").study.objectives == (ir.Objective("val_mean_dice", "maximize"),)


@pytest.mark.parametrize(("metric", "code"), [("val_mean_dise", "AM404"), ("val_other", None), ("seconds", None)])
def test_metrics_are_checked_against_the_config(mmar: Path, metric: str, code: str | None) -> None:
    (mmar / "search.automl").write_text(f'automl 1\nuse "config/config_train.json"\nmaximize {metric}\n')
    found = [item.code for item in check(mmar / "search.automl").diagnostics if item.severity == "error"]
    assert found == ([] if code is None else [code])


def test_settings_set_paths_variables_and_first_level_keys(mmar: Path) -> None:
    settings = {"epochs": "7", "train.model.num_classes": "5", "PRETRAIN_WEIGHTS_FILE": "other.pt", "learning_rate": "3e-4"}
    program = load_mmar(mmar, settings=settings).unwrap()
    assert program.variables["PRETRAIN_WEIGHTS_FILE"] == "other.pt"
    found = to_clara(resolve(program, None))
    assert found["epochs"] == 7  # type: ignore[index,call-overload]
    assert found["learning_rate"] == 3e-4  # type: ignore[index,call-overload]
    assert found["train"]["model"]["args"]["num_classes"] == 5  # type: ignore[index,call-overload]
    assert "learning_rate" not in [param.id for param in program.params]


def test_another_train_config(mmar: Path) -> None:
    (mmar / "config" / "other.json").write_text(json.dumps({**TRAIN, "epochs": 9}))
    program = load_mmar(mmar, settings={"trainconf": "other.json"}).unwrap()
    assert program.config.entries["epochs"] == ir.Const(9)
    assert program.variables["trainconf"] == "other.json"


@pytest.mark.parametrize(
    ("automlconf", "settings", "code"),
    [
        ("no.json", {}, "AM305"),
        ("../search.automl", {}, "AM310"),
        (None, {"trainconf": "no.json"}, "AM305"),
        (None, {"trainconf": "../config_train.json"}, "AM310"),
        (None, {"train.modle.x": "3"}, "AM110"),
        (None, {"train.model.num_clases": "3"}, "AM203"),
    ],
)
def test_mistakes_of_the_command_line(mmar: Path, automlconf: str | None, settings: dict[str, str], code: str) -> None:
    checked = load_mmar(mmar, automlconf=automlconf, settings=settings)
    assert checked.program is None
    assert [found.code for found in checked.diagnostics if found.severity == "error"] == [code], checked.rendered()


def test_a_wrong_workers_specification(mmar: Path) -> None:
    with pytest.raises(InputError, match="0:,1"):
        load_mmar(mmar, settings={"workers": "0:,1"})


def test_an_undefined_variable_is_shown_in_the_json(mmar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRETRAIN_WEIGHTS_FILE", raising=False)
    (mmar / "config" / "environment.json").unlink()
    checked = check(mmar / "config" / "config_train.json")
    assert [found.code for found in checked.diagnostics if found.severity == "error"] == ["AM210"]
    assert "config_train.json:" in checked.rendered()


def test_a_program_error_holds_all_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.automl"
    path.write_text("automl 1\nx ~ 3..1\ny = foo\n")
    with pytest.raises(ProgramError) as caught:
        load(path)
    assert [found.code for found in caught.value.diagnostics] == ["AM105", "AM101"]
    assert "a.automl:2:5" in str(caught.value)


def test_use_may_read_the_mmar_that_the_target_names(mmar: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "a.automl"
    path.write_text('automl 1\nuse "../mmar/config/config_train.json"\nstudy { target = Mmar("../mmar") }\n')
    assert load(path).study.target == ir.Spec("Mmar", {"path": str(mmar.resolve())})


def test_arguments_of_known_classes_are_checked(mmar: Path) -> None:
    (mmar / "search.automl").write_text('automl 1\nuse "config/config_train.json"\ntrain.model.if_use_pspp ~ true | false\n')
    rendered = check(mmar / "search.automl").rendered()
    assert "error[AM203]" in rendered
    assert "did you mean `if_use_psp`?" in rendered
    (mmar / "search.automl").write_text(
        'automl 1\nuse "config/config_train.json"\n'
        "train.model = UNet(spatial_dims = 3, in_chanels = 1, out_channels = 2, channels = [4, 8], strides = [2])\n"
    )
    rendered = check(mmar / "search.automl").rendered()
    assert "did you mean `in_channels`?" in rendered


def test_an_argument_of_the_signature_may_be_added(mmar: Path) -> None:
    (mmar / "search.automl").write_text('automl 1\nuse "config/config_train.json"\ntrain.optimizer.weight_decay ~ log 1e-6..1e-2\n')
    assert load(mmar / "search.automl").param("train.optimizer.weight_decay").label == "lr"


def test_class_names_are_the_users_own_without_clara() -> None:
    from automl_run.dsl.load import parse

    assert [param.id for param in parse("model = UNet(anything ~ 1..3)").params] == ["model.anything"]


REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "clara-4.1" / "config"


@pytest.mark.skipif(not REAL.is_dir(), reason="NVIDIA's Clara 4.1 example configs are not beside the repository")
@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("trn_autoML_Enum.json", ["train.lr_scheduler.step_size", "train.model.channels", "train.model.norm"]),
        ("trn_autoML_LR_LP.json", ["learning_rate", "train.lr_scheduler.gamma", "myProb"]),
        ("trn_autoML_Loss_Optimizer.json", ["(mySearchLoss1,mySearchLoss2)", "(mySearchOptimizer1,mySearchOptimizer2)"]),
        ("trn_autoML_Transform.json", ["myTransformDisable", "train.pre_transforms.RandGaussianNoised.@disabled"]),
        ("trn_autoML_TransformProb.json", ["myProb"]),
    ],
)
def test_real_configs(name: str, ids: list[str]) -> None:
    checked = check(REAL / name)
    assert checked.program is not None, checked.rendered()
    assert [param.id for param in checked.program.params] == ids


@pytest.mark.parametrize(
    ("name", "code"), [("a\\u0000b.json", "AM310"), ("", "AM305"), (".", "AM305"), ("a" * 300 + ".json", "AM305")]
)
def test_names_that_no_file_can_have(tmp_path: Path, name: str, code: str) -> None:
    path = tmp_path / "a.automl"
    path.write_text(f'automl 1\nuse "{name}"\n')
    assert [found.code for found in check(path).diagnostics] == [code]


def test_a_name_with_a_null_byte_in_an_automl_config(mmar: Path) -> None:
    handler = '{"name": "MMARHandler", "args": {"train_config_file": "a\\u0000b"}}'
    (mmar / "config" / "config_automl.json").write_text(f'{{"handlers": [{handler}]}}')
    assert [found.code for found in load_mmar(mmar).diagnostics if found.severity == "error"] == ["AM310"]
