"""Eighteen searches again, written anew from docs/language.md; the sampled configurations are what was asked for.

The texts are as first written, above a small MONAI bundle where they have a base. Where one was mended, its test says so.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl_run.dsl.embed import resolve
from automl_run.dsl.evaluate import unacceptable_because
from automl_run.dsl.ir import Program, Spec, Worker
from automl_run.dsl.load import Checked, check
from automl_run.dsl.sampling import sample
from automl_run.engine.run import run

#: A resolved configuration; a component is a dict with `_target_`.
Config = dict[str, Any]

#: Reads the program of this name, written below the base.
Read = Callable[..., Checked]

KEYS = ["image", "label"]
BASE: Config = {
    "max_epochs": 100,
    "network_def": {
        "_target_": "UNet",
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 2,
        "channels": [16, 32, 64, 128],
        "strides": [2, 2, 2],
        "num_res_units": 2,
    },
    "loss": {"_target_": "DiceCELoss", "to_onehot_y": True, "softmax": True},
    "optimizer": {"_target_": "torch.optim.Adam", "params": "$@network_def.parameters()", "lr": 0.0001},
    "train": {
        "batch_size": 2,
        "transforms": [
            {"_target_": "LoadImaged", "keys": KEYS},
            {"_target_": "RandFlipd", "keys": KEYS, "prob": 0.5, "spatial_axis": 0},
            {"_target_": "ToTensord", "keys": KEYS},
        ],
    },
}


TEXT_01 = """\
automl 1
use "train.json"

optimizer.lr ~ log 1e-5..1e-2
"""

TEXT_02 = """\
automl 1
use "train.json"

train.batch_size ~ 1 | 2 | 4
"""

TEXT_03 = """\
automl 1
# spatial_dims of the patch and number of samples belong together
crop = RandCropByPosNegLabeld(
  keys = ["image", "label"], label_key = "label",
  (spatial_size, num_samples) ~ ([64, 64, 64], 8) | ([96, 96, 96], 4) | ([128, 128, 128], 1),
)
"""

TEXT_04 = """\
automl 1
let p ~ 0.0..1.0

augment = [
  RandFlipd(keys = ["image", "label"], prob = p, spatial_axis = 0),
  RandRotate90d(keys = ["image", "label"], prob = p),
  RandGaussianNoised(keys = ["image"], prob = p),
]
"""

TEXT_05 = """\
automl 1
loss ~ DiceLoss(softmax = true)
     | DiceCELoss(softmax = true, lambda_ce ~ 0.1..2.0)
     | FocalLoss(use_softmax = true)
"""

TEXT_06 = """\
automl 1
network ~ UNet(
    spatial_dims = 3, in_channels = 1, out_channels = 2,
    let depth ~ 3..5,
    let width ~ 8 | 16 | 32,
    channels = [width * 2 ** i for i in 0..depth - 1],
    strides = [2 for i in 1..depth - 1],
  )
  | SegResNet(
    spatial_dims = 3, in_channels = 1, out_channels = 2,
    init_filters ~ 8 | 16 | 32,
    let depth ~ 2..4,
    blocks_down = [2 for i in 1..depth],
    blocks_up = [1 for i in 1..depth - 1],
  )
"""

TEXT_07 = """\
automl 1
let noise ~ true | false

transforms = [
  LoadImaged(keys = ["image", "label"]),
  RandGaussianNoised(keys = ["image"], prob ~ 0.1..0.9) when noise,
  ToTensord(keys = ["image", "label"]),
]
"""

TEXT_08 = """\
automl 1
let xy ~ 64..192 step 16
let z ~ 32..96 step 16
batch_size ~ 1 | 2 | 4

crop = RandSpatialCropd(keys = ["image", "label"], roi_size = [xy, xy, z], random_size = false)

require batch_size * xy * xy * z * 4 * 64 <= 1GiB because "64 float32 feature maps at full resolution must fit"
"""

TEXT_09 = """\
automl 1
use "train.json"
optimizer.lr ~ log 1e-5..1e-2
network_def.num_res_units ~ 0..3

