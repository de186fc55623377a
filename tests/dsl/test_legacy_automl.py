"""config_automl.json -> `study { ... }`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl_run.dsl.ast import Module
from automl_run.dsl.diagnostics import Diagnostic
from automl_run.dsl.legacy import read_automl, train_config_file
from automl_run.dsl.printer import print_module
from automl_run.dsl.source import Source

CLARA = Path(__file__).resolve().parents[3] / "shared" / "data" / "clara-4.1" / "config"
needs_clara = pytest.mark.skipif(not CLARA.is_dir(), reason=f"the configs of Clara Train 4.1 are not at {CLARA}")

CONFIG = {
    "handlers": [
        {
            "name": "MMARHandler",
            "args": {
                "num_mmars_to_keep": 30,
                "stop_threshold": 1.0,
                "work_dir": "/models",
                "train_config_file": "{trainconf}",
                "key_mmar_content_only": True,
            },
        },
        {"name": "StatsHandler"},
        {"name": "MMARStatsHandler", "disabled": True},
    ],
    "executor": {"name": "MMARExecutor", "args": {"msg_destination": "file", "remove_search_augs": True}},
    "controller": {"name": "ReinforcementController", "args": {"max_rounds": 8}},
}


def read(config: object) -> tuple[Module, list[Diagnostic]]:
    return read_automl(Source("a.json", config if isinstance(config, str) else json.dumps(config)))


def test_the_study_of_a_whole_config() -> None:
    module, diagnostics = read(CONFIG)
    assert diagnostics == []
    text = " ".join(print_module(module).split())
    assert text.startswith('study { keep = 30 out = "/models" handlers = [ MMARHandler( num_mmars_to_keep = 30, ')
    assert "StatsHandler(), ] executor = MMARExecutor(" in text
    assert "controller = Reinforcement(max_rounds = 8)" in text
    assert text.endswith("budget { target = 1.0 } }")
    assert train_config_file(module) == "{trainconf}"


@pytest.mark.parametrize("name", ["Grid", "Random", "TPE", "GridController", "Reinforcement"])
def test_our_own_controllers_have_their_names(name: str) -> None:
    module, diagnostics = read({"controller": {"name": name}})
    assert diagnostics == []
    assert f"controller = {name.removesuffix('Controller')}()" in print_module(module)


def test_limits_of_time_become_the_budget() -> None:
    module, diagnostics = read({"max_job_run_time": 60, "max_sys_run_time": 3600})
    assert diagnostics == []
    assert " ".join(print_module(module).split()) == "study { budget { job_time = 60s, time = 3600s } }"


def test_an_empty_config_says_nothing() -> None:
    module, diagnostics = read({})
    assert (module.body, diagnostics) == ((), [])
    assert train_config_file(module) is None


@pytest.mark.parametrize(
    ("config", "code", "mark", "words"),
    [
        ({"controller": {"path": "Controller"}}, "AM201", '"Controller"', "a class with its module"),
        ({"handlers": [{"name": "x", "path": 3}]}, "AM201", "3", "myModule.MyClass"),
        ({"handlers": [{"name": "StatsHandler", "args": {"k": 3}}]}, "AM203", '"k"', "no argument"),
        ({"controller": {"name": "RienforcementController"}}, "AM220", '"RienforcementController"', "`ReinforcementController`"),
        ({"handlers": [{"name": "StatHandler"}]}, "AM220", '"StatHandler"', "did you mean `StatsHandler`?"),
        ({"executor": {"name": "Executor"}}, "AM220", '"Executor"', "MMARExecutor"),
        ({"controler": {}}, "AM208", '"controler"', "did you mean `controller`?"),
        ({"controller": {"nmae": "Grid"}}, "AM208", '"nmae"', "did you mean `name`?"),
        ({"controller": {}}, "AM201", "{", "no `name`"),
        ({"controller": {"name": 3}}, "AM201", "3", "string"),
        ({"controller": "Grid"}, "AM201", '"Grid"', "an object"),
        ({"controller": {"name": "ReinforcementController", "args": {"max_rounds": 0}}}, "AM221", "0", "whole number"),
        ({"controller": {"name": "ReinforcementController", "args": {"max_rounds": "8"}}}, "AM221", '"8"', "whole number"),
        ({"handlers": {}}, "AM201", "{}", "list"),
        ({"handlers": [{"name": "MMARHandler", "args": {"num_mmars_to_keep": 0}}]}, "AM221", "0", "whole number"),
        ({"handlers": [{"name": "MMARHandler", "args": {"stop_threshold": "high"}}]}, "AM221", '"high"', "a number"),
        ({"handlers": [{"name": "MMARHandler", "args": {"stop_treshold": 1}}]}, "AM203", '"stop_treshold"', "`stop_threshold`"),
        ({"executor": {"name": "MMARExecutor", "args": {"msg": 1}}}, "AM203", '"msg"', "no argument"),
        ({"max_job_run_time": -1}, "AM221", "-1", "seconds"),
        ([1], "AM201", "[1]", "an object"),
        ("{", "AM200", "{", "ends"),
    ],
)
def test_a_mistake_is_told_at_its_place(config: object, code: str, mark: str, words: str) -> None:
    text = config if isinstance(config, str) else json.dumps(config)
    _, diagnostics = read(text)
    assert [diagnostic.code for diagnostic in diagnostics] == [code]
    found = diagnostics[0]
    assert text[found.span.start : found.span.end] == mark
    assert words in f"{found.message} {found.label} {found.help}"


def test_several_mistakes_in_one_run() -> None:
    _, diagnostics = read({"handlers": [{"path": "B"}, {"name": "X"}], "controller": {"path": "C"}})
    assert [diagnostic.code for diagnostic in diagnostics] == ["AM201", "AM220", "AM201"]


def test_classes_of_ones_own_are_taken_as_they_are() -> None:
    module, diagnostics = read(
        {
            "handlers": [{"name": "x", "path": "my.Handler", "args": {"k": 3}}],
            "executor": {"path": "my.Executor"},
            "controller": {"name": "mine", "path": "my.Controller", "args": {"max_rounds": 8}},
        }
    )
    assert diagnostics == []
    text = " ".join(print_module(module).split())
    assert text == ("study { handlers = [my.Handler(k = 3)] executor = my.Executor() controller = my.Controller(max_rounds = 8) }")


@needs_clara
def test_real_configs() -> None:
    for name in ("config_automl.json", "config_automl_BYO_handler.json", "config_automl_BYO_RandomController.json"):
        module, diagnostics = read((CLARA / name).read_text(encoding="utf-8"))
        assert diagnostics == []
        assert train_config_file(module) == "{trainconf}"
