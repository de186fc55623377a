"""`--set k=v ...` and the workers."""

from __future__ import annotations

import pytest

from automl_run.dsl.diagnostics import render
from automl_run.dsl.ir import Worker
from automl_run.dsl.legacy import parse_settings, parse_workers
from automl_run.dsl.printer import print_statement
from automl_run.errors import InputError


def test_settings_are_typed() -> None:
    pairs = ["run_id=a", "workers=0:1", "traceout=both", "engTrace=true", "trainconf=f.json"]
    settings = parse_settings([*pairs, "epochs=10", "amp=false", "DATA_ROOT=/data/x=y", "empty="])
    assert settings.run_id == "a"
    assert settings.workers == (Worker(gpus=(0,)), Worker(gpus=(1,)))
    assert (settings.trace, settings.engine_trace, settings.trainconf) == ("both", True, "f.json")
    assert settings.variables == {"epochs": 10, "amp": False, "DATA_ROOT": "/data/x=y", "empty": ""}
    assert settings.paths == {}


def test_nothing_set() -> None:
    settings = parse_settings([])
    assert (settings.run_id, settings.workers, settings.trace, settings.trainconf) == (None, None, None, None)
    assert settings.layer({"epochs"})[1].body == ()


def test_a_later_one_wins() -> None:
    settings = parse_settings(["run_id=a", "k=1", "workers=0", "train.a.b=1", "run_id=test1", "k=2", "workers=0:1", "train.a.b=2"])
    assert settings.run_id == "test1"
    assert settings.workers is not None
    assert len(settings.workers) == 2
    assert settings.variables == {"k": 2}
    assert settings.paths == {"train.a.b": "2"}


def test_a_run_id_stays_text() -> None:
    assert parse_settings(["run_id=007"]).run_id == "007"


def test_what_is_no_json_is_text() -> None:
    settings = parse_settings(["a=NaN", "b=1e3", "c=null", "d=01", 'e="q"', "f={g}/h", "i=[1, {}]"])
    assert settings.variables == {"a": "NaN", "b": 1000.0, "c": None, "d": "01", "e": "q", "f": "{g}/h", "i": [1, {}]}


def test_dotted_keys_and_keys_of_the_first_level_are_bindings() -> None:
    settings = parse_settings(
        ["epochs=3", "x=1", "train.t.RandFlipd[1].prob=0.5", "train.m.@disabled=true", "train.n=abc", 'train["k"].l=[1]']
    )
    source, module = settings.layer({"epochs", "learning_rate"})
    assert [print_statement(statement) for statement in module.body] == [
        "epochs = 3",
        "train.t.RandFlipd[1].prob = 0.5",
        "train.m.@disabled = true",
        'train.n = "abc"',
        'train["k"].l = [1]',
    ]
    places = [source.text[statement.span.start : statement.span.end] for statement in module.body]
    assert places[1] == "train.t.RandFlipd[1].prob=0.5"


def test_settings_that_nothing_reads() -> None:
    settings = parse_settings(["worker=0:1", "epochs=1", "foo=1", "train.a=1"])
    found = settings.unread({"epochs", "fool"})
    assert [(diagnostic.severity, diagnostic.help) for diagnostic in found] == [
        ("error", "did you mean `workers`?"),
        ("warning", "did you mean `fool`?"),
    ]
    assert "3 | foo=1\n  | ^^^ unused" in render(found[1], {"--set": settings.source})


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("novalue", "`name=value` was expected"),
        ("=x", "`name=value` was expected"),
        ("a b=1", "space"),
        ("3x=1", "no name of a variable"),
        ("traceout=bot", "did you mean `both`?"),
        ("run_id=", "empty"),
        ("trainconf= ", "empty"),
        ("engTrace=maybe", "true or false"),
        ("k=[1, 2", "not JSON"),
        ("train.a=[1, 2", "not JSON"),
        ("train..a=1", "no part of a path"),
        (".a.b=1", "no part of a path"),
        ("train.a[x]=1", "no part of a path"),
        ("train.=1", "no part of a path"),
        ("k=1e999", ""),
    ],
)
def test_a_wrong_setting(pair: str, words: str) -> None:
    if pair == "k=1e999":
        assert parse_settings([pair]).variables == {"k": "1e999"}
        return
    with pytest.raises(InputError) as caught:
        parse_settings([pair])
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("0", [(0,)]),
        ("0:1", [(0,), (1,)]),
        ("0,1:2,3", [(0, 1), (2, 3)]),
        ("0:0:1:1", [(0,), (0,), (1,), (1,)]),
        ("3,1,2:7", [(3, 1, 2), (7,)]),
    ],
)
def test_workers(text: str, gpus: list[tuple[int, ...]]) -> None:
    assert [worker.gpus for worker in parse_workers(text)] == gpus


def test_workers_on_the_cpu() -> None:
    assert parse_workers("cpu(4):cpu(2)") == (Worker(threads=4), Worker(threads=2))
    assert parse_workers("0:cpu(1)") == (Worker(gpus=(0,)), Worker())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cpu", "worker 1 (`cpu`): write `cpu(4)`"),
        ("0:cpu(0)", "worker 2 (`cpu(0)`): write `cpu(4)`"),
        ("cpu(2),1", "worker 1 (`cpu(2),1`): write `cpu(4)`"),
        ("", "worker 1 has no GPU"),
        (":", "worker 1 has no GPU"),
        ("0:", "worker 2 has no GPU"),
        ("0::1", "worker 2 has no GPU"),
        ("0:,1", "worker 2 (`,1`) has an empty GPU id at place 1"),
        ("0,:1", "worker 1 (`0,`) has an empty GPU id at place 2"),
        ("0:-1", "`-1` is not a GPU id; a GPU id is not negative"),
        ("a", "`a` is not a GPU id"),
        ("0, 1", "` 1` is not a GPU id"),
        ("1.5", "`1.5` is not a GPU id"),
        ("٣", "is not a GPU id"),
        ("99999", "is not a GPU id"),
        ("0:1,2,1", "worker 2 (`1,2,1`) names GPU 1 twice"),
        ("00,0", "names GPU 0 twice"),
    ],
)
def test_wrong_workers(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_workers(text)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"workers={text}: ")
