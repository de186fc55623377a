"""`{x}`: precedence, checking, substitution."""

from __future__ import annotations

import json

import pytest

from automl_run.dsl.ast import Module
from automl_run.dsl.legacy import read_automl, read_training
from automl_run.dsl.resolved import Resolved, ResolvedComponent
from automl_run.dsl.source import Source
from automl_run.dsl.variables import (
    VariableError,
    circular_variables,
    first_level_names,
    outer_variables,
    references,
    substitute,
    substitute_config,
    undefined_variables,
)
from automl_run.errors import InputError


def module(config: object) -> Module:
    read, diagnostics = read_training(Source("f.json", json.dumps(config)))
    assert diagnostics == []
    return read


# -- precedence ---------------------------------------------------------------------------------------------------------


def test_order_of_the_sources() -> None:
    found = outer_variables(
        settings={"a": "set", "trainconf": "t.json"},
        environment_json={"a": "file", "b": "file", "DATA_ROOT": "file"},
        first_level={"c", "MMAR_CKPT_DIR"},
        environ={"DATA_ROOT": "env", "MMAR_CKPT_DIR": "env", "DATASET_JSON": "env", "HOME": "/root"},
        defaults={"MMAR_ROOT": "/mmar", "DATASET_JSON": "default"},
    )
    assert found == {
        "a": "set",
        "b": "file",
        "trainconf": "t.json",
        "DATA_ROOT": "file",
        "DATASET_JSON": "env",
        "MMAR_ROOT": "/mmar",
    }


def test_the_first_level_is_beaten_by_settings_only() -> None:
    assert outer_variables({"c": 1}, {}, {"c"}, {}) == {"trainconf": "config_train.json", "c": 1}
    assert "c" not in outer_variables({}, {}, {"c"}, {"c": "x"})


# -- checking -----------------------------------------------------------------------------------------------------------


def test_undefined_variables_are_told_at_their_place() -> None:
    config = {
        "epochs": 1,
        "train": {"x": {"name": "X", "disabled": True, "args": {"a": "{epohcs}", "b": ["{epochs}", "{D}/{epochs}"]}}},
    }
    text = json.dumps(config)
    tree, _ = read_training(Source("f.json", text))
    found = undefined_variables(tree, first_level_names(tree))
    assert [text[d.span.start : d.span.end] for d in found] == ["{epohcs}", "{D}"]
    assert found[0].help == "did you mean `{epochs}`?"
    assert "environment.json" in found[1].help
    assert {d.code for d in found} == {"AM210"}


def test_the_whole_string_is_marked_where_it_has_escapes() -> None:
    text = '{"a": "\\u0041{x}"}'
    tree, _ = read_training(Source("f.json", text))
    (found,) = undefined_variables(tree, ())
    assert text[found.span.start : found.span.end] == '"\\u0041{x}"'


def test_python_and_other_braces_are_let_alone() -> None:
    config = {"a": "#{x for x in @y}", "b": "lambda x: {x}", "c": "{}", "d": "{0}", "e": "{a.b}", "f": "{{x}}", "g": "#{x}"}
    assert undefined_variables(module(config), ()) == []


def test_alternatives_of_a_search_are_looked_at() -> None:
    search = [{"domain": "net", "type": "enum", "args": "p", "targets": [["{x}"], ["y"]]}]
    config = {"train": {"m": {"name": "M", "args": {"p": "y"}, "search": search}}}
    assert len(undefined_variables(module(config), ())) == 1


def test_strings_of_a_study_are_left_out_unless_asked_for() -> None:
    automl = {"handlers": [{"name": "MMARHandler", "args": {"train_config_file": "{trainconff}"}}]}
    tree, _ = read_automl(Source("a.json", json.dumps(automl)))
    assert undefined_variables(tree, ()) == []
    (found,) = undefined_variables(tree, ("trainconf",), include_study=True)
    assert found.help == "did you mean `{trainconf}`?"


def test_references() -> None:
    assert references(module({"a": "{x}/{y}", "b": ["#{z}", 1, {"k": "{x}"}]})) == {"x", "y", "z"}


def test_circles() -> None:
    tree = module({"a": "{b}", "b": ["x", {"k": "{c}/y"}], "c": "{a}", "d": "{d}", "e": "{a}"})
    found = circular_variables(tree, {})
    assert [d.code for d in found] == ["AM211", "AM211"]
    assert "{a} -> {b} -> {c} -> {a}" in found[0].message
    assert "{d} -> {d}" in found[1].message
    assert circular_variables(tree, {"a": 1, "d": 2}) == []
    assert len(circular_variables(module({}), {"x": "{y}", "y": "{x}"})) == 1


# -- substitution -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{n}", 3),
        ("{f}", 0.5),
        ("{t}", True),
        ("{none}", None),
        ("{l}", [1, "x"]),
        ("n = {n}", "n = 3"),
        ("{root}/{n}", "/data/3"),
        ("{t} {none} {l}", 'true null [1, "x"]'),
        ("#range({n}, {t})", "#range(3, True)"),
        ("#{y for y in '{s}'}", "#{y for y in 'x'}"),
        ("#{unknown}", "#{unknown}"),
        ("lambda q: {n}", "lambda q: 3"),
        ("{deep}", "/data/3/end"),
        ("{{n}}", "{{n}}"),
        ("{}", "{}"),
        (7, 7),
        ({"{n}": ["{n}"]}, {"{n}": [3]}),
    ],
)
def test_substitute(value: Resolved, expected: Resolved) -> None:
    variables: dict[str, Resolved] = {
        "n": 3, "f": 0.5, "t": True, "none": None, "l": [1, "{s}"], "s": "x", "root": "/data", "deep": "{root}/{n}/end",
    }  # fmt: skip
    before = json.dumps(variables)
    assert substitute(value, variables) == expected
    assert json.dumps(variables) == before


def test_components_are_substituted_within() -> None:
    component = ResolvedComponent("X", {"a": "{n}", "b": [ResolvedComponent("Y", {"c": "{n}"}, {})]}, {"disabled": "{t}"}, "Mine")
    expected = ResolvedComponent("X", {"a": 3, "b": [ResolvedComponent("Y", {"c": 3}, {})]}, {"disabled": True}, "Mine")
    assert substitute(component, {"n": 3, "t": True}) == expected


def test_the_first_level_of_a_configuration() -> None:
    config: dict[str, Resolved] = {
        "lr": 0.1,
        "dir": "{ROOT}/m",
        "train": {"lr": "{lr}", "dir": "{dir}", "epochs": "{epochs}"},
        "epochs": 5,
    }
    assert substitute_config(config, {"ROOT": "/r", "epochs": 9}) == {
        "lr": 0.1,
        "dir": "/r/m",
        "train": {"lr": 0.1, "dir": "/r/m", "epochs": 9},
        "epochs": 5,
    }


def test_what_cannot_be_substituted() -> None:
    with pytest.raises(VariableError, match=r"`\{x\}` is not defined.*did you mean `xy`") as caught:
        substitute("{x}", {"xy": 1})
    assert isinstance(caught.value, InputError)
    with pytest.raises(VariableError, match=r"\{a\} -> \{b\} -> \{a\}"):
        substitute("{a}", {"a": "{b}", "b": "x{a}"})
    with pytest.raises(VariableError, match="cannot stand within a text"):
        substitute("x {a}", {"a": ResolvedComponent("X", {}, {})})