study {
  maximize val_mean_dice
  minimize latency_ms
  controller = NSGA2()
  budget { trials = 60 }
}
"""

TEXT_10 = """\
automl 1
use "train.json"
train.batch_size ~ 1 | 2 | 4 | 8

study {
  maximize val_mean_dice
  ensure peak_gpu_memory <= 20GiB
}
"""

TEXT_11 = """\
automl 1
use "train.json"
optimizer.lr ~ log 1e-5..1e-2

study {
  maximize val_mean_dice
  workers = [[0, 1], [2, 3], [4, 5], [6, 7]]
  budget { time = 12h }
}
"""

TEXT_12 = """\
automl 1
use "train.json"
optimizer.lr ~ log 1e-5..1e-2
train.batch_size ~ 1 | 2 | 4

study {
  maximize val_mean_dice
  phase explore {
    controller = Random()
    budget { trials = 15 }
  }
  phase refine {
    controller = TPE()
    budget { trials = 45 }
  }
}
"""

TEXT_13 = """\
automl 1
use "train.json"
network_def.channels ~ [16, 32, 64, 128] | [32, 64, 128, 256] | [8, 16, 32, 64]
"""

TEXT_14 = """\
automl 1
lr ~ log 1e-5..1e-2
batch_size ~ 1 | 2 | 4
dropout ~ 0.0..0.5

study {
  target = Python("mytrain:train")
  maximize dice
  budget { trials = 30 }
}
"""

TEXT_15 = """\
automl 1
use "train.json"
optimizer.lr ~ log 1e-5..1e-2

study {
  maximize val_mean_dice
  repeat { folds = 5, score = "mean" }
  pruner = ASHA(resource = "epochs", min = 5, max = 100, eta = 3)
  budget { trials = 40 }
}
"""

TEXT_16 = """\
automl 1
let flip ~ true | false
let rotate ~ true | false
let noise ~ true | false
let blur ~ true | false

augment = [
  RandFlipd(keys = ["image", "label"], prob = 0.5) when flip,
  RandRotate90d(keys = ["image", "label"], prob = 0.5) when rotate,
  RandGaussianNoised(keys = ["image"], prob = 0.2) when noise,
  RandGaussianSmoothd(keys = ["image"], prob = 0.2) when blur,
]
require flip or rotate or noise or blur because "no augmentation at all is not wanted"
"""

TEXT_17 = """\
automl 1
lr_scheduler ~ torch.optim.lr_scheduler.StepLR(step_size ~ 10..50 step 10, gamma ~ 0.1..0.9)
  | torch.optim.lr_scheduler.CosineAnnealingLR(T_max = 100, eta_min ~ 0.0 | log 1e-7..1e-5)
  | torch.optim.lr_scheduler.ExponentialLR(gamma ~ 0.9..0.999)
"""

TEXT_18LIVER = """\
automl 1
use "liver/train.json"
use "common.automl"
study { maximize val_mean_dice }
"""

TEXT_18SPLEEN = """\
automl 1
use "spleen/train.json"
use "common.automl"
train.batch_size = 1      # large volumes: this one stays fixed here
study { maximize val_mean_dice }
"""

TEXT_COMMON = """\
automl 1
# the search both projects share
optimizer.lr ~ log 1e-5..1e-2
train.batch_size ~ 1 | 2 | 4
"""

RANDOM_FIRST = """\
automl 1
use "train.json"
optimizer.lr ~ log 1e-5..1e-2
study {
  maximize val_mean_dice
  controller = TPE(startup = 15)      # 15 random jobs first
  budget { trials = 60 }
}
"""

COUNTED = "require sum([1 if x else 0 for x in [flip, rotate, noise, blur]]) == 2"

NEW_KEY = """\
automl 1
scheduler ~ torch.optim.lr_scheduler.StepLR(optimizer = "@optimizer", step_size ~ 10..50 step 10)
  | torch.optim.lr_scheduler.ExponentialLR(optimizer = "@optimizer", gamma ~ 0.9..0.999)
