"""Each lint where it belongs, nowhere else, and its fix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl_run.dsl.diagnostics import Diagnostic, Fix
from automl_run.dsl.lint import lint, repair
from automl_run.dsl.lint.repair import apply
from automl_run.dsl.load import check
from automl_run.dsl.source import Span

ROOT = Path(__file__).resolve().parents[2]
HEAD = 'automl 1\nstudy "s" {\n  target = Python("score:train")\n  maximize dice\n  seed = 1\n}\n'


def found(tmp_path: Path, text: str) -> list[Diagnostic]:
    path = tmp_path / "a.automl"
    path.write_text(text, encoding="utf-8")
    checked = check(path)
    assert checked.program is not None, checked.rendered()
    return lint(checked, str(path))


def codes(tmp_path: Path, body: str) -> list[str]:
    return [each.code for each in found(tmp_path, HEAD + body + "\n")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("lr ~ 1e-4..1e-1", "AM901"),
        ("n ~ 1..1000", "AM901"),
        ("t ~ 1s..1h", "AM901"),
        ("x ~ 0.0 | 1e-6..1e-2", "AM901"),
        ("def D = 1e-6..1e-2\nx ~ D", "AM901"),
        ("x = C(y ~ 1..3, z ~ 1e-4..1.0)", "AM901"),
        ("let a ~ 1 | 2\nx ~ 3 | 4", "AM903"),
        ("let a = 3\nx ~ 3 | 4", "AM903"),
        ("def D = 1..3\nx ~ 3 | 4", "AM903"),
        ("x = C(let d = 3, k ~ 1..2)", "AM903"),
        ("let (a, b) ~ (1, 2) | (3, 4)\nx = a", "AM903"),
        ("let d ~ 1..3\nx = C(let d ~ 4..5, k = d)\ny = d", "AM904"),
        ("let i ~ 1..3\nx = [i for i in 1..3]\ny = i", "AM904"),
        ("let i ~ 1..3\ndef f(i) = C(k = i)\nx ~ 1 | 2\nz = f(2)\ny = i", "AM904"),
        ("k ~ 1..3\nx = C(let k ~ 1..2, n = k)", "AM904"),
        ("s {\n  let a ~ 1..3\n  x = a\n}\nlet a ~ 1..3\ny = a", "AM904"),
        ("x = 5 ~ 0..3", "AM905"),
        ("x ~ 3", "AM906"),
        ("x ~ 1 | 2 | 1", "AM908"),
        ("x ~ 1..4\nrequire x < 5", "AM909"),
        ("x ~ 0.0..1.0\nrequire x >= 0.0", "AM909"),
        ("x = 0 ~ 1..4\nrequire x < 1", "AM909"),
        ('x = "3"', "AM911"),
        ("x = [A(), ~ B() | null]", "AM913"),
        ("x = [~ null | B(k ~ 1..2) | C()]", "AM913"),
        ("ensure peak_gpu_memory <= 20", "AM914"),
        ("ensure 20 > peak_memory and dice > 0.5", "AM914"),
        ("study.workers = [[0, 1], [1, 2]]\nx ~ 0.0..1.0", "AM915"),
        ("x ~ 64..161 step 16", "AM916"),
        ("x ~ 16..200 step *2", "AM916"),
        ("x ~ 0.0..1.0 step 0.3", "AM916"),
        ('x ~ "1e-4" | "0.5"', "AM911"),
        ('x = C(a = ["-1"], k ~ 1..2)', "AM911"),
    ],
)
def test_rule_finds(tmp_path: Path, body: str, code: str) -> None:
    assert code in codes(tmp_path, body)


@pytest.mark.parametrize(
    "body",
    [
        "lr ~ log 1e-4..1e-1",
        "lr ~ 1e-3..9e-2",
        "x ~ 0.0..1000.0",
        "x ~ -100.0..1000.0",
        "n ~ 1..1024 step *2",
        "n ~ 1..1000 step 1",
        "n ~ 1..3\nx = [i for i in 1..1000]\ny = n",
        "let a ~ 1 | 2\nx = a",
        "let a ~ 1 | 2\nx ~ 1 | 2\nrequire x < a",
        "let a ~ 1 | 2\nx ~ 1 | 2 when a == 1",
        "def f(i) = C(k = i, p ~ 1..3)\nx = f(2)",
        "x = C(let d ~ 3..5, c = [2 ** i for i in 1..d])",
        "x = [i for i in 1..3]\ny = [i for i in 1..4]\nz ~ 1..2",
        "x = A(k ~ 1..3)\ny = B(k ~ 1..3)",
        "x ~ 1..4\nrequire x < 4",
        "m ~ A(k ~ 1..4) | B()\nrequire m.k < 4",
        'x ~ "a" | "1e" | "v1" | "1.2.3" | ""',
        'x = component("3", k ~ 1..2)',
        '"1" ~ 1..2',
    ],
)
def test_rules_leave_alone(tmp_path: Path, body: str) -> None:
    assert codes(tmp_path, body) == []


def test_a_layer_declares_for_others(tmp_path: Path) -> None:
    (tmp_path / "block.automl").write_text("automl 1\nlet width ~ 1 | 2\ndef P = 0.0..1.0\nx ~ P\n")
    checked = check(tmp_path / "block.automl")
    assert lint(checked, str(tmp_path / "block.automl")) == []
    path = tmp_path / "a.automl"
    path.write_text(HEAD.replace("automl 1", 'automl 1\nuse "block.automl"') + "let extra = 1\n")
    checked = check(path)
    assert checked.program is not None, checked.rendered()
    assert [each.message for each in lint(checked, str(path))] == [
        "nothing reads the `let` `width` of `block.automl`",
        "nothing reads the `let` `extra`",
    ]


@pytest.mark.parametrize(
    ("study", "body", "said"),
    [
        ("budget { trials = 1 }", "x ~ 0.0..1.0", "1 trials"),
        ("", "x ~ 1 | 1.5 | 2", None),
        ("", "x ~ true", "1 points"),
        ("controller = Reinforcement()", "x ~ 0.0..1.0", "here 1"),
        ("controller = Reinforcement()", "x ~ 0.0..1.0\ny ~ 1 | 2", None),
        ("controller = TPE()", "x ~ 0.0..1.0", None),
    ],
)
def test_workers_without_work(tmp_path: Path, study: str, body: str, said: str | None) -> None:
    head = HEAD.replace("seed = 1", f"seed = 1\n  workers = [[0], [1]]\n  {study}")
    advice = [each for each in found(tmp_path, head + body + "\n") if each.code == "AM910"]
    assert len(advice) == (said is not None)
    assert all(said is not None and said in each.message for each in advice)


@pytest.mark.parametrize(("controller", "waits"), [("PBT(population = 2)", True), ("NSGA2(population = 2)", False)])
def test_only_some_wait_for_a_population(tmp_path: Path, controller: str, waits: bool) -> None:
    head = HEAD.replace("seed = 1", f"seed = 1\n  workers = [[0], [1], [2]]\n  controller = {controller}")
    assert ("AM910" in [each.code for each in found(tmp_path, head + "x ~ 0.0..1.0\n")]) == waits


def test_opposite_switches(tmp_path: Path) -> None:
    model = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [8, 16], "strides": [2]}
    losses = [{"name": "DiceLoss", "args": {}}, {"name": "FocalLoss", "args": {}}]
    base = {"epochs": 1, "train": {"model": {"name": "UNet", "args": model}, "loss": losses}}
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config_train.json").write_text(json.dumps(base))
    head = 'automl 1\nuse "config/config_train.json"\nstudy { seed = 1 }\n'
    switches = (
        "let (a, b) ~ (true, false) | (false, true)\ntrain.loss.DiceLoss.@disabled = a\ntrain.loss.FocalLoss.@disabled = b\n",
        "(train.loss.DiceLoss.@disabled, train.loss.FocalLoss.@disabled) ~ (true, false) | (false, true)\n",
    )
    for text in switches:
        (advice,) = [each for each in found(tmp_path, head + text) if each.code == "AM907"]
        assert "train.loss ~ DiceLoss(...) | FocalLoss(...)" in advice.help
    both = "(train.loss.DiceLoss.@disabled, train.loss.FocalLoss.@disabled) ~ (true, false) | (false, false)\n"
    assert "AM907" not in [each.code for each in found(tmp_path, head + both)]


# -- fixes --------------------------------------------------------------------------------------------------------------------

FIXES = {
    "no seed": ("  seed = 1\n}", "}", "  seed = 0\n}"),
    "no seed in a line": (
        'study "s" {\n  target = Python("score:train")\n  maximize dice\n  seed = 1\n}',
        'study "s" { target = Python("score:train"), maximize dice }',
        'study "s" { target = Python("score:train"), maximize dice, seed = 0 }',
    ),
}


@pytest.mark.parametrize("case", sorted(FIXES))
def test_a_seed_is_written(tmp_path: Path, case: str) -> None:
    old, before, after = FIXES[case]
    path = tmp_path / "a.automl"
    path.write_text(HEAD.replace(old, before) + "x ~ 1..3\n")
    digest = check(path).unwrap().digest
    repaired = repair(path)
    assert repaired.text == HEAD.replace(old, after) + "x ~ 1..3\n"
    assert repaired.checked.unwrap().digest == digest
    assert path.read_text() == HEAD.replace(old, before) + "x ~ 1..3\n"


def test_safe_fixes_are_made_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.automl"
    path.write_text(
        HEAD
        + "# kept\nlet a = 1  # gone\nlet b = a\nlet c ~ 1..3\ndef D = 1..2\n\n"
        + "x = C(let p = 1, k ~ 1e-4..1e-1, let q = 2)\n# kept too\n"
    )
    repaired = repair(path)
    assert repaired.text == HEAD + "# kept\nlet c ~ 1..3\n\nx = C(k ~ 1e-4..1e-1)\n# kept too\n"
    assert repaired.made == 5
    assert [each.code for each in repaired.left] == ["AM903", "AM901"]
    path.write_text(repaired.text)
    assert repair(path).text is None


def test_what_changes_the_search_is_offered_only(tmp_path: Path) -> None:
    text = HEAD + 'x ~ 1e-4..1e-1\ny = "3"\nz ~ 3\nw ~ 1 | 2 | 1\nlet v ~ 1..2\n'
    fixed = HEAD + "x ~ log 1e-4..1e-1\ny = 3\nz = 3\nw ~ 1 | 2\n"
    advice = found(tmp_path, text)
    assert [each.code for each in advice] == ["AM901", "AM911", "AM906", "AM908", "AM903"]
    assert not any(fix.safe for each in advice for fix in each.fixes)
    assert apply(text, [each.fixes for each in advice]) == (fixed, 5)
    assert repair(tmp_path / "a.automl").text is None


def test_edits_that_meet_are_not_made_together() -> None:
    first, second = Fix(Span("a", 0, 2), "x"), Fix(Span("a", 1, 3), "y")
    assert apply("abcd", [[first], [second]]) == ("xcd", 1)


#: Not those in run folders, which lie deeper.
EXAMPLES = sorted((ROOT / "examples").glob("*/*.automl"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_clean(path: Path) -> None:
    assert {each.code for each in lint(check(path), str(path))} <= {"AM912"}


@pytest.mark.parametrize(
    "body",
    [
        "x ~ 64..160 step 16",
        "x ~ 16..256 step *2",
        "x ~ 0.0..1.0 step 0.1",
        "x ~ 0.1..0.7 step 0.2",
        "x ~ 1e-4..1e-1 step *10",
        "x = [A(), B() when y]\ny ~ true | false",
        "x = C(a ~ null | B())",
        "x = [~ null | 3]",
        "ensure peak_gpu_memory <= 20GiB\nx ~ 1..3",
        "ensure parameters <= 20\nx ~ 1..3",
        "study.workers = [[0], [0]]\nx ~ 0.0..1.0",
        "study.workers = [[0], [1, 2]]\nx ~ 0.0..1.0",
    ],
)
def test_nothing_is_said_of_what_is_meant_so(tmp_path: Path, body: str) -> None:
    assert codes(tmp_path, body) == []


def test_a_search_of_a_layer_that_nothing_reads(tmp_path: Path) -> None:
    (tmp_path / "base.automl").write_text("automl 1\nlet wide ~ 1..3\nlet deep ~ 1..3\nlet fixed = 3\nnet = wide\n")
    (each,) = found(tmp_path, HEAD.replace("automl 1\n", 'automl 1\nuse "base.automl"\n'))
    assert (each.code, each.message) == ("AM903", "nothing reads the `let` `deep` of `base.automl`")
    assert found(tmp_path, HEAD.replace("automl 1\n", 'automl 1\nuse "base.automl"\n') + "net = deep\nlet wide = 3\n") == []
