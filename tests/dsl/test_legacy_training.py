"""Clara training configs -> statements, and their mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_run.dsl.ast import Bind, Module, Name
from automl_run.dsl.diagnostics import Diagnostic, render
from automl_run.dsl.legacy import read_automl, read_training
from automl_run.dsl.parser import parse_module
from automl_run.dsl.printer import print_module, print_statement
from automl_run.dsl.source import Source
from automl_run.dsl.variables import first_level_names, undefined_variables

CLARA = Path(__file__).resolve().parents[3] / "shared" / "data" / "clara-4.1" / "config"
needs_clara = pytest.mark.skipif(not CLARA.is_dir(), reason=f"the configs of Clara Train 4.1 are not at {CLARA}")

FLOAT = {"domain": "transform", "type": "float", "targets": [0.0, 1.0]}


def read(config: object) -> tuple[Module, list[Diagnostic]]:
    return read_training(Source("f.json", config if isinstance(config, str) else json.dumps(config)))


def searches(config: object) -> list[str]:
    """The statements that are no plain first-level key, of a config without mistakes."""
    module, diagnostics = read(config)
    assert [diagnostic.message for diagnostic in diagnostics] == []
    return [
        " ".join(print_statement(node).split())
        for node in module.body
        if not isinstance(node, Bind) or node.search is not None or isinstance(node.given, Name)
    ]


def model(search: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    args = {"num_classes": 2, "if_use_psp": False, "final_activation": "softmax"}
    return {"train": {"model": {"name": "SegAhnet", "args": args, "search": search, **more}}}


def only(config: object) -> Diagnostic:
    _, diagnostics = read(config)
    assert len(diagnostics) == 1, [diagnostic.message for diagnostic in diagnostics]
    return diagnostics[0]


# -- the guide's forms --------------------------------------------------------------------------------------------------


def test_grouped_enum_beside_name_and_args() -> None:
    targets = [[True, "softmax"], [False, "sigmoid"], [True, "sigmoid"]]
    item = {"args": ["if_use_psp", "final_activation"], "domain": "net", "type": "enum", "targets": targets}
    assert searches(model([item])) == [
        '(train.model.if_use_psp, train.model.final_activation) ~ (true, "softmax") | (false, "sigmoid") | (true, "sigmoid") @net'
    ]


def test_args_as_a_bare_string() -> None:
    items: list[dict[str, Any]] = [
        {"args": "if_use_psp", "domain": "net", "type": "enum", "targets": [[True], [False]]},
        {"args": "final_activation", "domain": "net", "type": "enum", "targets": [["softmax"], ["sigmoid"]]},
    ]
    assert searches(model(items)) == [
        "train.model.if_use_psp ~ true | false @net",
        'train.model.final_activation ~ "softmax" | "sigmoid" @net',
    ]


def test_float_range_of_integers_is_a_range_of_floats() -> None:
    flip = {"name": "RandomAxisFlip", "args": {"fields": ["image"], "probability": 0.0}}
    config = {"train": {"pre_transforms": [{**flip, "search": [{**FLOAT, "args": ["probability"], "targets": [0, 1]}]}]}}
    assert searches(config) == ["train.pre_transforms.RandomAxisFlip.probability ~ 0.0..1.0 @transform"]


def test_one_float_for_several_args() -> None:
    component = {"name": "Foo", "args": {"a": 0.1, "b": 0.2}, "search": [{**FLOAT, "args": ["a", "b"]}]}
    assert searches({"train": {"x": component}}) == ["(train.x.a, train.x.b) ~ 0.0..1.0 @transform"]


def test_nested_values_of_an_enum() -> None:
    item = {"args": ["channels"], "domain": "net", "type": "enum", "targets": [[[16, 32]], [[8, {"k": [1]}]]]}
    config = {"train": {"model": {"name": "UNet", "args": {"channels": [4]}, "search": [item]}}}
    assert searches(config) == ['train.model.channels ~ [16, 32] | [8, {"k": [1]}] @net']


def test_first_level_key_and_lr_search() -> None:
    item = {"domain": "lr", "type": "float", "args": ["learning_rate"], "targets": [1e-4, 1e-3]}
    assert searches({"learning_rate": 2e-4, "search": [item]}) == ["learning_rate ~ 0.0001..0.001 @lr"]
    assert searches({"learning_rate": 2e-4, "lr_search": [1e-4, 1e-3]}) == ["learning_rate ~ 0.0001..0.001 @lr"]


def test_first_level_name_that_only_variables_use_is_a_key() -> None:
    item = {"domain": "lr", "type": "float", "args": ["lr"], "targets": [0.1, 0.2]}
    config = {"search": [item], "train": {"optimizer": {"name": "Adam", "args": {"lr": "{lr}"}}}}
    assert searches(config) == ["lr ~ 0.1..0.2 @lr"]


def test_linked_tags_switch_components() -> None:
    item = {"domain": "net", "type": "enum", "args": ["a", "@b"], "targets": [[True, False], [False, True]]}
    losses = [
        {"apply": {"@disabled": "a"}, "name": "DiceLoss", "args": {"sigmoid": True}},
        {"apply": {"@disabled": "@b"}, "name": "FocalLoss"},
    ]
    assert searches({"search": [item], "train": {"loss": losses}}) == [
        "let (a, b) ~ (true, false) | (false, true) @net",
        "train.loss.DiceLoss.@disabled = a",
        "train.loss.FocalLoss.@disabled = b",
    ]


@pytest.mark.parametrize(("own", "start"), [({}, "false"), ({"disabled": False}, "false"), ({"disabled": True}, "true")])
def test_a_switch_starts_as_its_components_stand(own: dict[str, bool], start: str) -> None:
    item = {"domain": "transform", "type": "enum", "args": ["@t"], "targets": [[True], [False]]}
    transforms = [{"name": name, **own, "args": {}, "apply": {"@disabled": "t"}} for name in ("A", "B")]
    assert searches({"search": [item], "train": {"pre_transforms": transforms}})[0] == f"let t = {start} ~ true | false @transform"


def test_alias_and_apply_keep_each_its_own_value() -> None:
    transforms = [
        {"name": "A", "args": {"prob": 0.5}, "search": [{**FLOAT, "args": ["prob#p"]}]},
        {"name": "B", "args": {"prob": 0.1}, "apply": {"prob": "p"}},
    ]
    config = {"train": {"pre_transforms": transforms}}
    assert searches(config) == [
        "let p = 0.5 ~ 0.0..1.0 @transform",
        "train.pre_transforms.A.prob = p",
        "train.pre_transforms.B.prob = p",
    ]
    module, _ = read(config)
    assert print_statement(module.body[0]) == 'train = {"pre_transforms": [A(prob = 0.5), B(prob = 0.1)]}'


def test_group_with_an_alias_is_a_let_altogether() -> None:
    item = {"domain": "net", "type": "enum", "args": ["a#x", "b"], "targets": [[1, 2], [3, 4]]}
    config = {"train": {"m": {"name": "M", "args": {"a": 7, "b": 8}, "search": [item]}}}
    assert searches(config) == ["let (x, b_value) = (7, 8) ~ (1, 2) | (3, 4) @net", "train.m.a = x", "train.m.b = b_value"]


def test_group_of_a_key_and_a_tag() -> None:
    item = {"domain": "lr", "type": "enum", "args": ["lr", "t"], "targets": [[0.1, True], [0.2, False]]}
    config = {"lr": 1, "search": [item], "train": {"x": {"name": "X", "args": {}, "apply": {"@disabled": "t"}}}}
    assert searches(config) == ["let (lr_value, t) ~ (0.1, true) | (0.2, false) @lr", "lr = lr_value", "train.x.@disabled = t"]


def test_disabled_is_the_attribute_that_can_be_searched() -> None:
    item = {"domain": "transform", "type": "enum", "args": ["@disabled"], "targets": [[True], [False]]}
    config = {"train": {"t": [{"name": "A", "disabled": False, "args": {}, "search": [item]}]}}
    assert searches(config) == ["train.t.A.@disabled ~ true | false @transform"]


def test_members_of_a_list_are_told_apart() -> None:
    def searched(name: str, arg: str = "prob") -> dict[str, Any]:
        key = "path" if "." in name else "name"
        return {key: name, "args": {arg: 0.5}, "search": [{**FLOAT, "args": arg}]}

    items: list[dict[str, Any]] = [
        searched("A"),
        {"ref": "A"},
        searched("B#one"),
        searched("A"),
        searched("B#two"),
        searched("my.own.C"),
        searched("low"),
    ]
    paths = [line.partition(" ~")[0] for line in searches({"train": {"t": items}})]
    assert paths == [
        "train.t.A[0].prob",
        "train.t.B[0].prob",
        "train.t.A[1].prob",
        "train.t.B[1].prob",
        "train.t[5].prob",
        "train.t[6].prob",
    ]


def test_component_within_arguments() -> None:
    inner = {"name": "Inner", "args": {"k": 1}, "search": [{**FLOAT, "args": "k"}]}
    config = {"train": {"x": {"name": "Outer", "args": {"inner": inner, "list": [inner]}}}}
    assert [line.partition(" ~")[0] for line in searches(config)] == ["train.x.inner.k", "train.x.list.Inner.k"]


def test_alternatives_may_be_components() -> None:
    item = {"domain": "net", "type": "enum", "args": "m", "targets": [[{"name": "A", "args": {"k": 1}}], [None]]}
    config = {"train": {"x": {"name": "X", "args": {"m": None}, "search": [item]}}}
    assert searches(config) == ["train.x.m ~ A(k = 1) | null @net"]


def test_what_is_no_component_stays_data() -> None:
    config = {
        "name": "spleen",
        "train": {
            "data": {"name": "spleen", "path": "/data/x.nii"},
            "x": {
                "name": "X",
                "rank": 0,
                "data_list_key": "training",
                "args": {"y": "@model", "z": {"name": "n", "v": 1}, "search": 3},
            },
            "ref": [{"ref": "LoadImaged"}, "lambda x: None", "#@model.parameters()"],
            "lower": {"name": "myNet", "args": {"k": 3}},
            "own": {"name": "ignored", "path": "pkg.mod.Net"},
        },
    }
    module, diagnostics = read(config)
    assert diagnostics == []
    text = print_statement(module.body[1]).replace("\n", " ")
    assert '"data": {"name": "spleen", "path": "/data/x.nii"}' in text
    assert 'y = "@model"' in text
    assert 'z = {"name": "n", "v": 1}' in text
    assert "search = 3" in text
    assert "@rank = 0" in text
    assert '@data_list_key = "training"' in text
    assert '{"ref": "LoadImaged"}' in text
    assert 'component("myNet", k = 3)' in text
    assert "pkg.mod.Net()" in text


def test_instance_names() -> None:
    module, diagnostics = read({"train": {"x": {"name": "Scale#Mine", "args": {"a": 1}}}})
    assert diagnostics == []
    assert print_statement(module.body[0]) == 'train = {"x": component("Scale#Mine", a = 1)}'


def test_underscored_keys_are_off_and_a_slip_is_told() -> None:
    config = {"_x": 1, "train": {"_y": 2, "m": {"name": "M", "args": {"a": 1, "_b": 2}, "__search": [{"bad": 1}]}}}
    module, diagnostics = read(config)
    assert diagnostics == []
    assert [print_statement(node) for node in module.body] == ['train = {"m": M(a = 1)}']
    slip = only({"train": {"m": {"name": "M", "args": {}, "__serach": []}}})
    assert (slip.code, slip.severity, slip.help) == ("AM208", "warning", "did you mean `__search`?")


# -- mistakes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "code", "mark", "words"),
    [
        ({"domain": "trnsform"}, "AM204", '"trnsform"', "did you mean `transform`?"),
        ({"type": "flaot"}, "AM202", '"flaot"', "did you mean `float`?"),
        ({"type": "int"}, "AM202", '"int"', "known: float, enum"),
        ({"args": ["probabilty"]}, "AM203", '"probabilty"', "searchable here: fields, probability"),
        ({"args": ["@rank"]}, "AM203", '"@rank"', "only `@disabled`"),
        ({"args": ["@disable"]}, "AM203", '"@disable"', "did you mean `@disabled`?"),
        ({"args": []}, "AM201", "[]", ""),
        ({"args": [3]}, "AM201", "3", ""),
        ({"args": ["probability#"]}, "AM201", '"probability#"', "alias"),
        ({"args": ["probability", "probability"]}, "AM201", '"probability"', ""),
        ({"targets": [1.0, 0.0]}, "AM205", "[1.0, 0.0]", "write `[0, 1]`"),
        ({"targets": [0.5, 0.5]}, "AM205", "[0.5, 0.5]", ""),
        ({"targets": [0.0]}, "AM205", "[0.0]", ""),
        ({"targets": ["0", 1]}, "AM205", '"0"', "quotes"),
        ({"targets": [False, 1]}, "AM205", "false", ""),
        ({"targets": [[0.0], [1.0]]}, "AM205", "[0.0]", "enum"),
        ({"targets": 3}, "AM205", "3", ""),
        ({"type": "enum", "targets": [0.1, 0.2]}, "AM206", "0.1", "write `[[0.1], [0.2]]`"),
        ({"type": "enum", "targets": [[0.1], [0.2, 0.3]]}, "AM207", "[0.2, 0.3]", "[[0.2, 0.3]]"),
        ({"type": "enum", "targets": []}, "AM207", "[]", ""),
        ({"domain": None}, "AM201", "null", ""),
        ({"target": [0, 1]}, "AM208", '"target"', "did you mean `targets`?"),
    ],
)
def test_a_wrong_search_item(item: dict[str, Any], code: str, mark: str, words: str) -> None:
    base = {"domain": "transform", "type": "float", "args": ["probability"], "targets": [0.0, 1.0]}
    flip = {"name": "RandomAxisFlip", "args": {"fields": ["image"], "probability": 0.25}, "search": [{**base, **item}]}
    text = json.dumps({"train": {"pre_transforms": [flip]}})
    found = only(text)
    assert found.code == code
    assert text[found.span.start : found.span.end] == mark
    assert words in found.help + found.message
    assert found.span.start > text.index('"search"')


@pytest.mark.parametrize("key", ["domain", "type", "args", "targets"])
def test_a_search_item_lacks_a_key(key: str) -> None:
    item = {"domain": "lr", "type": "float", "args": ["lr"], "targets": [0.0, 1.0]}
    del item[key]
    found = only({"lr": 1.0, "search": [item]})
    assert found.code == "AM201"
    assert f"no `{key}`" in found.message


@pytest.mark.parametrize(
    ("config", "code", "words"),
    [
        ({"serach": []}, "AM208", "write `search`"),
        ({"lr_serach": []}, "AM208", "write `lr_search`"),
        ({"train": {"m": {"name": "M", "args": {}, "serach": []}}}, "AM208", "did you mean `search`?"),
        ({"train": {"m": {"name": "M", "args": {}, "aply": {}}}}, "AM208", "did you mean `apply`?"),
        ({"train": {"m": {"name": "M", "arg": {}}}}, "AM208", "did you mean `args`?"),
        ({"train": {"m": {"nmae": "M", "args": {}}}}, "AM208", "did you mean `name`?"),
        ({"train": {"m": {"args": {}}}}, "AM201", "no `name`"),
        ({"train": {"m": {"name": "U Net", "args": {}}}}, "AM201", "class name"),
        ({"train": {"m": {"path": "Net", "args": {}}}}, "AM201", "dotted"),
        ({"train": {"m": {"name": "M", "args": [1]}}}, "AM201", "an object was expected"),
        ({"train": {"m": {"name": "M", "search": {}}}}, "AM201", "list of items"),
        ({"train": {"m": {"name": "M", "apply": []}}}, "AM201", "`apply` is an object"),
        ({"train": {"m": {"name": "M", "args": {"p": 1}, "apply": {"p": 3}}}}, "AM201", "the name of a search"),
        ({"train": {"m": {"name": "M", "args": {"p": 1}, "apply": {"p": "x"}}}}, "AM209", "nothing declares `x`"),
        ({"train": {"m": {"ref": "M", "search": []}}}, "AM201", "reference"),
        ({"lr_search": [0.1, 0.2]}, "AM203", "learning_rate"),
        ([], "AM201", "an object"),
    ],
)
def test_a_wrong_config(config: object, code: str, words: str) -> None:
    found = only(config)
    assert (found.code, found.severity) == (code, "error")
    assert words in f"{found.message} {found.label} {found.help}"


def test_a_slip_in_a_first_level_name() -> None:
    item = {"domain": "lr", "type": "float", "args": ["learnig_rate"], "targets": [0.1, 0.2]}
    found = only({"learning_rate": 0.1, "search": [item]})
    assert (found.code, found.help) == ("AM203", "did you mean `learning_rate`?")
    found = only({"learning_rate": 0.1, "search": [{**item, "args": ["quiteOther"]}]})
    assert (found.code, found.severity) == ("AM209", "warning")


def test_declared_or_searched_twice() -> None:
    alias = {"name": "A", "args": {"prob": 0.5}, "search": [{**FLOAT, "args": ["prob#p"]}]}
    found = only({"train": {"x": alias, "y": alias}})
    assert (found.code, found.message) == ("AM209", "`p` is declared twice")
    assert len(found.secondary) == 1
    twice = {"name": "A", "args": {"prob": 0.5}, "search": [{**FLOAT, "args": "prob"}] * 2}
    assert only({"train": {"x": twice}}).message == "`prob` is searched twice"
    found = only({"epochs": 1, "train": {"x": {**alias, "search": [{**FLOAT, "args": ["prob#epochs"]}]}}})
    assert found.message == "`epochs` is already a key of this file"


def test_all_mistakes_are_told_in_the_order_of_the_file() -> None:
    bad = {"domain": "x", "type": "y", "args": ["p"], "targets": [0, 1]}
    module, diagnostics = read({"a": 1, "search": [bad], "train": {"m": {"name": "M", "args": {"p": 1}, "search": [bad, 3]}}})
    assert [diagnostic.code for diagnostic in diagnostics] == ["AM204", "AM202", "AM204", "AM202", "AM201"]
    assert len(module.body) == 2


def test_a_diagnostic_is_drawn_at_its_place() -> None:
    text = '{"train": {"t": [{"name": "RandomAxisFlip", "args": {"probability": 0.0},\n'
    text += '  "search": [{"domain": "transform", "type": "float", "args": ["probabilty"], "targets": [0.0, 1.0]}]}]}}'
    source = Source("config_train.json", text)
    _, diagnostics = read_training(source)
    assert render(diagnostics[0], {source.name: source}) == "\n".join(
        [
            "error[AM203]: `probabilty` is not an argument of `RandomAxisFlip` in this config",
            " --> config_train.json:2:64",
            "  |",
            '2 |   "search": [{"domain": "transform", "type": "float", "args": ["probabilty"], "targets": [0.0, 1.0]}]}]}}',
            "  |                                                                ^^^^^^^^^^^^ unknown argument",
            "  = help: did you mean `probability`? searchable here: probability",
        ]
    )


# -- real files ---------------------------------------------------------------------------------------------------------

REAL = {
    "trn_autoML_Enum.json": [
        "train.lr_scheduler.step_size ~ 5000 | 1000 @lr",
        "train.model.channels ~ [16, 32, 64, 128, 256] | [8, 16, 32, 64, 128] @net",
        'train.model.norm ~ "batch" | "INSTANCE" @net',
    ],
    "trn_autoML_LR_LP.json": [
        "learning_rate ~ 0.0001..0.001 @lr",
        "train.lr_scheduler.gamma ~ 0.1..0.2 @lr",
        "let myProb = 0.5 ~ 0.0..1.0 @transform",
        "train.pre_transforms.RandShiftIntensityd.prob = myProb",
        "train.pre_transforms.RandGaussianNoised.prob = myProb",
    ],
    "trn_autoML_Loss_Optimizer.json": [
        "let (mySearchLoss1, mySearchLoss2) ~ (true, false) | (false, true) @transform",
        "let (mySearchOptimizer1, mySearchOptimizer2) ~ (true, false) | (false, true) @transform",
        "train.loss.DiceLoss.@disabled = mySearchLoss1",
        "train.loss.FocalLoss.@disabled = mySearchLoss2",
        "train.optimizer.Adam.@disabled = mySearchOptimizer1",
        "train.optimizer.Novograd.@disabled = mySearchOptimizer2",
    ],
    "trn_autoML_Transform.json": [
        "let myTransformDisable = false ~ true | false @transform",
        "train.pre_transforms.RandGaussianNoised.@disabled ~ true | false @transform",
        "train.pre_transforms.RandFlipd.@disabled = myTransformDisable",
        "train.pre_transforms.RandShiftIntensityd.@disabled = myTransformDisable",
    ],
    "trn_autoML_TransformProb.json": [
        "let myProb = 0.5 ~ 0.0..0.8 @transform",
        "train.pre_transforms.RandShiftIntensityd.prob = myProb",
        "train.pre_transforms.RandGaussianNoised.prob = myProb",
    ],
}


@needs_clara
@pytest.mark.parametrize("name", sorted(REAL))
def test_real_configs(name: str) -> None:
    text = (CLARA / name).read_text(encoding="utf-8")
    assert searches(text) == REAL[name]
    module, _ = read(text)
    environment = json.loads((CLARA / "environment.json").read_text(encoding="utf-8"))
    assert undefined_variables(module, {*environment, *first_level_names(module)}) == []
    assert {found.message for found in undefined_variables(module, first_level_names(module))} == {
        f"the variable `{{{name}}}` is not defined" for name in ("DATASET_JSON", "DATA_ROOT", "MMAR_CKPT", "MMAR_CKPT_DIR")
    }


@needs_clara
@pytest.mark.parametrize("name", sorted(REAL))
def test_real_configs_are_the_same_tree_when_written_in_the_language(name: str) -> None:
    module, _ = read((CLARA / name).read_text(encoding="utf-8"))
    parsed, diagnostics = parse_module(Source("x.automl", print_module(module)), require_edition=False)
    assert diagnostics == []
    assert print_module(parsed) == print_module(module)


# -- any config ---------------------------------------------------------------------------------------------------------

WORDS = [
    "name",
    "path",
    "args",
    "search",
    "apply",
    "disabled",
    "domain",
    "type",
    "targets",
    "ref",
    "prob",
    "@disabled",
    "__search",
    "serach",
]
TEXTS = ["M", "m", "M#i", "a.b.M", "lr", "net", "float", "enum", "prob", "prob#p", "p", "@disabled", "{x}", "@y", "#z", ""]
ANY = st.recursive(
    st.sampled_from(TEXTS) | st.booleans() | st.integers(-2, 2) | st.floats(-1, 1) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from([*WORDS, "lr_search", "train", "learning_rate"]), ANY, max_size=5))
def test_any_json_is_read_without_a_crash(config: dict[str, object]) -> None:
    text = json.dumps(config)
    module, diagnostics = read(text)
    for found in diagnostics:
        assert 0 <= found.span.start < found.span.end <= len(text)
        assert found.message
    for statement in module.body:
        print_statement(statement)
    assert read_automl(Source("a.json", text))[0].edition is None
