"""MONAI bundles as a base: JSON and YAML, data only."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from automl_run.dsl import ir
from automl_run.dsl.bundle_yaml import read_yaml
from automl_run.dsl.legacy import read_json
from automl_run.dsl.legacy.json_tree import JsonArray, JsonNode, JsonObject, JsonScalar
from automl_run.dsl.load import Checked, check, load
from automl_run.dsl.source import Source

BUNDLES = Path(__file__).parents[3] / "shared" / "data" / "bundles"
needs_bundles = pytest.mark.skipif(not BUNDLES.is_dir(), reason="the model zoo's configurations are not here")

TRAIN = {
    "imports": ["$import glob"],
    "bundle_root": ".",
    "epochs": 3,
    "network_def": {
        "_target_": "UNet",
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 2,
        "channels": [8, 16],
        "strides": [2],
    },
    "network": "$@network_def.to(@device)",
    "optimizer": {"_target_": "torch.optim.Adam", "params": "$@network.parameters()", "lr": 0.001},
    "files": "$[f'{i}' for i in @images]",
    "train": {
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "RandFlipd", "keys": ["image"], "prob": 0.5, "_disabled_": False},
                {"_target_": "RandFlipd", "keys": ["image"], "prob": 0.1, "_disabled_": "$@rank > 0"},
            ],
        },
        "loader": {"_target_": "DataLoader", "dataset": "@train#dataset", "batch_size": 2},
        "hook": {"_target_": "$print", "x": 1},
    },
    "validate": {
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@validate#loader",
            "network": "@network",
            "key_val_metric": {"val_mean_dice": {"_target_": "MeanDice", "include_background": False}},
            "additional_metrics": {"val_accuracy": {"_target_": "ignite.metrics.Accuracy"}},
        }
    },
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "b" / "configs").mkdir(parents=True)
    (tmp_path / "b" / "configs" / "train.json").write_text(json.dumps(TRAIN, indent=2))
    return tmp_path


def over(bundle: Path, text: str, use: str = "b/configs/train.json") -> Checked:
    path = bundle / "search.automl"
    path.write_text(f'automl 1\nuse "{use}"\n{text}\n')
    return check(path)


def test_the_configuration_is_data(bundle: Path) -> None:
    program = over(bundle, "").unwrap()
    assert program.resolve(None) == {
        **{key: value for key, value in TRAIN.items() if key != "train"},
        "train": {
            **{key: value for key, value in TRAIN["train"].items() if key != "preprocessing"},  # type: ignore[attr-defined]
            "preprocessing": {
                "_target_": "Compose",
                "transforms": [
                    {"_target_": "LoadImaged", "keys": "image"},
                    {"_target_": "RandFlipd", "@disabled": False, "keys": ["image"], "prob": 0.5},
                    {"_target_": "RandFlipd", "@disabled": "$@rank > 0", "keys": ["image"], "prob": 0.1},
                ],
            },
        },
    }
    assert program.study.target == ir.Spec("Bundle", {"path": str((bundle / "b").resolve())})
    assert program.study.objectives == (ir.Objective("val_mean_dice", "maximize"),)


def test_paths_reach_into_it(bundle: Path) -> None:
    program = over(
        bundle,
        """
        network_def.channels ~ [8, 16] | [16, 32]
        train.preprocessing.transforms.RandFlipd[1].prob ~ 0.0..1.0
        train.preprocessing.transforms.RandFlipd[0].@disabled ~ true | false
        optimizer.lr ~ log 1e-4..1e-2
        epochs = 7
        """,
    ).unwrap()
    assert [(param.id, param.baseline) for param in program.params] == [
        ("network_def.channels", ([8, 16],)),
        ("optimizer.lr", (0.001,)),
        ("train.preprocessing.transforms.RandFlipd[0].@disabled", (False,)),
        ("train.preprocessing.transforms.RandFlipd[1].prob", (0.1,)),
    ]
    assert program.config.entries["epochs"] == ir.Const(7)


@pytest.mark.parametrize(
    ("text", "code", "help"),
    [
        ("network_def.chanels = [8, 16]", "AM203", "did you mean `channels`?"),
        ("netwrk_def.channels = [8, 16]", "AM110", "did you mean `network_def`?"),
        ("optimizer.lr ~ 0..1", "AM104", "0.0..1.0"),
        ("maximize val_mean_dise", "AM404", "did you mean `val_mean_dice`?"),
        ("maximize val_accuracy", None, ""),
        ('study { target = Bundle("c") }', "AM305", ""),
        ("train.preprocessing.transforms.RandFlipd.prob = 0.2", "AM112", "[0]"),
    ],
)
def test_mistakes_over_a_bundle(bundle: Path, text: str, code: str | None, help: str) -> None:
    checked = over(bundle, text)
    assert [item.code for item in checked.diagnostics if item.severity == "error"] == ([] if code is None else [code])
    assert help in checked.rendered()


def test_a_layer_of_overrides_may_create(bundle: Path) -> None:
    extra = {
        "epochs": 9,
        "train#sampler": {"_target_": "DistributedSampler", "dataset": "@train#dataset"},
        "train#loader#shuffle": False,
    }
    (bundle / "b" / "configs" / "multi_gpu.json").write_text(json.dumps(extra))
    path = bundle / "search.automl"
    path.write_text('automl 1\nuse "b/configs/train.json"\nuse "b/configs/multi_gpu.json"\ntrain.loader.batch_size ~ 1 | 2\n')
    found = load(path).resolve(None)
    assert found["epochs"] == 9
    train = found["train"]
    assert isinstance(train, dict)
    assert train["loader"] == {"_target_": "DataLoader", "dataset": "@train#dataset", "batch_size": 2, "shuffle": False}
    assert "sampler" in train


def layered(bundle: Path, *more: str | dict[str, object], suffix: str = "json") -> Checked:
    """The program over the bundle's configuration and the files with these contents."""
    names = []
    for number, content in enumerate(more):
        text = content if isinstance(content, str) else json.dumps(content)
        (bundle / "b" / "configs" / f"more{number}.{suffix}").write_text(text)
        names.append(f"b/configs/more{number}.{suffix}")
    path = bundle / "search.automl"
    path.write_text("\n".join(["automl 1", *(f'use "{name}"' for name in ("b/configs/train.json", *names))]))
    return check(path)


