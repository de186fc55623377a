"""The sentences of the language's page that say what the examples leave open: each has a test of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl_run.dsl import ir
from automl_run.dsl.evaluate import unacceptable_because
from automl_run.dsl.load import Checked, check, check_text, parse

BASE = {
    "lr": 0.1,
    "model": {"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [8, 16], "strides": [2]},
    "chain": [{"_target_": "LoadImaged", "keys": "image"}, {"_target_": "RandFlipd", "keys": "image", "prob": 0.5}],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.json").write_text(json.dumps(BASE))
    return tmp_path


def over(folder: Path, text: str, *sets: tuple[str, str]) -> Checked:
    (folder / "a.automl").write_text(f'automl 1\nuse "base.json"\n{text}\n')
    return check(folder / "a.automl", sets=sets)


def errors(checked: Checked) -> list[str]:
    return [found.code for found in checked.diagnostics if found.severity == "error"]


def values(program: ir.Program, **point: int | float) -> dict[str, ir.Value]:
    return program.resolve({id.replace("__", "."): value for id, value in point.items()})


# -- 1. Without `use`, paths create; with `use`, a path must exist or be an argument in a signature; new helpers use `let` ------


def test_1_without_use_paths_create() -> None:
    assert parse("a.b.c = 3").resolve(None) == {"a": {"b": {"c": 3}}}


def test_1_with_use_a_path_must_exist(folder: Path) -> None:
    checked = over(folder, "learning = 0.1")
    assert errors(checked) == ["AM110"]
    assert errors(over(folder, "model.dropout_rate = 0.1")) == ["AM203"]


def test_1_with_use_an_argument_of_the_signature_may_be_added(folder: Path) -> None:
    program = over(folder, "model.dropout ~ 0.0..0.5").unwrap()
    assert [param.id for param in program.params] == ["model.dropout"]


def test_1_new_helpers_use_let(folder: Path) -> None:
    program = over(folder, "let v ~ 0.1..0.5\nlr = v").unwrap()
    assert "v" not in program.resolve(None)


# -- 2. Declaration order never matters; an argument's right side never refers to itself --------------------------------


def test_2_the_order_of_declarations_never_matters() -> None:
    lines = ["y = x * 2 when m is A", "x ~ 1..4", "m ~ A(k = v) | B()", "let v ~ 1..3", "require x > v"]
    assert len({parse("\n".join(order)).digest for order in (lines, lines[::-1], lines[2:] + lines[:2])}) == 1


def test_2_a_right_side_reads_the_outer_name() -> None:
    program = parse("lr ~ 0.1..0.5\noptimizer = Adam(lr = lr)")
    assert [param.id for param in program.params] == ["lr"]
    assert values(program, lr=0.2)["optimizer"] == {"_target_": "Adam", "lr": 0.2}
    assert errors(check_text("optimizer = Adam(lr = lr)")) == ["AM121"]


# -- 3. A constructor call replaces the inherited component entirely ----------------------------------------------------


def test_3_a_call_replaces_the_inherited_component(folder: Path) -> None:
    found = over(folder, "model = SegResNet(init_filters = 16)").unwrap().resolve(None)
    assert found["model"] == {"_target_": "SegResNet", "init_filters": 16}


# -- 4. Alternatives of one class, list members, instance names ---------------------------------------------------------


def test_4_alternatives_of_one_class_are_numbered() -> None:
    program = parse("u ~ U(a ~ 1..3) | U(b ~ 1..3)\ny = 1 if u is U else 2\nz = 1 if u is U[1] else 2")
    assert [alt.label for alt in program.params[0].domain.alts] == ["U[0]", "U[1]"]  # type: ignore[union-attr]
    assert [param.id for param in program.params[1:]] == ["u[U[0]].a", "u[U[1]].b"]
    assert [values(program, u=0, **{"u[U[0]].a": 1})[key] for key in "yz"] == [1, 2]
    assert [values(program, u=1, **{"u[U[1]].b": 1})[key] for key in "yz"] == [1, 1]


def test_4_a_class_name_of_several_members_needs_an_index() -> None:
    text = "t = [A(p = 1), A(p = 2)]\n"
    assert errors(check_text(text + "t.A.p ~ 3..4")) == ["AM112"]
    assert parse(text + "y = t.A[1].p").resolve(None)["y"] == 2
    assert errors(check_text(text + "y = t.A[2].p")) == ["AM112"]


def test_4_an_instance_name_and_a_touching_hash(tmp_path: Path) -> None:
    item = {"name": "Scale#Mine", "args": {"keys": ["image"]}}
    (tmp_path / "c.json").write_text(json.dumps({"train": {"pre_transforms": [item, {"name": "Scale", "args": {}}]}}))
    (tmp_path / "a.automl").write_text('automl 1\nuse "c.json"\ntrain.pre_transforms["Mine"].keys = ["label"]\n')
    assert errors(check(tmp_path / "a.automl")) == []
    touching = check_text("x = Scale#Mine")
    assert errors(touching) == ["AM017"]
    assert '["Mine"]' in touching.rendered()


# -- 5. Dependencies are tracked per argument ---------------------------------------------------------------------------


def test_5_dependencies_are_tracked_per_argument() -> None:
    program = parse("m ~ A(k = x if m is A else 3) | B()\nx ~ 1..3 when m is A")
    assert values(program, m=0, x=2)["m"] == {"_target_": "A", "k": 2}


# -- 6. Disabled components, false guards, exclusive branches -----------------------------------------------------------


def test_6_a_disabled_component_is_absent_and_its_parameters_inactive() -> None:
    program = parse("t = [A(p ~ 1..3), B()]\nt.A.@disabled ~ true | false\ny = t.A.@disabled")
    assert values(program, **{"t.A.@disabled": 0}) == {"t": [{"_target_": "B"}], "y": True}
    assert set(program.sample(1, 0)[0]) in ({"t.A.@disabled"}, {"t.A.@disabled", "t.A.p"})


def test_6_a_false_guard_leaves_the_value_of_the_lower_layer(folder: Path) -> None:
    program = over(folder, "let fast ~ true | false\nlr = 0.5 when fast").unwrap()
    assert [values(program, fast=at)["lr"] for at in (0, 1)] == [0.5, 0.1]


def test_6_exclusive_branches_may_bind_the_same_path() -> None:
    program = parse("m ~ A() | B()\ny = 1 when m is A\ny = 2 when m is B")
    assert [values(program, m=at)["y"] for at in (0, 1)] == [1, 2]
    assert errors(check_text("m ~ A() | B()\ny = 1 when m is A\ny = 2 when m is not B")) == ["AM111"]


# -- 7. One study; a higher layer merges its keys, and any objective there replaces all inherited ones -------------------


def test_7_a_program_has_one_study() -> None:
    assert "AM406" in errors(check_text("study { seed = 1 }\nstudy { keep = 2 }\nx ~ 1..3"))


def test_7_a_higher_layer_merges_keys_and_replaces_objectives(tmp_path: Path) -> None:
    (tmp_path / "low.automl").write_text(
        "automl 1\nstudy { seed = 1, maximize a, minimize b, ensure c > 1, "
        "phase p { warm_start = 0 }, budget { trials = 3, time = 1h } }\nx ~ 1..3\n"
    )  # fmt: skip
    (tmp_path / "top.automl").write_text('automl 1\nuse "low.automl"\nstudy { keep = 2, maximize d, budget { trials = 5 } }\n')
    study = check(tmp_path / "top.automl").unwrap().study
    assert (study.seed, study.keep, study.budget.trials, study.budget.time_s) == (1, 2, 5, 3600.0)
    assert [objective.metric for objective in study.objectives] == ["d"]
    assert len(study.ensures) == len(study.phases) == 1


# -- 8. Metrics -----------------------------------------------------------------------------------------------------------


def test_8_a_bare_name_is_a_metric() -> None:
    program = parse("maximize dice - loss\nensure dice > 0.5\nx ~ 1..3")
    assert program.study.objectives[0].expr == ir.Binary("-", ir.Metric("dice"), ir.Metric("loss"))


@pytest.mark.parametrize("text", ["maximize x", "ensure x > 1", "ensure v > 1", "minimize 2 * v"])
def test_8_one_that_also_names_a_key_or_a_let_is_an_error(text: str) -> None:
    assert errors(check_text(f"{text}\nx ~ 1..3\nlet v ~ 1..3")) == ["AM404"]


def test_8_a_trial_that_fails_ensure_is_unacceptable() -> None:
    program = parse('ensure dice > 0.5 because "useless below"\nx ~ 1..3')
    assert unacceptable_because(program, {"x": 1}, {"dice": 0.4}) == "useless below"
    assert unacceptable_because(program, {"x": 1}, {"dice": 0.6}) is None


# -- 9. Tuples, order of alternatives, ranges among them -------------------------------------------------------------------


def test_9_tuples_unpack_with_equal_arity_and_others_broadcast() -> None:
    program = parse("(a, b) ~ (1, 2) | 3\n(c, d) ~ 0.0..1.0")
    assert values(program, **{"(a,b)": 0, "(c,d)": 0.5}) == {"a": 1, "b": 2, "c": 0.5, "d": 0.5}
    assert values(program, **{"(a,b)": 1, "(c,d)": 0.5})["b"] == 3
    assert errors(check_text("(a, b) ~ (1, 2, 3) | (1, 2, 4)")) == ["AM103"]


@pytest.mark.parametrize(("domain", "ordered"), [("1 | 2 | 4", True), ("4 | 2", False), ('"a" | "b"', False), ("1 | 2.5", True)])
def test_9_strictly_increasing_numbers_are_ordered(domain: str, ordered: bool) -> None:
    found = parse(f"x ~ {domain}").params[0].domain
    assert isinstance(found, ir.Choice)
    assert found.ordered is ordered


def test_9_alternatives_are_equally_likely() -> None:
    drawn = [point["x"] for point in parse("x ~ 1 | 2 | 4").sample(3000, 0)]
    assert all(abs(drawn.count(at) - 1000) < 120 for at in range(3))


def test_9_a_range_among_alternatives_is_a_parameter_of_its_alternative() -> None:
    program = parse("x ~ 0.0 | log 1e-6..1e-2")
    assert [param.active for param in program.params] == [None, ir.IsAlt("x", (1,))]


# -- 10. A component-valued `let` shares parameters; each reader builds its own instance ------------------------------------


def test_10_a_component_valued_let_shares_its_parameters() -> None:
    program = parse("let net = N(k ~ 1..3)\na = net\nb = net")
    assert len(program.params) == 1
    found = program.resolve({program.params[0].id: 2})
    assert found["a"] == found["b"] == {"_target_": "N", "k": 2}
    assert found["a"] is not found["b"]


# -- 11. What parses and must not pass silently -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "fix"),
    [
        ("x ~ 1 or 2 or 4", "AM015", "write `1 | 2 | 4`"),
        ("x ~ [1, 2, 4]", "AM014", "write `1 | 2 | 4`"),
        ("x = True", "AM013", "write `true`"),
        ("x = None", "AM013", "write `null`"),
        ("x = none", "AM013", "write `null`"),
        ("x ~ log(1e-5, 1e-2)", "AM016", "write `log 1e-5..1e-2`"),
        ("study { budget { trials = 3d } }\nx ~ 1..3", "AM108", "write `3`"),
        ("study { seed = 3d }\nx ~ 1..3", "AM108", "write `3`"),
        ("study { controller = TPE(startup = 3d) }\nx ~ 1..3", "AM108", "write `3`"),
        ("x ~ 1..3d", "AM109", ""),
        ("(a, b) ~ (1, 2) | (1, 2, 3)", "AM103", ""),
        ("x = Scale#Mine", "AM017", '["Mine"]'),
    ],
)
def test_11_each_has_a_diagnostic_with_a_fix(text: str, code: str, fix: str) -> None:
    checked = check_text(text + "\n")
    assert errors(checked) == [code], checked.rendered()
    assert fix in checked.rendered()


@pytest.mark.parametrize(
    ("text", "code", "fix"),
    [
        ("model.spatial_dims = 3d", "AM108", "write `3`"),
        ("model.spatial_dims ~ 2 | 3d", "AM108", "write `3`"),
        ('model.spatial_dims = "3"', "AM104", ""),
        ("model.dropout ~ 0..1", "AM104", "write 0.0..1.0"),
        ("model.num_res_units ~ 0.0..2.0", "AM104", ""),
        ("model.chanels = [8]", "AM203", "did you mean `channels`?"),
        ("model = UNet(spatial_dims = 3, in_channels = 1, out_channels = 2, channels = [8])", "AM119", "`strides`"),
    ],
)
def test_11_arguments_are_held_to_the_signature(folder: Path, text: str, code: str, fix: str) -> None:
    checked = over(folder, text)
    assert errors(checked) == [code], checked.rendered()
    assert fix in checked.rendered()


def test_11_what_an_argument_may_be(folder: Path) -> None:
    text = 'model = UNet(spatial_dims = 3, in_channels = 1, out_channels = "@n", channels = [8], strides = [], dropout = 0)'
    assert errors(over(folder, text)) == []
    assert errors(over(folder, 'model.spatial_dims = "{DIMS}"', ("DIMS", "3"))) == []


def test_11_a_bom_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "a.automl").write_text("\ufeffautoml 1\nx ~ 1..3\n", encoding="utf-8")
    assert check(tmp_path / "a.automl").ok
    assert check_text("\ufeffx ~ 1..3").ok
