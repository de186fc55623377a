"""Programs built in Python are the programs of the text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl_run.dsl.build import C, Expr, Program, Search, Study, between, call, cpu, expr, log, oneof, when
from automl_run.dsl.load import check, parse
from automl_run.errors import InputError, ProgramError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_the_complete_example() -> None:
    p = Program(folder=EXAMPLES / "brain_tissue").use("config/config_train.json")
    with p.study("test1") as s:
        s.maximize("val_mean_dice")
        s.budget(trials=40, time="12h")
        s.controller = C("Reinforcement", max_rounds=3)
        s.workers = [[0], [1]]
        s.seed = 7
    p["learning_rate"].search(log(1e-4, 1e-3), baseline=2e-4)
    p["train.model.if_use_psp", "train.model.final_activation"].search(
        oneof((True, "softmax"), (False, "sigmoid")), baseline=(False, "softmax")
    )
    p["train.pre_transforms.RandomAxisFlip.probability"].search(between(0.0, 1.0), baseline=0.0)
    text = """automl 1
use "config/config_train.json"
study "test1" {
  maximize val_mean_dice
  budget { trials = 40, time = 12h }
  controller = Reinforcement(max_rounds = 3)
  workers = [[0], [1]]
  seed = 7
}
learning_rate = 2e-4 ~ log 1e-4..1e-3
(train.model.if_use_psp, train.model.final_activation) = (false, "softmax") ~ (true, "softmax") | (false, "sigmoid")
train.pre_transforms.RandomAxisFlip.probability = 0.0 ~ 0.0..1.0
"""
    from automl_run.dsl.load import check_text

    written = check_text(text, folder=EXAMPLES / "brain_tissue").unwrap()
    assert p.digest == written.digest
    assert p.program().study == written.study
    assert check_text(p.to_automl(), folder=EXAMPLES / "brain_tissue").unwrap().digest == p.digest


def test_the_page_on_the_builder() -> None:
    page = (EXAMPLES.parent / "docs" / "builder.md").read_text()
    names: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], names)
    text = page.split("```automl\n")[1].split("```")[0]
    assert names["p"].to_automl() == text
    assert parse(text).digest == names["program"].digest


def test_gpu_hours_are_a_number() -> None:
    p = Program()
    with p.study() as s:
        s.budget(gpu_hours=2.5)
    p["x"].search(between(0.0, 1.0))
    assert p.program().study.budget.gpu_hours == 2.5


def test_everything_at_once() -> None:
    p = Program()
    with p.study() as s:
        s.target = C("Python", "pkg.mod:fn")
        s.minimize("loss")
        s.workers = [cpu(2), cpu(2)]
        s.budget(trials=7, time=timedelta(hours=1), job_time=90, patience=3)
        s.controller = "TPE"
    roi = p.let("roi", between(64, 160, step=16), baseline=96)
    low, high = p.lets(("low", "high"), oneof((0.1, 0.5), (0.2, 0.9)))
    p["m"] = (
        C("U", patch=[roi, roi], act="relu")
        .let("d", between(3, 5))
        .set("c", expr("[2 ** i for i in 1..d]"))
        .search(("a", "b"), oneof((1, "x"), (2, "y")), baseline=(2, "y"))
    )
    p["net"].search(oneof(C("A", k=between(1, 3)), C("pkg.mod.B").search("w", log(1, 64, times=2)), C("low#one", **{"a b": 1})))
    p["t"] = [when(C("X", p=between(0.0, 0.5).baseline(0.1)), p["net"].is_("A")), oneof(1, 2), C("Y", **{"@disabled": True})]
    p["off"].search(oneof(0.0, log(1e-6, 1e-2)))
    p['s["my-key"].x'].search(oneof(1, 2), tag="lr")
    p["y"].set(roi * 2 + 1, when=p["net"].is_("A"))
    p["z"] = (low + high).if_(p["net"].is_("B"), call("max", [1, 2]))
    p["d"] = {"a": None, "b": [1, (2, 3)], "c": np.float64(0.5), "n": np.int64(3), "f": np.bool_(True)}
    p.require(((roi % 32 == 0) | p["net"].is_("A")) & ~(low > 0.15), because="memory")
    text = """