"""


@pytest.fixture
def read(tmp_path: Path) -> Read:
    (tmp_path / "train.json").write_text(json.dumps(BASE))

    def checked(text: str, name: str = "search.automl") -> Checked:
        (tmp_path / name).write_text(text)
        return check(tmp_path / name)

    return checked


def program_of(checked: Checked) -> Program:
    assert checked.program is not None, checked.rendered()
    return checked.program


def codes(checked: Checked) -> list[str]:
    return [each.code for each in checked.diagnostics]


def configs(checked: Checked, n: int = 200) -> list[Config]:
    program = program_of(checked)
    found: list[Config] = [resolve(program, point) for point in sample(program, n, seed=0)]
    assert len(found) == n
    return found


def classes(items: list[Config]) -> tuple[str, ...]:
    return tuple(item["_target_"] for item in items)


def test_1_a_rate_on_a_log_scale(read: Read) -> None:
    checked = read(TEXT_01)
    found = configs(checked, 3000)
    decades = [math.floor(math.log10(config["optimizer"]["lr"])) for config in found]
    assert {decade: round(decades.count(decade) / 1000) for decade in decades} == {-5: 1, -4: 1, -3: 1}
    assert found[0] == {**BASE, "optimizer": {**BASE["optimizer"], "lr": found[0]["optimizer"]["lr"]}}


def test_2_batch_sizes(read: Read) -> None:
    checked = read(TEXT_02)
    assert {config["train"]["batch_size"] for config in configs(checked)} == {1, 2, 4}
    assert resolve(program_of(checked), None) == BASE


def test_3_two_linked_arguments(read: Read) -> None:
    checked = read(TEXT_03)
    crops = [config["crop"] for config in configs(checked)]
    assert {(*crop["spatial_size"], crop["num_samples"]) for crop in crops} == {
        (64, 64, 64, 8),
        (96, 96, 96, 4),
        (128, 128, 128, 1),
    }
    assert crops[0].keys() == {"_target_", "keys", "label_key", "spatial_size", "num_samples"}


def test_4_one_probability_for_three_transforms(read: Read) -> None:
    checked = read(TEXT_04)
    found = [[item["prob"] for item in config["augment"]] for config in configs(checked)]
    assert all(len(probs) == 3 and len(set(probs)) == 1 for probs in found)
    assert len({probs[0] for probs in found}) == len(found)


def test_5_three_losses_of_which_one_has_a_weight(read: Read) -> None:
    checked = read(TEXT_05)
    losses = [config["loss"] for config in configs(checked)]
    assert set(classes(losses)) == {"DiceLoss", "DiceCELoss", "FocalLoss"}
    assert all(("lambda_ce" in loss) == (loss["_target_"] == "DiceCELoss") for loss in losses)
    assert all(0.1 <= loss.get("lambda_ce", 1.0) <= 2.0 for loss in losses)


def test_6_two_networks_with_their_own_depth_and_width(read: Read) -> None:
    checked = read(TEXT_06)
    nets = [config["network"] for config in configs(checked, 600)]
    unets = [net for net in nets if net["_target_"] == "UNet"]
    segresnets = [net for net in nets if net["_target_"] == "SegResNet"]
    assert {tuple(net["channels"]) for net in unets} == {tuple(w * 2**i for i in range(d)) for w in (8, 16, 32) for d in (3, 4, 5)}
    assert all(net["strides"] == [2] * (len(net["channels"]) - 1) for net in unets)
    assert {(net["init_filters"], len(net["blocks_down"])) for net in segresnets} == {
        (w, d) for w in (8, 16, 32) for d in (2, 3, 4)
    }
    assert all(len(net["blocks_up"]) == len(net["blocks_down"]) - 1 for net in segresnets)
    assert not {"depth", "width"} & {key for net in nets for key in net}


def test_7_an_optional_transform_with_its_own_probability(read: Read) -> None:
    checked = read(TEXT_07)
    found = [config["transforms"] for config in configs(checked)]
    assert set(map(classes, found)) == {("LoadImaged", "RandGaussianNoised", "ToTensord"), ("LoadImaged", "ToTensord")}
    assert all(0.1 <= items[1]["prob"] <= 0.9 for items in found if len(items) == 3)
    assert {len(point) for point in sample(program_of(checked), 50)} == {1, 2}


def test_8_a_patch_size_under_a_memory_rule(read: Read) -> None:
    checked = read(TEXT_08)
    found = configs(checked, 2000)
    seen = {(config["batch_size"], *config["crop"]["roi_size"]) for config in found}
    asked = {
        (batch, xy, xy, z)
        for batch in (1, 2, 4)
        for xy in range(64, 193, 16)
        for z in range(32, 97, 16)
        if batch * xy * xy * z * 4 * 64 <= 2**30
    }
    assert seen == asked


def test_9_two_objectives(read: Read) -> None:
    checked = read(TEXT_09)
    study = program_of(checked).study
    assert [(each.metric, each.direction) for each in study.objectives] == [
        ("val_mean_dice", "maximize"),
        ("latency_ms", "minimize"),
    ]
    assert {config["network_def"]["num_res_units"] for config in configs(checked)} == {0, 1, 2, 3}


def test_10_a_memory_limit_after_the_trial(read: Read) -> None:
    checked = read(TEXT_10)
    program = program_of(checked)
    assert {config["train"]["batch_size"] for config in configs(checked)} == {1, 2, 4, 8}
    for gib, allowed in ((19, True), (21, False)):
        metrics = {"val_mean_dice": 0.8, "peak_gpu_memory": gib * 2.0**30}
        assert (unacceptable_because(program, None, metrics) is None) == allowed


def test_11_twelve_hours_on_four_workers_of_two_gpus(read: Read) -> None:
    checked = read(TEXT_11)
    study = program_of(checked).study
    assert (study.budget.time_s, study.budget.trials) == (12 * 3600.0, None)
    assert study.workers == (Worker((0, 1)), Worker((2, 3)), Worker((4, 5)), Worker((6, 7)))


def test_12_random_then_tpe(read: Read) -> None:
    checked = read(TEXT_12)
    phases = [(phase.name, phase.controller, phase.budget.trials) for phase in program_of(checked).study.phases]
    assert phases == [("explore", Spec("Random"), 15), ("refine", Spec("TPE"), 45)]


def test_12_mended_random_draws_first_within_tpe(read: Read) -> None:
    checked = read(RANDOM_FIRST)
    assert codes(checked) == []
    assert program_of(checked).study.controller == Spec("TPE", {"startup": 15})


def test_13_a_list_valued_choice(read: Read) -> None:
    checked = read(TEXT_13)
    found = {tuple(config["network_def"]["channels"]) for config in configs(checked)}
    assert found == {(16, 32, 64, 128), (32, 64, 128, 256), (8, 16, 32, 64)}


def test_14_a_python_function_with_three_parameters(read: Read, tmp_path: Path) -> None:
    # Mended: the function first took the three as arguments of its own; it gets one dict.
    (tmp_path / "mytrain.py").write_text('def train(config):\n    return {"dice": 0.5 + config["dropout"] - config["lr"]}\n')
    checked = read(TEXT_14)
    for config in configs(checked):
        assert config.keys() == {"lr", "batch_size", "dropout"}
        assert 1e-5 <= config["lr"] <= 1e-2
        assert type(config["batch_size"]) is int
        assert 0.0 <= config["dropout"] <= 0.5
    result = run(program_of(checked), out=tmp_path / "runs", run_id="first")
    assert result.exit_code == 0


def test_15_five_folds_with_asha(read: Read) -> None:
    checked = read(TEXT_15)
    study = program_of(checked).study
    assert study.repeat is not None
    assert (study.repeat.folds, study.repeat.score) == (5, "mean")
    assert study.pruner == Spec("ASHA", {"resource": "epochs", "min": 5, "max": 100, "eta": 3})


def test_16_a_subset_of_transforms(read: Read) -> None:
    checked = read(TEXT_16)
    found = {classes(config["augment"]) for config in configs(checked, 400)}
    every = ("RandFlipd", "RandRotate90d", "RandGaussianNoised", "RandGaussianSmoothd")
    assert found == {tuple(name for i, name in enumerate(every) if bits >> i & 1) for bits in range(1, 16)}


def test_16_mended_two_of_them(read: Read) -> None:
    # `int(flip) + int(rotate) + int(noise) + int(blur) == 2` came to mind first; `true` is no number.
    text = re.sub("^require.*$", COUNTED, TEXT_16, flags=re.M)
    checked = read(text)
    assert codes(checked) == ["AM124"]  # the baseline has all four
    found = {classes(config["augment"]) for config in configs(checked, 400)}
    assert len(found) == 6
    assert all(len(names) == 2 for names in found)


def test_17_three_schedules_with_their_own_parameters(read: Read) -> None:
    checked = read(TEXT_17)
    own = {"StepLR": {"step_size", "gamma"}, "CosineAnnealingLR": {"T_max", "eta_min"}, "ExponentialLR": {"gamma"}}
    schedules = [config["lr_scheduler"] for config in configs(checked)]
    assert {name.rpartition(".")[2] for name in classes(schedules)} == own.keys()
    assert all(each.keys() - {"_target_"} == own[each["_target_"].rpartition(".")[2]] for each in schedules)
    floors = [each["eta_min"] for each in schedules if "eta_min" in each]
    assert 0.0 in floors
    assert any(1e-7 <= floor <= 1e-5 for floor in floors)


def test_17_mended_a_new_key_above_a_base(read: Read) -> None:
    # A new key in the program that uses the base came first, and again in a file above it; it belongs below.
    read(NEW_KEY, "keys.automl")
    assert codes(read('automl 1\nuse "train.json"\nuse "keys.automl"\n')) == ["AM110"]
    found = configs(read('automl 1\nuse "keys.automl"\nuse "train.json"\n'))
    assert {config["scheduler"]["_target_"].rpartition(".")[2] for config in found} == {"StepLR", "ExponentialLR"}
    assert all({key: config[key] for key in BASE} == BASE for config in found)


@pytest.mark.parametrize(("project", "epochs", "batches"), [("liver", 100, {1, 2, 4}), ("spleen", 50, {1})])
def test_18_one_search_block_for_two_projects(project: str, epochs: int, batches: set[int], read: Read, tmp_path: Path) -> None:
    (tmp_path / project).mkdir()
    (tmp_path / project / "train.json").write_text(json.dumps({**BASE, "max_epochs": epochs}))
    read(TEXT_COMMON, "common.automl")
    found = configs(read({"liver": TEXT_18LIVER, "spleen": TEXT_18SPLEEN}[project]))
    assert {config["max_epochs"] for config in found} == {epochs}
    assert {config["train"]["batch_size"] for config in found} == batches
    assert len({config["optimizer"]["lr"] for config in found}) == len(found)


def test_a_null_among_the_items_of_a_list_stays(read: Read) -> None:
    found = configs(read("automl 1\nt = [~ RandFlipd() | null, ToTensord()]"))
    assert sorted({len(config["t"]) for config in found}) == [2]
    assert None in [config["t"][0] for config in found]


PAGE = Path(__file__).resolve().parents[2] / "docs" / "language.md"
#: How a study says each thing that the page lists as not run yet.
SAID = {
    "phase": "phase a { controller = Random() }",
}


def test_the_page_lists_what_no_run_carries_out_yet(read: Read) -> None:
    listed = PAGE.read_text(encoding="utf-8").split("Not run yet:")[1].split(".\n")[0]
    names = [name.strip(" `\n") for name in listed.split(",")]
    said = SAID | {"PBT": "controller = PBT()"}
    assert set(names) == set(said)
    for name in names:
        assert "AM199" in codes(read(f"automl 1\nlr ~ 0.1..0.2\nstudy {{ maximize dice, {said[name]} }}\n")), (
            f"the page says: {name}"
        )