MERGES: list[list[dict[str, object]]] = [
    [{"+imports": ["$import os"], "+train#loader": {"batch_size": 4, "shuffle": True}}],
    [{"+imports": ["$import os"]}, {"+imports": ["$import sys"], "epochs": 4}, {"imports": []}, {"+imports": [1]}],
    [{"+network_def": {"channels": [4, 8], "num_res_units": 2}}],
    [{"+network_def": {"_target_": "AttentionUnet", "kernel_size": 5}}],
    [{"+train#preprocessing#transforms": [{"_target_": "ToTensord", "keys": "image"}], "train#loader#x": 1}],
    [{"+train": {"loader": {"batch_size": 7}, "new": {"_target_": "DataLoader", "dataset": "@d"}}, "validate#x": {"a": 1}}],
    [{"validate#x": {"a": 1, "b": {"c": 2}}}, {"+validate#x": {"b": {"d": 3}}}],
    [{"validate#x": {"spatial_dims": 3}}, {"+validate#x": {"_target_": "UNet", "in_channels": 1}}],
    [{"+train#preprocessing#transforms#1": {"prob": 0.9, "_mode_": "default"}}],
    [{"+fresh": {"a": 1}}],
]


def monai_form(value: object) -> object:
    """Attributes under MONAI's names."""
    if isinstance(value, list):
        return [monai_form(item) for item in value]
    if isinstance(value, dict):
        return {f"_{key[1:]}_" if key.startswith("@") else key: monai_form(item) for key, item in value.items()}
    return value


@pytest.mark.filterwarnings("ignore:Can't merge entry")
@pytest.mark.parametrize("more", MERGES)
def test_layers_mean_what_monai_makes_of_them(bundle: Path, more: list[dict[str, object]]) -> None:
    from monai.bundle import ConfigParser

    checked = layered(bundle, *more)
    checked = check(bundle / "search.automl")
    assert [found.code for found in checked.diagnostics if found.severity == "error" and found.code != "AM119"] == []
    files = sorted((bundle / "b" / "configs").glob("more*.json"))
    expected = ConfigParser.load_config_files([str(bundle / "b" / "configs" / "train.json"), *map(str, files)])
    if checked.program is not None:
        assert monai_form(checked.program.resolve(None)) == expected


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"+imports": {"a": 1}}, "AM116"),
        ({"+epochs": [1]}, "AM116"),
        ({"+network_def": {"chanels": 1}}, "AM203"),
        ({"+network_def": {"_target_": "SegResNet"}}, "AM203"),
        ({"x": {"_target_": 3}}, "AM201"),
    ],
)
def test_what_cannot_be_merged(bundle: Path, more: dict[str, object], code: str) -> None:
    assert [found.code for found in layered(bundle, more).diagnostics if found.severity == "error"] == [code]


def test_nothing_to_merge_into_is_worth_a_word(bundle: Path) -> None:
    found = layered(bundle, {"+fresh": {"a": 1}}).diagnostics
    assert [(item.code, item.severity) for item in found] == [("AM116", "warning")]


def test_a_merged_argument_can_be_searched(bundle: Path) -> None:
    layered(bundle, {"+network_def": {"num_res_units": 2}})
    path = bundle / "search.automl"
    path.write_text(path.read_text() + "\nnetwork_def.num_res_units ~ 0..4\n")
    assert [param.baseline for param in load(path).params] == [(2,)]


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {k: 1, m: 2}\nb:\n  <<: *x\n  k: 3\n  z: 4",
        "a: &x {k: 1}\nc: &y {k: 2, l: 5}\nb:\n  z: 1\n  <<: [*x, *y]",
        "a: &x {k: 1}\nc: &y\n  <<: *x\n  l: 2\nb:\n  <<: *y\n  l: 3",
        "b:\n  <<: {k: [1, {a: 2}]}",
        "a: &x {_target_: UNet, spatial_dims: 3}\nb:\n  <<: *x\n  spatial_dims: 2",
    ],
)
def test_merge_keys_of_yaml(text: str) -> None:
    import yaml

    tree, found = read_yaml(Source("a.yaml", text))
    assert found == []
    read = plain(tree)
    assert read == yaml.safe_load(text)
    assert json.dumps(read) == json.dumps(yaml.safe_load(text))  # the order, too


