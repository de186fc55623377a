"""Programs -> Clara's JSON: what can be said keeps its digest, what cannot is listed at its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from automl_run.dsl import ir
from automl_run.dsl.digest import digest
from automl_run.dsl.evaluate import build_point, infeasible_because, resolve
from automl_run.dsl.legacy import read_automl
from automl_run.dsl.legacy.convert import Unsayable, convert, diagnostics
from automl_run.dsl.legacy.spans import written_at
from automl_run.dsl.load import check, check_automl_config, check_text, load_mmar, parse
from automl_run.dsl.source import Source

CLARA = Path(__file__).resolve().parents[3] / "shared" / "data" / "clara-4.1" / "config"
needs_clara = pytest.mark.skipif(not CLARA.is_dir(), reason=f"the configs of Clara Train 4.1 are not at {CLARA}")

FLOAT = {"domain": "transform", "type": "float", "targets": [0.0, 1.0]}


def meaning(program: ir.Program) -> str:
    """The digest of the configuration and its searches: the study is in another file."""
    return digest(replace(program, study=ir.Study()))


def there_and_back(program: ir.Program) -> ir.Program:
    text = json.dumps(program.to_legacy())
    return parse(text, name="again.json", variables=program.variables)


def model(search: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    args = {"num_classes": 2, "if_use_psp": False, "final_activation": "softmax"}
    return {"train": {"model": {"name": "SegAhnet", "args": args, "search": search, **more}}}


PSP = {"domain": "net", "type": "enum", "args": ["if_use_psp", "final_activation"]}
GUIDE: dict[str, dict[str, Any]] = {
    "grouped enum": model([{**PSP, "targets": [[True, "softmax"], [False, "sigmoid"]]}]),
    "bare string": model([{**PSP, "args": "if_use_psp", "targets": [[True], [False]]}]),
    "first level": {"lr": 0.5, "search": [{**FLOAT, "domain": "lr", "args": ["lr"]}]},
    "lr_search": {"learning_rate": 2e-4, "lr_search": [1e-4, 1e-3]},
    "one float for two": {"train": {"x": {"name": "Foo", "args": {"a": 0.1, "b": 0.2}, "search": [{**FLOAT, "args": ["a", "b"]}]}}},
    "tags": {
        "search": [{**PSP, "args": ["a", "@b"], "targets": [[True, False], [False, True]]}],
        "train": {"loss": [{"name": "DiceLoss", "apply": {"@disabled": "a"}}, {"name": "FocalLoss", "apply": {"@disabled": "@b"}}]},
    },
    "alias": {
        "train": {
            "t": [
                {"name": "A", "args": {"prob": 0.3}, "search": [{**FLOAT, "args": ["prob#p"]}]},
                {"name": "B", "args": {"prob": 0.1}, "apply": {"prob": "p"}},
            ]
        }
    },
    "disabled": {
        "train": {
            "t": [{"name": "A", "args": {}, "search": [{**PSP, "args": ["@disabled"], "targets": [[True], [False]]}], "rank": 0}]
        }
    },
    "lists and components as values": {
        "train": {
            "x": {
                "name": "X",
                "args": {"m": None, "c": [1]},
                "search": [
                    {**PSP, "args": "m", "targets": [[{"name": "A", "args": {"k": 1}}], [None]]},
                    {**PSP, "args": "c", "targets": [[[16, 32]]]},
                ],
            }
        }
    },
    "names": {
        "train": {
            "t": [
                {"name": "Scale#Mine", "args": {"a": 0.5}, "search": [{**FLOAT, "args": "a"}]},
                {"ref": "C"},
                {"name": "low", "args": {"k": 1}},
                {"path": "my.own.C", "args": {"f": "#@model.parameters()", "g": "lambda x: None", "h": {"name": "n", "v": 1}}},
            ]
        }
    },
    "settings": {"train": {"d": {"seed": 0.5, "search": [{**FLOAT, "args": "seed"}]}}},
    "a key and a tag": {
        "lr": 1,
        "search": [{**PSP, "args": ["lr", "t"], "targets": [[0.1, True], [0.2, False]]}],
        "train": {"x": {"name": "X", "args": {}, "apply": {"@disabled": "t"}}},
    },
}


@pytest.mark.parametrize("case", sorted(GUIDE))
def test_the_guides_forms_come_back(case: str) -> None:
    program = parse(json.dumps(GUIDE[case]), name="a.json")
    assert meaning(there_and_back(program)) == meaning(program)
    through_text = parse(program.to_automl())
    assert meaning(there_and_back(through_text)) == meaning(program)


@needs_clara
@pytest.mark.parametrize("name", sorted(path.name for path in CLARA.glob("trn_*.json")))
def test_clara_configs_come_back(name: str) -> None:
    program = check(CLARA / name).unwrap()
    text = program.to_automl()
    again = there_and_back(parse(text, variables=program.variables))
    assert meaning(again) == meaning(program)
    kept = json.loads((CLARA / name).read_text())["validate"]
    assert program.to_legacy()["validate"] == kept


@needs_clara
def test_an_mmar_comes_back(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    for source in (CLARA / "trn_autoML_Enum.json", CLARA / "environment.json", CLARA / "config_automl.json"):
        (config / source.name).write_bytes(source.read_bytes())
    before = load_mmar(tmp_path, settings={"trainconf": "trn_autoML_Enum.json"}).unwrap()
    found = convert(before)
    assert not found.losses
    assert not found.study_losses
    (config / "trn_autoML_Enum.json").write_text(json.dumps(found.training))
    (config / "config_automl.json").write_text(json.dumps(found.automl))
    after = load_mmar(tmp_path, settings={"trainconf": "trn_autoML_Enum.json"}).unwrap()
    assert after.digest == before.digest
    assert after.study == before.study
    alone = check_automl_config(config / "config_automl.json")
    assert alone is not None
    assert alone.unwrap().study.controller == before.study.controller
    assert check_automl_config(config / "trn_autoML_Enum.json") is None


LOSSES = {
    "lr ~ log 1e-4..1e-1": "log scale",
    "n ~ 1..8": "integers",
    "n ~ 0.0..1.0 step 0.25": "steps",
    "n ~ 0.0 | 0.1..0.5": "searches of their own",
    "m ~ A(k ~ 1.0..3.0) | B()": "searches of their own",
    "x ~ 0.0..1.0\ny = x * 2": "computed",
    "b ~ true | false\ny = 1 when b": "condition",
    "a ~ 0.0..1.0\nrequire a < 0.5": "`require`",
    "train { _x = 1 }": "`_`",
    "l = [~ 1 | 2]": "in this place",
    "s { let v ~ 0.0..1.0\na = C(p = v) }": "inside a section",
    "a = A(x ~ 0.0..1.0)\nb = B(y = a.x)": "follows a search elsewhere",
    'a = A(p = 0.0)\nb = B(q = 0.0)\nc = C((x, y) ~ 0.0..1.0)\nn = component("low", k ~ 1..2)': "integers",
}


@pytest.mark.parametrize("text", sorted(LOSSES))
def test_what_cannot_be_said_is_listed_at_its_place(text: str) -> None:
    checked = check_text(text)
    program = checked.unwrap()
    with pytest.raises(Unsayable, match=LOSSES[text]):
        program.to_legacy()
    found = diagnostics(convert(program).losses, written_at(checked.layers), "lost")
    assert found
    for each in found:
        assert each.code == "AM230"
        assert each.severity == "error"
        assert each.span.end > each.span.start


def test_every_loss_is_listed_once() -> None:
    checked = check_text("\n".join(["a ~ 1..2", "b ~ log 0.1..1.0", "c = a * 2", "d = 1 when a == 1", "require a < 2"]))
    found = diagnostics(convert(checked.unwrap()).losses, written_at(checked.layers), "lost")
    text = checked.sources["<text>"].text
    assert [text[each.span.start : each.span.end] for each in found] == text.split("\n")


def test_what_only_the_study_says_is_listed() -> None:
    checked = check_text('study { target = Python("a:b")\nminimize loss\nseed = 3\nbudget { trials = 7 } }\nx ~ 0.0..1.0')
    found = convert(checked.unwrap())
    assert not found.losses
    places = [each.place for each in found.study_losses]
    assert {"study.minimize", "study.seed", "study.budget", "study.target"} <= set(places)
    spans = written_at(checked.layers)
    assert all(place in spans for place in places)


def configurations(program: ir.Program) -> set[str]:
    """Every configuration that a program with choices only allows."""
    out: set[str] = set()
    pending: list[list[int]] = [[]]
    while pending:
        prefix = pending.pop()
        used = iter(prefix)
        more: list[int] = []

        def choose(param: ir.Param, used: Any = used, more: list[int] = more) -> int:
            picked = next(used, None)
            if picked is None:
                assert isinstance(param.domain, ir.Choice)
                more.append(len(param.domain.alts))
                return 0
            return int(picked)

        point = build_point(program, choose)
        if more:
            pending += [[*prefix, at] for at in range(more[0])]
        elif infeasible_because(program, point) is None:
            out.add(repr(resolve(program, point)))
    return out


LOWERED = {
    "n ~ 1..4": 0,
    "n = 0.5 ~ 0.0..1.0 step 0.25": 0,
    "lr ~ log 1e-4..1e-1": 1,
    "n = 5 ~ 1..1000": 1,
    "w = C(d ~ 0.0 | 0.1..0.5)": 1,
    "t { m ~ A(k ~ 1..3) | B(w = 1) }": 0,
    "t { m ~ A(k ~ 1..3, j = 2 * n) | B(w = n)\n n ~ 1..2 }": 0,
    "t { n ~ 1..3\n a = C(k = n * 2)\n b = [D(), E(k = 1) when n > 1] }": 0,
    "t { n ~ 1 | 2 | 4\n k ~ 1..3\n require n * k <= 4 }": 0,
    "t { m ~ A(k ~ 1..2) | B()\n x = C(a = 3 if m is A else 4) }": 0,
    "let n ~ 1..3\nt { x = C(a = n) }": 0,
}


@pytest.mark.parametrize("text", sorted(LOWERED))
def test_lowering_writes_the_values_out(text: str) -> None:
    program = parse(text)
    found = convert(program, mode="lower", grid=4)
    assert found.losses == ()
    assert len(found.lowered) == LOWERED[text]
    lowered = parse(json.dumps(found.training), name="low.json")
    assert all(isinstance(param.domain, ir.Choice) or param.domain.scale == "linear" for param in lowered.params)
    if not found.lowered and all(isinstance(param.domain, (ir.Int, ir.Choice)) for param in program.params):
        choices = ir.Program(program.study, tuple(map(listed, program.params)), program.config, program.requires)
        assert switched(configurations(lowered)) == switched(configurations(choices))


def listed(param: ir.Param) -> ir.Param:
    """A range of integers as a choice of them."""
    if not isinstance(param.domain, ir.Int):
        return param
    values = range(param.domain.lo, param.domain.hi + 1)
    alts = tuple(ir.Alt(str(value), (value,) * len(param.targets)) for value in values)
    return replace(param, domain=ir.Choice(alts, True))


def switched(found: set[str]) -> set[str]:
    """Configurations without their disabled components, which is how Clara leaves one out."""
    off = "ResolvedComponent(cls='E', args={'k': 1}, attrs={'disabled': True}, instance=None)"
    return {text.replace(f", {off}", "").replace("attrs={'disabled': False}", "attrs={}") for text in found}


def test_lowering_says_what_it_cannot() -> None:
    program = parse("a ~ 0.0..1.0\nb ~ true | false\nt { x = C(k = 1 when b) }")
    found = convert(program, mode="lower")
    assert [loss.place for loss in found.losses] == ["t.x.k"]
    assert "condition" in found.lowered[0].message
    huge = "\n".join(f"x{number} ~ 1..60" for number in range(4))
    found = convert(parse(f"{huge}\ny = x0 + x1 + x2 + x3"), mode="lower")
    assert any("combinations" in loss.message for loss in found.lowered)
    assert found.losses


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="{}"), min_size=1, max_size=6)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=8,
)
CLASSES = st.sampled_from(["Net", "net", "my.own.Net", "Net#one", "a.b#two"])


@given(st.dictionaries(WORDS, JSON, max_size=4), CLASSES, WORDS, JSON)
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_any_json_keeps_its_meaning(config: dict[str, object], cls: str, key: str, value: object) -> None:
    item = {**FLOAT, "args": "k"}
    component = {"path" if "." in cls else "name": cls, "args": {"k": 0.25, key: value}, "search": [item]}
    checked = check_text(json.dumps({**config, "net": component}), name="a.json")
    if checked.program is not None:
        assert meaning(there_and_back(checked.program)) == meaning(checked.program)


@given(st.dictionaries(WORDS, JSON, max_size=4), CLASSES, WORDS, JSON)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_said_wrongly(config: dict[str, object], cls: str, key: str, value: object) -> None:
    """Whatever a program holds, its JSON means it or a loss is named."""
    entries: dict[str, ir.ConfigNode] = {name: ir.Const(item) for name, item in config.items()}  # type: ignore[arg-type]
    name, _, instance = cls.partition("#")
    entries["net"] = ir.Component(name, {key: ir.Const(value)}, {key: ir.Const(1)}, instance or None)  # type: ignore[arg-type]
    program = ir.Program(ir.Study(), (), ir.MapNode(entries))
    found = convert(program)
    if not found.losses:
        assert meaning(parse(json.dumps(found.training), name="a.json")) == meaning(program)


def test_the_automl_config_is_read_as_it_was_written() -> None:
    limits = "budget { time = 2h, job_time = 90s, target = 0.9 }"
    text = f'study {{ controller = Reinforcement(max_rounds = 3), keep = 4, out = "o", {limits} }}'
    study = parse(text).study
    automl = convert(parse(text)).automl
    module, found = read_automl(Source("config_automl.json", json.dumps(automl)))
    assert not found
    assert module.body
    assert automl["controller"] == {"name": "ReinforcementController", "args": {"max_rounds": 3}}
    assert automl["max_sys_run_time"] == 7200
    assert automl["max_job_run_time"] == study.budget.job_time_s
