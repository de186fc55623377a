"""What a program means, and nothing else, is in its digest."""

from __future__ import annotations

import pytest

from automl_run.dsl.load import parse

BASE = 'study "a" {\n target = Python("m:f")\n maximize d\n}\nx ~ 1..3\nm ~ A(k ~ 0.0..1.0) | B()\nrequire x > 1\nrequire x < 3\n'


@pytest.mark.parametrize(
    "same",
    [
        BASE.replace('"a"', '"b"'),
        BASE.replace("maximize d", "maximize d\n workers = [[0], [1]]\n keep = 3\n budget { trials = 9 }"),
        "# a comment\n" + BASE,
        "\n".join(reversed(BASE.strip().split("\n")[4:])) + "\n" + "\n".join(BASE.split("\n")[:4]),
        BASE.replace("x ~ 1..3", "x ~ 1..3 @lr"),
        BASE.replace("require x > 1", 'require x > 1 because "so"').replace(' because "so"', ""),
        BASE.replace("1..3", "1..1 + 2"),
    ],
)
def test_equal(same: str) -> None:
    assert parse(same).digest == parse(BASE).digest


@pytest.mark.parametrize(
    "other",
    [
        BASE.replace("1..3", "1..4"),
        BASE.replace("x ~ 1..3", "x = 3 ~ 1..3"),
        BASE.replace("0.0..1.0", "log 0.1..1.0"),
        BASE.replace("B()", "C()"),
        BASE.replace("maximize", "minimize"),
        BASE.replace("maximize d", "maximize e"),
        BASE.replace("maximize d", "maximize d\n seed = 1"),
        BASE.replace("maximize d", "maximize d\n controller = Grid()"),
        BASE.replace("maximize d", "maximize d\n baseline = false"),
        BASE.replace("m:f", "m:g"),
        BASE.replace("require x < 3\n", ""),
        BASE + "y = 3\n",
    ],
)
def test_different(other: str) -> None:
    assert parse(other).digest != parse(BASE).digest


def test_the_default_of_an_argument_may_be_written() -> None:
    texts = [f"study {{ controller = {name} }}\nx ~ 1..3" for name in ("Reinforcement()", "Reinforcement(max_rounds = 8)")]
    first, second = (parse(text).digest for text in texts)
    assert first == second


def test_a_digest_is_stable() -> None:
    assert len(parse(BASE).digest) == 64
    assert parse(BASE).digest == parse(BASE).digest


def test_the_order_of_exclusive_branches_means_nothing() -> None:
    first = "m ~ A() | B() | C()\nx ~ 1..3 when m is A\nx ~ 5..9 when m is B\nx = 4 when m is C"
    second = "x = 4 when m is C\nx ~ 5..9 when m is B\nm ~ A() | B() | C()\nx ~ 1..3 when m is A"
    assert parse(first).digest == parse(second).digest
    assert parse(first).params == parse(second).params