study {
  target = Python("pkg.mod:fn")
  minimize loss
  workers = [cpu(2), cpu(2)]
  budget { trials = 7, time = 1h, job_time = 90s, patience = 3 }
  controller = TPE()
}
let roi = 96 ~ 64..160 step 16
let (low, high) ~ (0.1, 0.5) | (0.2, 0.9)
m = U(patch = [roi, roi], act = "relu", let d ~ 3..5, c = [2 ** i for i in 1..d], (a, b) = (2, "y") ~ (1, "x") | (2, "y"))
net ~ A(k ~ 1..3) | pkg.mod.B(w ~ log 1..64 step *2) | component("low#one", "a b" = 1)
t = [X(p = 0.1 ~ 0.0..0.5) when net is A, ~ 1 | 2, Y(@disabled = true)]
off ~ 0.0 | log 1e-6..1e-2
s["my-key"].x ~ 1 | 2 @lr
y = roi * 2 + 1 when net is A
z = low + high if net is B else max([1, 2])
d = {a: null, b: [1, [2, 3]], c: 0.5, n: 3, f: true}
require (roi % 32 == 0 or net is A) and not low > 0.15 because "memory"
"""
    written = parse(text)
    assert p.program().study == written.study
    assert p.program().params == written.params
    assert p.digest == written.digest
    assert parse(p.to_automl()).digest == p.digest


def test_layers_and_insertion(tmp_path: Path) -> None:
    (tmp_path / "base.automl").write_text("automl 1\nl = [A(), T()]\nx = 3\n")
    (tmp_path / "top.automl").write_text('automl 1\nuse "base.automl"\nl += [B(), C(p ~ 1..3)] before T\nx ~ 1..9\n')
    p = Program(folder=tmp_path).use("base.automl")
    p["l"].append([C("B"), C("C", p=between(1, 3))], before="T")
    p["x"].search(between(1, 9))
    assert p.digest == check(tmp_path / "top.automl").unwrap().digest


def test_operators_are_the_languages() -> None:
    p = Program()
    a = p.let("a", between(1, 9))
    built: list[Expr] = [
        a + 1, 1 + a, a - 1, 1 - a, a * 2, 2 * a, a / 2, 2 / a, a // 2, 20 // a, a % 2, 20 % a, a**2, 2**a, -a,
        a == 1, a != 1, a < 1, a <= 1, a > 1, a >= 1, a.in_([1, 2]), (a > 1) & (a < 3), (a > 1) | (a < 3), ~(a > 1),
        expr("[1, 2, 3]")[a - a],
    ]  # fmt: skip
    written = (
        "a + 1, 1 + a, a - 1, 1 - a, a * 2, 2 * a, a / 2, 2 / a, a // 2, 20 // a, a % 2, 20 % a, a ** 2, 2 ** a, -a, "
        "a == 1, a != 1, a < 1, a <= 1, a > 1, a >= 1, a in [1, 2], a > 1 and a < 3, a > 1 or a < 3, not a > 1, [1, 2, 3][a - a]"
    )
    p["l"] = built
    assert p.digest == parse(f"let a ~ 1..9\nl = [{written}]").digest


def study_with(**keys: Any) -> None:
    with Program().study() as s:
        for key, value in keys.items():
            setattr(s, key, value)


def twice(program: Program) -> None:
    program["x"] = 1
    program["x"] = 2


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "empty range": (lambda: between(1, 1), "not below"),
    "log from zero": (lambda: log(0.0, 1.0), "above zero"),
    "not a number": (lambda: between("1", 2), "is a number"),  # type: ignore[arg-type]
    "a bool": (lambda: between(False, 2), "is a number"),
    "infinite": (lambda: between(0.0, float("inf")), "finite"),
    "two steps": (lambda: between(1, 9, step=2, times=2), "not both"),
    "no alternative": (lambda: oneof(), "needs alternatives"),
    "one list": (lambda: oneof([1, 2]), "oneof(a, b)"),
    "a baseline inside": (lambda: oneof(between(1, 2).baseline(1)), "whole search"),
    "no domain": (lambda: Program()["x"].search(3), "needs a domain"),  # type: ignore[arg-type]
    "a search as value of a dict": (lambda: Program()["x"].set({"a": between(1, 2)}), "argument of C"),
    "arity": (lambda: Program()["a", "b"].search(oneof((1, 2, 3))), "3 values for 2"),
    "an object": (lambda: Program()["x"].set(object()), "no value of a configuration"),
    "a class": (lambda: Program()["x"].set(dict), "named by text"),
    "nan": (lambda: C("A", k=float("nan")), "not finite"),
    "a huge integer": (lambda: C("A", k=2**70), "64 bits"),
    "a key that is no text": (lambda: C("A", k={1: 2}), "is text"),
    "half a character": (lambda: C("A", k="\ud800"), "surrogate"),
    "an array": (lambda: C("A", k=np.zeros(3)), "ndarray"),
    "no class": (lambda: C(""), "is a name"),
    "an argument twice": (lambda: C("A", k=1).search("k", between(1, 2)), "given twice"),
    "a bad path": (lambda: Program()["a b"].set(1), "is no path"),
    "a bad expression": (lambda: expr("1 +"), "is no expression"),
    "bound twice": (lambda: twice(Program()), "bound twice"),
    "a let twice": (lambda: (p := Program(), p.let("a", 1), p.let("a", 2)), "bound twice"),
    "a let that is no word": (lambda: Program().let("a b", 1), "no name"),
    "a fixed let with a baseline": (lambda: Program().let("a", 1, baseline=2), "no baseline"),
    "truth": (lambda: bool(Program().let("a", between(1, 2)) > 1), "`&`"),
    "iteration": (lambda: list(Program().let("a", between(1, 2))), "gone through"),
    "no condition": (lambda: Program().require(3), "a condition"),  # type: ignore[arg-type]
    "no edition": (lambda: Program(2), "no edition"),
    "an unknown function": (lambda: call("sqr", 2), "sqrt"),
    "an unknown key": (lambda: study_with(sed=3), "did you mean `seed`"),
    "an unknown limit": (lambda: Study().budget(trails=3), "did you mean `trials`"),
    "a time without a unit": (lambda: Study().budget(time="12"), "with a unit"),
    "no metric": (lambda: Study().maximize(3), "name of a metric"),  # type: ignore[arg-type]
    "two studies": (lambda: [program.study().__enter__() for program in [with_study(Program())]], "one study"),
    "items that are none": (lambda: Program()["x"].append("abc"), "list of items"),
    "when outside a list": (lambda: Program()["x"].set(when(1, expr("a > 1"))), "list items"),
    "alternatives joined by or": (lambda: Program()["x"].search(Search((expr("1 or 2").tree,))), "separated by"),
}


def with_study(program: Program) -> Program:
    with program.study():
        pass
    return program


@pytest.mark.parametrize("case", sorted(WRONG))
def test_wrong_use_is_refused_at_the_call(case: str) -> None:
    make, words = WRONG[case]
    with pytest.raises(InputError) as caught:
        make()
    assert words in str(caught.value)
    assert not isinstance(caught.value, ProgramError)


def test_what_only_the_whole_shows_points_into_the_text() -> None:
    p = Program()
    p["x"] = p["y"] * 2
    with pytest.raises(ProgramError) as caught:
        p.program()
    assert "<builder>:2:5" in str(caught.value)


NUMBERS = st.integers(-100, 100) | st.floats(-100, 100, allow_nan=False)
DATA = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b c", "@x"]), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def domains(draw: st.DrawFn) -> tuple[Search, str]:
    """A domain as the builder makes it and as the text has it."""
    kind = draw(st.sampled_from(["int", "real", "log", "step", "values", "mixed"]))
    lo = draw(st.integers(1, 5))
    hi = lo + draw(st.integers(4, 9))
    match kind:
        case "int":
            return between(lo, hi), f"{lo}..{hi}"
        case "real":
            return between(lo / 2, float(hi)), f"{lo / 2}..{float(hi)}"
        case "log":
            return log(lo / 10, float(hi)), f"log {lo / 10}..{float(hi)}"
        case "step":
            return between(lo, hi, step=2), f"{lo}..{hi} step 2"
        case "mixed":
            return oneof(0.0, log(lo / 10, 1.0), "off"), f'0.0 | log {lo / 10}..1.0 | "off"'
        case _:
            return oneof(lo, hi, None, True), f"{lo} | {hi} | null | true"


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "s.t.u"]), domains()), max_size=3, unique_by=lambda each: each[0]),
    st.lists(st.tuples(st.sampled_from(["A", "B", "p.q.C"]), domains()), min_size=2, max_size=3, unique_by=lambda each: each[0]),
    DATA,
    st.booleans(),
)
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_generated_programs_equal_their_text(
    searches: list[tuple[str, tuple[Search, str]]], classes: list[tuple[str, tuple[Search, str]]], data: object, guarded: bool
) -> None:
    p, lines = Program(), []
    for path, (domain, text) in searches:
        p[path].search(domain)
        lines.append(f"{path} ~ {text}")
    p["m"].search(oneof(*(C(cls, k=domain) for cls, (domain, _) in classes)))
    lines.append("m ~ " + " | ".join(f"{cls}(k ~ {text})" for cls, (_, text) in classes))
    short = classes[0][0].rpartition(".")[2]
    if guarded:
        p["g"].search(between(1, 3), when=p["m"].is_(short), baseline=3)
        lines.append(f"g = 3 ~ 1..3 when m is {short}")
    p["data"] = data
    written = parse("\n".join([*lines, "data = 0"]))
    assert p.program().params == written.params
    assert parse(p.to_automl()).digest == p.digest
    assert parse(p.program().to_automl()).digest == p.digest
