"""What `{x}` is in a job: --set > a program above > environment.json > the first level > environment variables > defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl_run.dsl.evaluate import resolve
from automl_run.dsl.ir import Program, Value
from automl_run.dsl.load import Checked, check, load_mmar
from automl_run.engine.targets.mmar import MmarTarget

SEARCH: Value = [{"domain": "lr", "type": "float", "args": ["lr"], "targets": [0.1, 0.2]}]


def mmar(folder: Path, environment: dict[str, Value], **first_level: Value) -> Path:
    (folder / "config").mkdir(parents=True)
    config: dict[str, Value] = {
        **first_level,
        "train": {"optimizer": {"name": "Adam", "args": {"params": "#@model.parameters()", "lr": "{lr}"}}},
    }
    (folder / "config" / "config_train.json").write_text(json.dumps(config))
    (folder / "config" / "config_automl.json").write_text("{}")
    (folder / "config" / "environment.json").write_text(json.dumps(environment))
    return folder


def rate(program: Program, root: Path, point: dict[str, int | float] | None = None) -> Value:
    """The learning rate in the rendered config of the baseline, or of a point."""
    config = MmarTarget(str(root), root, program.variables).render(resolve(program, point))
    node: Value = config
    for key in ("train", "optimizer", "args", "lr"):
        assert isinstance(node, dict)
        node = node[key]
    return node


def legacy(root: Path, **settings: str) -> Checked:
    return load_mmar(root, settings=settings)


def test_environment_json_beats_the_first_level_and_set_beats_both(tmp_path: Path) -> None:
    root = mmar(tmp_path / "m", {"lr": 0.3}, lr=0.5)
    assert rate(legacy(root).unwrap(), root) == 0.3
    assert rate(legacy(root, lr="0.7").unwrap(), root) == 0.7
    assert rate(check(root / "config" / "config_train.json").unwrap(), root) == 0.3
    assert rate(check(root / "config" / "config_train.json", sets=[("lr", "0.7")]).unwrap(), root) == 0.7


def test_the_first_level_beats_the_environment_and_that_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_ROOT", "/of/the/process")
    root = mmar(tmp_path / "m", {}, lr="{DATA_ROOT}")
    assert rate(legacy(root).unwrap(), root) == "/of/the/process"
    root = mmar(tmp_path / "n", {}, lr="{DATA_ROOT}", DATA_ROOT="/of/the/file")
    assert rate(legacy(root).unwrap(), root) == "/of/the/file"
    root = mmar(tmp_path / "o", {}, lr="{MMAR_ROOT}")
    assert rate(legacy(root).unwrap(), root) == str(root.resolve())


def test_a_program_above_the_config_beats_environment_json(tmp_path: Path) -> None:
    root = mmar(tmp_path / "m", {"lr": 0.3}, lr=0.5)
    program = tmp_path / "p.automl"
    program.write_text('automl 1\nuse "m/config/config_train.json"\nlr = 0.6\n')
    assert rate(check(program).unwrap(), root) == 0.6
    program.write_text('automl 1\nuse "m/config/config_train.json"\nlr ~ 0.1..0.2\n')
    searched = check(program).unwrap()
    assert rate(searched, root, {searched.params[0].id: 0.15}) == 0.15


def test_a_searched_variable_is_the_search_s_in_every_job(tmp_path: Path) -> None:
    root = mmar(tmp_path / "m", {"lr": 0.3}, lr=0.5, search=SEARCH)
    checked = legacy(root)
    (warning,) = checked.diagnostics
    assert (warning.code, warning.severity) == ("AM213", "warning")
    assert warning.span.file.endswith("environment.json")
    program = checked.unwrap()
    assert rate(program, root, {program.params[0].id: 0.15}) == 0.15
    # --set takes the search away.
    assert legacy(root, lr="0.7").unwrap().params == ()
    assert rate(legacy(root, lr="0.7").unwrap(), root) == 0.7


def test_a_whole_text_keeps_the_type_and_a_part_is_text(tmp_path: Path) -> None:
    root = mmar(tmp_path / "m", {"on": True, "list": [1, 2], "name": "x"}, lr=["{on}", "{list}", "a{name}b", "{{name}}"])
    assert rate(legacy(root).unwrap(), root) == [True, [1, 2], "axb", "{{name}}"]


def test_an_undefined_variable_is_an_error_at_its_place(tmp_path: Path) -> None:
    root = mmar(tmp_path / "m", {"lrr": 0.3})
    (error,) = legacy(root).diagnostics
    assert error.code == "AM210"
    assert "did you mean `{lrr}`?" in error.help
