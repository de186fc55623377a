"""Components that stand under conditions: their places, and asking which one is there."""

from __future__ import annotations

import pytest

from automl_run.dsl.load import Checked, check_text, parse

TWO = "n ~ 1..3\nm = A(k ~ 4..5) if n > 1 else B(w ~ 6..7)\n"
THREE = "n ~ 1..3\nm = A(k ~ 4..5) if n > 2 else B(w ~ 6..7) if n > 1 else C(z = 8)\n"


def configs(text: str) -> list[dict[str, object]]:
    program = parse(text)
    return [dict(program.resolve(point)) for point in program.sample(80, seed=2)]


@pytest.mark.parametrize(
    "text",
    [
        TWO + "r = m.A.k if m is A else m.B.w",
        TWO + "r = m.k if n > 1 else m.w",
        TWO + "r = m.B.w if m is not A else m.A.k",
        THREE + "r = m.A.k if m is A else m.B.w if m is B else 8",
        THREE + "r = 8 if m is C else m.B.w if m is B else m.A.k if m is A else 0",
    ],
)
def test_a_branch_is_a_place_and_is_knows_which(text: str) -> None:
    found = configs(text)
    assert {config["r"] for config in found} == ({4, 5, 6, 7} if "C(" not in text else {4, 5, 6, 7, 8})
    for config in found:
        component = config["m"]
        assert isinstance(component, dict)
        assert config["r"] in component.values()


def test_activity_follows_the_branch() -> None:
    for config in configs(THREE + "x ~ 1..2 when m is B\nrequire m.B.w > 6"):
        component = config["m"]
        assert isinstance(component, dict)
        assert ("x" in config) == (component["_target_"] == "B")
        assert component.get("w", 7) == 7


def codes(checked: Checked) -> list[str]:
    return [found.code for found in checked.diagnostics]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (TWO + "r = m.A.k", "AM130"),
        (TWO + "r = m.B.w if m is A else 0", "AM130"),
        (THREE + "r = m.B.w if n > 1 else 0", "AM130"),
        ("m = A(k = 1)\nr = m.A.k", "AM203"),
    ],
)
def test_reading_another_branch_is_refused(text: str, code: str) -> None:
    assert codes(check_text(text)) == [code]