def test_yaml_and_json_mean_the_same(bundle: Path) -> None:
    import yaml

    first = over(bundle, "optimizer.lr ~ log 1e-4..1e-2").unwrap()
    (bundle / "b" / "configs" / "train.yaml").write_text(yaml.safe_dump(TRAIN, sort_keys=False))
    second = over(bundle, "optimizer.lr ~ log 1e-4..1e-2", "b/configs/train.yaml").unwrap()
    assert first.digest == second.digest


def test_a_mistake_points_into_the_yaml(bundle: Path) -> None:
    text = "network_def:\n  _target_: UNet\n  spatial_dims: 3\n  in_chanels: 1\n  out_channels: 2\n  channels: [8]\n  strides: []\n"
    (bundle / "b" / "configs" / "train.yaml").write_text(text)
    rendered = over(bundle, "", "b/configs/train.yaml").rendered()
    assert "train.yaml:4:3" in rendered
    assert "did you mean `in_channels`?" in rendered


def plain(node: JsonNode | None) -> object:
    match node:
        case JsonScalar(value):
            return value
        case JsonArray(items):
            return [plain(item) for item in items]
        case JsonObject(entries):
            return {entry.key: plain(entry.value) for entry in entries}
        case _:
            return None


def test_yaml_is_read_as_json_is() -> None:
    text = json.dumps(TRAIN, indent=1)
    assert plain(read_yaml(Source("a.yaml", text))[0]) == plain(read_json(Source("a.json", text))[0]) == TRAIN


#: Lists of lists by aliases: some hundred bytes that stand for millions of values.
BILLION = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefgh")
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "AM200"),
        ("a: [1", "AM200"),
        ("a: 1\na: 2", "AM212"),
        ("a: !!python/object:os.system {}", None),
        ("a: !!python/name:os.system", "AM201"),
        ("a: .nan", "AM306"),
        ("a: 123456789012345678901234567890", "AM306"),
        ("a: &x 1\nb: *y", "AM200"),
        ("a: 1\n--- \nb: 2", "AM200"),
        ("? [1]\n: 2", "AM201"),
        ("b:\n  <<: 3", "AM201"),
        ("b:\n  <<: [{a: 1}, 3]", "AM201"),
        ("b:\n  <<: {a: 1}\n  <<: {a: 2}", "AM212"),
        ("b: &x\n  <<: *x", "AM302"),
        ("a: " + "[" * 80 + "]" * 80, "AM302"),
        (BILLION, "AM303"),
        ("a: \x01", "AM200"),
    ],
)  # fmt: skip
def test_bad_yaml(text: str, code: str | None) -> None:
    found = [item.code for item in read_yaml(Source("a.yaml", text))[1]]
    assert found == ([] if code is None else [code])


# -- the model zoo ----------------------------------------------------------------------------------------------------------

SEARCHES = {
    "spleen_ct_segmentation/configs/train.json": "network_def.num_res_units ~ 0..3\noptimizer.lr ~ log 1e-4..1e-2\n"
    "train.random_transforms.RandCropByPosNegLabeld.num_samples ~ 2 | 4",
    "brats_mri_segmentation/configs/train.json": "network_def.init_filters ~ 8 | 16\n"
    "train.random_transforms.RandShiftIntensityd.prob ~ 0.0..1.0",
    "wholeBody_ct_segmentation/configs/train.json": "network_def.init_filters ~ 16 | 32",
    "segmentation_template/configs/train.yaml": "learning_rate ~ log 1e-4..1e-2\n"
    "network_def.channels ~ [8, 16, 32, 64] | [16, 32, 64, 128]\n"
    "train_transforms.RandAxisFlipd.prob ~ 0.0..1.0",
}  # fmt: skip


@needs_bundles
@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_a_search_over_a_bundle_of_the_zoo(tmp_path: Path, name: str) -> None:
    top = name.partition("/")[0]
    shutil.copytree(BUNDLES / top, tmp_path / top)
    checked = over(tmp_path, SEARCHES[name], name)
    assert checked.diagnostics == (), checked.rendered()
    program = checked.unwrap()
    assert len(program.params) == SEARCHES[name].count("~")
    assert program.study.objectives == (ir.Objective("val_mean_dice", "maximize"),)
    for point in program.sample(3, seed=1):
        program.resolve(point)


@needs_bundles
def test_every_configuration_of_the_zoo_is_read() -> None:
    files = [path for path in BUNDLES.glob("*/configs/*") if path.name != "metadata.json"]
    assert len(files) >= 12
    for path in files:
        assert [item for item in check(path).diagnostics if item.severity == "error"] == [], path
