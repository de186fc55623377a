"""Layers: what a higher one may say about the ones below."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_run.dsl import ir
from automl_run.dsl.evaluate import resolve
from automl_run.dsl.ir import Program, Value
from automl_run.dsl.load import Checked, check
from automl_run.dsl.resolved import to_plain

BASE = """automl 1
lr = 0.01 ~ 0.001..0.1
batch = 4
model = UNet(depth = 3, width ~ 8 | 16)
transforms = [Load(keys = "image"), Flip(axis = 0, prob = 0.1), Flip(axis = 1, prob = 0.1), ToTensor()]
pair = C((a, b) = (1, "p") ~ (1, "p") | (2, "q") | (3, "q"))
let roi = 96 ~ 64..160 step 32
crop = [roi, roi]
"""


@pytest.fixture
def over(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Check `text` as a file over the base, with `sets`."""
    (tmp_path / "base.automl").write_text(BASE)

    def run(text: str, *sets: tuple[str, str]) -> Checked:
        path = tmp_path / "top.automl"
        path.write_text(f'automl 1\nuse "base.automl"\n{text}\n')
        return check(path, sets=sets)

    return run


def plain(program: Program) -> dict[str, Value]:
    out = to_plain(resolve(program, None))
    assert isinstance(out, dict)
    return out


def test_a_value_drops_the_search_below(over) -> None:  # type: ignore[no-untyped-def]
    program = over("lr = 0.5").unwrap()
    assert "lr" not in [param.id for param in program.params]
    assert plain(program)["lr"] == 0.5


def test_a_search_alone_keeps_the_value_below_as_its_baseline(over) -> None:  # type: ignore[no-untyped-def]
    assert over("batch ~ 2 | 4 | 8").unwrap().param("batch").baseline == (4,)
    assert over("lr ~ log 1e-3..1.0").unwrap().param("lr").baseline == (0.01,)
    assert over("lr ~ log 0.1..1.0").unwrap().param("lr").baseline == (pytest.approx(0.1**0.5),)


def test_a_constructor_replaces_the_component_entirely(over) -> None:  # type: ignore[no-untyped-def]
    assert plain(over("model = UNet(width = 2)").unwrap())["model"] == {"_target_": "UNet", "width": 2}


def test_alternatives_find_the_inherited_component(over) -> None:  # type: ignore[no-untyped-def]
    program = over("model ~ Seg() | UNet(depth ~ 1..5, width = 8)").unwrap()
    assert plain(program)["model"] == {"_target_": "UNet", "depth": 3, "width": 8}


def test_arguments_by_path(over) -> None:  # type: ignore[no-untyped-def]
    program = over("model.depth ~ 2..4\ntransforms.Flip[1].prob ~ 0.0..1.0\ntransforms[1].prob = 0.9").unwrap()
    assert program.param("transforms.Flip[1].prob").baseline == (0.1,)
    assert plain(program)["transforms"] == [
        {"_target_": "Load", "keys": "image"},
        {"_target_": "Flip", "axis": 0, "prob": 0.9},
        {"_target_": "Flip", "axis": 1, "prob": 0.1},
        {"_target_": "ToTensor"},
    ]


def test_sections_are_prefixes(over) -> None:  # type: ignore[no-untyped-def]
    assert over("model {\n  depth ~ 2..4\n}").unwrap().digest == over("model.depth ~ 2..4").unwrap().digest


def test_appending(over) -> None:  # type: ignore[no-untyped-def]
    program = over("transforms += [Noise(prob ~ 0.0..0.3), Zoom() when batch > 2] before ToTensor").unwrap()
    names = [item["_target_"] for item in plain(program)["transforms"]]  # type: ignore[union-attr,index,call-overload]
    assert names == ["Load", "Flip", "Flip", "Noise", "Zoom", "ToTensor"]
    first = over("transforms += [Noise()] before Flip[0]").unwrap()
    assert [item["_target_"] for item in plain(first)["transforms"]][:2] == ["Load", "Noise"]  # type: ignore[union-attr,index,call-overload]


def test_fixing_one_of_a_group_leaves_the_other_searched(over) -> None:  # type: ignore[no-untyped-def]
    program = over("pair.a = 9").unwrap()
    param = program.param("pair.b")
    assert isinstance(param.domain, ir.Choice)
    assert [alt.values for alt in param.domain.alts] == [("p",), ("q",), ("q",)]
    assert plain(program)["pair"] == {"_target_": "C", "a": 9, "b": "p"}


def test_a_false_guard_leaves_the_value_below(over) -> None:  # type: ignore[no-untyped-def]
    program = over("let z ~ true | false\nbatch ~ 8 | 16 when z").unwrap()
    here = to_plain(resolve(program, {"lr": 0.01, "model.width": 0, "pair.(a,b)": 0, "roi": 64, "z": 1}))
    assert isinstance(here, dict)
    assert here["batch"] == 4


def test_a_let_of_the_base_is_set_by_its_name(over) -> None:  # type: ignore[no-untyped-def]
    assert plain(over("roi = 64").unwrap())["crop"] == [64, 64]
    assert plain(over("", ("roi", "128")).unwrap())["crop"] == [128, 128]


