"""What two programs mean differently."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_run.dsl.diff import diff, differences, document, render
from automl_run.dsl.load import parse

BASE = """
study { target = Python("a:b")
 maximize dice
 budget { trials = 10 } }
lr ~ log 1e-4..1e-1
m ~ A(k ~ 1..3) | B()
l = [X(), Y(p = 1), Z()]
wd = 0.1
q { a = 1, b = [1, 2] }
require lr < 0.05
y = 2 * m.A.k if m is A else 0
"""

CHANGES: dict[tuple[str, str], list[tuple[str, ...]]] = {
    ("lr ~ log 1e-4..1e-1", "lr = 0.001 ~ log 1e-4..1e-1"): [("parameter", "lr", "baseline", "changed")],
    ("lr ~ log 1e-4..1e-1", "lr = 0.01 ~ 1e-4..1e-1"): [("parameter", "lr", "domain"), ("parameter", "lr", "baseline")],
    ("B()", "B() | C()"): [("parameter", "m", "domain")],
    ("B()", "B(w ~ 0.0..1.0)"): [("parameter", "m[B].w", "", "added")],
    ("A(k ~ 1..3)", "A(k = 2)"): [("parameter", "m[A].k", "", "removed"), ("configuration", "y", "")],
    ("wd = 0.1", "wd ~ 0.1 | 0.2"): [("parameter", "wd", "", "added")],
    ("wd = 0.1", "wd = 0.2"): [("configuration", "wd", "", "changed")],
    ("wd = 0.1", ""): [("configuration", "wd", "", "removed")],
    ("b = [1, 2]", "b = [1, 3]"): [("configuration", "q.b", "")],
    ("Y(p = 1)", "Y(p = 2)"): [("configuration", "l.Y.p", "")],
    ("X(), ", "X(), W(), "): [("configuration", "l", "item", "added")],
    ("X(), ", ""): [("configuration", "l", "item", "removed")],
    ("2 * m.A.k", "3 * m.A.k"): [("configuration", "y", "")],
    ("trials = 10", "trials = 11"): [("study", "budget", "trials")],
    ("maximize dice", "minimize loss"): [("study", "objectives", "")],
    ("trials = 10 }", "trials = 10 }\n seed = 3"): [("study", "seed", "")],
    ("lr < 0.05", "lr < 0.5"): [("require", "", "", "removed"), ("require", "", "", "added")],
    ("require lr < 0.05", 'require lr < 0.05 because "so"'): [("require", "lr < 0.05", "reason")],
    ("lr ~ log 1e-4..1e-1", "lr ~ log 1e-4..1e-1 @net"): [("parameter", "lr", "label")],
}


@pytest.mark.parametrize("change", sorted(CHANGES), ids=lambda change: f"{change[0]} -> {change[1]}".replace("\n", " "))
def test_one_change_is_told(change: tuple[str, str]) -> None:
    before, after = parse(BASE), parse(BASE.replace(*change))
    found = diff(before, after)
    expected = CHANGES[change]
    assert [
        (each.area, each.place, each.what, each.kind)[: len(wanted)] for each, wanted in zip(found, expected, strict=True)
    ] == expected
    assert render(found) == differences(before, after)


def test_conditions_are_told() -> None:
    text = "m ~ A() | B()\nx ~ 1..3 when m is A"
    found = diff(parse(text), parse(text.replace("is A", "is B")))
    assert [(each.place, each.what, each.before, each.after) for each in found][:1] == [("x", "condition", "m is A", "m is B")]
    assert diff(parse(text), parse("x ~ 1..3\nm ~ A() | B()"))[0].after == "always"


def test_the_same_meaning_is_no_difference() -> None:
    assert diff(parse(BASE), parse("\n".join(reversed([*BASE.split("\n")[4:], "\n".join(BASE.split("\n")[:4])])))) == ()
    assert differences(parse(BASE), parse(BASE)) == "both mean the same"
    assert diff(parse("def D = 1..3\nx ~ D"), parse("x ~ 1..3")) == ()


def test_the_table() -> None:
    text = differences(parse(BASE), parse(BASE.replace("wd = 0.1", "wd ~ 0.1 | 0.2").replace("trials = 10", "trials = 5")))
    assert text.split("\n") == [
        "parameters:",
        "  + wd             0.1  ->  0.1 | 0.2",
        "",
        "study:",
        "  ~ budget trials  10  ->  5",
    ]


def test_as_json() -> None:
    before, after = parse("x = 1"), parse("x ~ 1 | 2")
    found = document(before, after)
    assert found["equal"] is False
    assert found["digests"] == [before.digest, after.digest]
    assert found["differences"] == [
        {"area": "parameter", "place": "x", "what": "", "before": "1", "after": "1 | 2", "kind": "added"}
    ]
    assert document(before, before)["equal"] is True


LINES = st.sampled_from(["x ~ 1..3", "x = 2", "y = [1, A(k ~ 1 | 2)]", "y = [A(k = 1)]", "z ~ C() | D(p = x)", "w = 1 when x == 2"])


@given(st.lists(LINES, max_size=4, unique_by=lambda line: line[0]), st.lists(LINES, max_size=4, unique_by=lambda line: line[0]))
@settings(max_examples=80, deadline=None, derandomize=True)
def test_differences_and_digests_agree(before: list[str], after: list[str]) -> None:
    programs = [parse("\n".join(["x = 1"] * (not any(line[0] == "x" for line in lines)) + lines)) for lines in (before, after)]
    found = diff(*programs)
    assert (programs[0].digest != programs[1].digest) <= bool(found)
    assert len(diff(programs[1], programs[0])) == len(found)
    assert diff(programs[0], programs[0]) == ()
