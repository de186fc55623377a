"""Eighteen searches, each written from docs/language.md alone; the sampled configurations are what was asked for."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from automl_run.dsl.embed import resolve
from automl_run.dsl.evaluate import scores, unacceptable_because
from automl_run.dsl.ir import Program, Spec, Worker
from automl_run.dsl.load import check, parse
from automl_run.dsl.sampling import sample

#: A resolved configuration; a component is a dict with `_target_`.
Config = dict[str, Any]


def configs(program: Program, n: int = 300) -> list[Config]:
    return [resolve(program, point) for point in sample(program, n, seed=5)]


def named(items: list[Config]) -> list[str]:
    return [item["_target_"] for item in items]


def test_1_a_rate_on_a_log_scale() -> None:
    rates = [config["lr"] for config in configs(parse("lr ~ log 1e-5..1e-2"), 3000)]
    assert all(1e-5 <= rate <= 1e-2 for rate in rates)
    decades = Counter(math.floor(math.log10(rate)) for rate in rates)
    assert decades.keys() == {-5, -4, -3}
    assert all(850 < count < 1150 for count in decades.values())


def test_2_batch_sizes() -> None:
    assert Counter(config["batch_size"] for config in configs(parse("batch_size ~ 1 | 2 | 4"))).keys() == {1, 2, 4}


def test_3_two_linked_arguments() -> None:
    found = configs(parse('model = Net((width, act) ~ (8, "relu") | (16, "gelu"))'))
    assert {(config["model"]["width"], config["model"]["act"]) for config in found} == {(8, "relu"), (16, "gelu")}


def test_4_one_probability_for_three_transforms() -> None:
    program = parse("let p ~ 0.0..1.0\ntransforms = [Flip(axis = 0, prob = p), Flip(axis = 1, prob = p), Noise(prob = p)]")
    assert len(program.params) == 1
    found = [[item["prob"] for item in config["transforms"]] for config in configs(program)]
    assert all(len(set(probs)) == 1 and len(probs) == 3 for probs in found)
    assert len({probs[0] for probs in found}) == len(found)


def test_5_three_losses_of_which_one_has_a_weight() -> None:
    losses = [config["loss"] for config in configs(parse("loss ~ Dice() | Focal(weight ~ 0.5..5.0) | CrossEntropy()"))]
    assert set(named(losses)) == {"Dice", "Focal", "CrossEntropy"}
    for loss in losses:
        assert ("weight" in loss) == (loss["_target_"] == "Focal")
        assert 0.5 <= loss.get("weight", 1.0) <= 5.0


def test_6_two_networks_with_their_own_depth_and_width() -> None:
    program = parse("model ~ UNet(depth ~ 3..5, width ~ 16 | 32) | SegResNet(depth ~ 2..3, width ~ 8..32 step *2)")
    seen = {(m["_target_"], m["depth"], m["width"]) for m in (config["model"] for config in configs(program, 800))}
    assert seen == {("UNet", d, w) for d in (3, 4, 5) for w in (16, 32)} | {
        ("SegResNet", d, w) for d in (2, 3) for w in (8, 16, 32)
    }


def test_7_an_optional_transform_with_its_own_probability() -> None:
    program = parse("let noisy ~ true | false\ntransforms = [Load(), Noise(prob ~ 0.1..0.5) when noisy, Crop()]")
    found = [config["transforms"] for config in configs(program)]
    assert {tuple(named(items)) for items in found} == {("Load", "Noise", "Crop"), ("Load", "Crop")}
    assert all(0.1 <= items[1]["prob"] <= 0.5 for items in found if len(items) == 3)
    assert {len(point) for point in sample(program, 50)} == {1, 2}


def test_8_a_patch_size_under_a_memory_rule() -> None:
    program = parse('patch ~ 64..160 step 16\nbatch ~ 1 | 2 | 4\nrequire batch * patch ** 3 <= 4e6 because "memory"')
    seen = {(config["batch"], config["patch"]) for config in configs(program, 500)}
    assert seen == {(b, p) for b in (1, 2, 4) for p in range(64, 161, 16) if b * p**3 <= 4e6}


def test_9_two_objectives() -> None:
    program = parse("study {\n  maximize dice\n  minimize seconds\n}\nlr ~ 0.1..0.2")
    assert [(each.metric, each.direction) for each in program.study.objectives] == [("dice", "maximize"), ("seconds", "minimize")]
    assert scores(program, {"lr": 0.1}, {"dice": 0.8, "seconds": 12.0}) == (0.8, 12.0)


def test_10_a_memory_limit_after_the_trial() -> None:
    program = parse('study {\n  maximize dice\n  ensure peak_gpu_memory <= 20GiB because "the card"\n}\nlr ~ 0.1..0.2')
    for gib, reason in ((19, None), (21, "the card")):
        assert unacceptable_because(program, {"lr": 0.1}, {"dice": 0.8, "peak_gpu_memory": gib * 2.0**30}) == reason


def test_11_twelve_hours_on_four_workers_of_two_gpus() -> None:
    program = parse("study {\n  budget { time = 12h }\n  workers = [[0, 1], [2, 3], [4, 5], [6, 7]]\n}\nlr ~ 0.1..0.2")
    assert (program.study.budget.time_s, program.study.budget.trials) == (12 * 3600.0, None)
    assert program.study.workers == tuple(Worker((2 * i, 2 * i + 1)) for i in range(4))


def test_12_random_then_tpe() -> None:
    program = parse(
        """
        study {
          phase explore { controller = Random(), budget { trials = 30 } }
          phase narrow { controller = TPE(), warm_start = 10, budget { trials = 20 } }
        }
        lr ~ 0.1..0.2
        """
    )
    found = [(phase.name, phase.controller, phase.budget.trials, phase.warm_start) for phase in program.study.phases]
    assert found == [("explore", Spec("Random"), 30, 0), ("narrow", Spec("TPE"), 20, 10)]


def test_13_a_list_valued_choice() -> None:
    found = configs(parse("channels ~ [16, 32, 64] | [32, 64, 128]"))
    assert {tuple(config["channels"]) for config in found} == {(16, 32, 64), (32, 64, 128)}


def test_14_a_python_function_with_three_parameters() -> None:
    program = parse(
        """
        study {
          target = Python("train:main")
          maximize accuracy
        }
        lr ~ log 1e-4..1e-1
        layers ~ 1..4
        act ~ "relu" | "gelu"
        """
    )
    assert program.study.target == Spec("Python", {"function": "train:main"})
    for config in configs(program, 50):
        assert config.keys() == {"lr", "layers", "act"}
        assert type(config["layers"]) is int
        assert type(config["lr"]) is float
        assert config["act"] in ("relu", "gelu")


def test_15_five_folds_with_asha() -> None:
    program = parse("study {\n  repeat { folds = 5 }\n  pruner = ASHA()\n  maximize dice\n}\nlr ~ 0.1..0.2")
    assert program.study.repeat is not None
    assert (program.study.repeat.folds, program.study.repeat.score) == (5, "mean")
    assert program.study.pruner == Spec("ASHA")


def test_16_a_subset_of_transforms() -> None:
    program = parse(
        """
        def Use = true | false
        let a ~ Use
        let b ~ Use
        let c ~ Use
        transforms = [Load(), Flip() when a, Zoom(factor ~ 1.0..1.5) when b, Noise() when c]
        """
    )
    found = [config["transforms"] for config in configs(program)]
    assert len({tuple(named(items)) for items in found}) == 8
    assert all(items[0] == {"_target_": "Load"} for items in found)
    assert all(item.keys() == {"_target_", "factor"} for items in found for item in items if item["_target_"] == "Zoom")


def test_17_three_schedules_with_their_own_parameters() -> None:
    text = "schedule ~ Step(gamma ~ 0.1..0.9, every ~ 5 | 10) | Cosine(cycles ~ 1..4) | Polynomial(power ~ 0.5..2.0)"
    own = {"Step": {"gamma", "every"}, "Cosine": {"cycles"}, "Polynomial": {"power"}}
    schedules = [config["schedule"] for config in configs(parse(text))]
    assert set(named(schedules)) == own.keys()
    assert all(schedule.keys() - {"_target_"} == own[schedule["_target_"]] for schedule in schedules)


@pytest.mark.parametrize(("project", "epochs"), [("liver", 100), ("spleen", 300)])
def test_18_one_search_block_for_two_projects(project: str, epochs: int, tmp_path: Path) -> None:
    (tmp_path / "search.automl").write_text("automl 1\nlr ~ log 1e-4..1e-2\nmodel ~ UNet(depth ~ 3..5) | SegResNet()\n")
    (tmp_path / f"{project}.automl").write_text(f"automl 1\nepochs = {epochs}\nlr = 2e-3\nmodel = UNet(depth = 4)\n")
    study = f'study "{project}" {{ target = Python("{project}:train"), maximize dice }}'
    (tmp_path / "project.automl").write_text(f'automl 1\nuse "{project}.automl"\nuse "search.automl"\n{study}\n')
    checked = check(tmp_path / "project.automl")
    assert checked.program is not None, checked.rendered()
    assert checked.program.study.name == project
    assert resolve(checked.program, None)["lr"] == 2e-3
    found = configs(checked.program)
    assert {config["epochs"] for config in found} == {epochs}
    assert set(named([config["model"] for config in found])) == {"UNet", "SegResNet"}
    assert {config["model"].get("depth") for config in found} == {3, 4, 5, None}