def test_plain_readers_keep_the_value_below_for_the_baseline(over) -> None:  # type: ignore[no-untyped-def]
    program = over("let v = 0.5 ~ 0.0..1.0\nlr = v").unwrap()
    assert plain(program)["lr"] == 0.01
    assert program.param("v").baseline == (0.5,)


@pytest.mark.parametrize(
    ("text", "code", "help"),
    [
        ("modle.depth = 3", "AM110", "did you mean `model`?"),
        ("new = 3", "AM110", ""),
        ("model.dept ~ 1..3", "AM203", "did you mean `depth`?"),
        ("model.args.depth ~ 1..3", "AM110", "leave `.args` out"),
        ("transforms.Filp.prob = 1", "AM110", "did you mean `Flip`?"),
        ("transforms.Flip.prob = 1", "AM112", "Flip[0]"),
        ("transforms[7].prob = 1", "AM112", ""),
        ("batch.x = 1", "AM110", ""),
        ("model.@disable = true", "AM203", ""),
        ("transforms += [X()] before Nothing", "AM110", ""),
        ("batch ~ 1.0..2.0\nbatch = 3", "AM111", ""),
    ],
)
def test_mistakes(over, text: str, code: str, help: str) -> None:  # type: ignore[no-untyped-def]
    checked = over(text)
    assert [found.code for found in checked.diagnostics] == [code], checked.rendered()
    assert help in checked.rendered()


def test_objectives_of_a_higher_layer_replace_all_below(over, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "base.automl").write_text(BASE + 'study "low" {\n maximize dice\n minimize loss\n seed = 3\n keep = 2\n}\n')
    study = over("study {\n maximize iou\n seed = 4\n}").unwrap().study
    assert [objective.metric for objective in study.objectives] == ["iou"]
    assert (study.name, study.seed, study.keep) == ("low", 4, 2)


# -- settings -----------------------------------------------------------------------------------------------------------------


def test_settings_are_the_highest_layers(over) -> None:  # type: ignore[no-untyped-def]
    program = over("lr ~ 0.1..0.2", ("lr", "0.3"), ("model.depth", "~ 1..9"), ("study.budget.trials", "5"), ("lr", "0.4")).unwrap()
    assert plain(program)["lr"] == 0.4
    assert program.param("model.depth").domain == ir.Int(1, 9)
    assert program.study.budget.trials == 5


@pytest.mark.parametrize(
    ("pair", "code"),
    [(("modle.x", "1"), "AM110"), (("lr", "1 2"), "AM024"), (("lr", "abc"), "AM104"), (("lr", "1\nbatch = 2"), "AM014")],
)
def test_a_wrong_setting_is_shown_where_it_stands(over, pair: tuple[str, str], code: str) -> None:  # type: ignore[no-untyped-def]
    checked = over("", pair)
    assert [found.code for found in checked.diagnostics] == [code]
    assert "--> --set:" in checked.rendered()


# -- use ----------------------------------------------------------------------------------------------------------------------


def test_files_that_use_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.automl").write_text('automl 1\nuse "b.automl"\n')
    (tmp_path / "b.automl").write_text('automl 1\nuse "a.automl"\n')
    (found,) = check(tmp_path / "a.automl").diagnostics
    assert found.code == "AM311"
    assert "a.automl -> b.automl -> a.automl" in found.message


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../x.automl", "AM310"),
        ("/etc/passwd", "AM310"),
        ("http://x/y.json", "AM310"),
        ("no.automl", "AM305"),
        ("b.yaml", "AM305"),
        ("b.toml", "AM199"),
    ],
)
def test_what_use_refuses(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "p").mkdir()
    path = tmp_path / "p" / "a.automl"
    path.write_text(f'automl 1\nuse "{name}"\n')
    assert [found.code for found in check(path).diagnostics] == [code]


def test_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "out.automl").write_text("automl 1\nx = 1\n")
    (tmp_path / "p" / "in.automl").symlink_to(tmp_path / "out.automl")
    (tmp_path / "p" / "a.automl").write_text('automl 1\nuse "in.automl"\n')
    assert [found.code for found in check(tmp_path / "p" / "a.automl").diagnostics] == ["AM310"]


def test_depth_of_use(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"f{number}.automl").write_text(f'automl 1\nuse "f{number + 1}.automl"\n')
    (tmp_path / "f12.automl").write_text("automl 1\nx = 1\n")
    assert [found.code for found in check(tmp_path / "f0.automl").diagnostics] == ["AM312"]


def test_a_file_used_twice_is_one_layer(tmp_path: Path) -> None:
    (tmp_path / "base.automl").write_text("automl 1\nx ~ 1..3\n")
    (tmp_path / "b.automl").write_text('automl 1\nuse "base.automl"\n')
    (tmp_path / "a.automl").write_text('automl 1\nuse "base.automl"\nuse "b.automl"\nx = 2 ~ 1..9\n')
    assert check(tmp_path / "a.automl").unwrap().param("x").domain == ir.Int(1, 9)


def test_a_missing_main_file(tmp_path: Path) -> None:
    (tmp_path / "spleen.automl").write_text("automl 1\n")
    (found,) = check(tmp_path / "spleeen.automl").diagnostics
    assert (found.code, found.help) == ("AM305", "did you mean `spleen.automl`?")
