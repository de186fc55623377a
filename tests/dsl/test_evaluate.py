"""Points and concrete configurations of a program."""

from __future__ import annotations

import pytest

from automl_run.dsl import ir
from automl_run.dsl.evaluate import (
    Undefined,
    active_ids,
    baseline_point,
    build_point,
    infeasible_because,
    next_unassigned,
    resolve,
    target_values,
)
from automl_run.dsl.load import parse
from automl_run.dsl.resolved import to_clara, to_plain

NETS = parse("m ~ A(k ~ 1..3) | B(w ~ 8 | 16, d ~ 0.0 | 0.1..0.5)\nlr ~ log 1e-4..1e-2")


def test_activity_follows_the_choice() -> None:
    assert active_ids(NETS, {"m": 0, "m[A].k": 2, "lr": 1e-3}) == ("m", "m[A].k", "lr")
    assert active_ids(NETS, None) == ("m", "m[A].k", "lr")


def test_a_sampler_walks_the_space() -> None:
    point: dict[str, int | float] = {}
    asked = []
    while (param := next_unassigned(NETS, point)) is not None:
        asked.append(param.id)
        point[param.id] = 1 if isinstance(param.domain, (ir.Choice, ir.Int)) else param.domain.lo
    assert asked == ["m", "m[B].w", "m[B].d", "m[B].d[0.1..0.5]", "lr"]
    assert infeasible_because(NETS, point) is None
    assert build_point(NETS, lambda param: point[param.id]) == point


def test_values_outside_and_missing_values_are_infeasible() -> None:
    assert "outside" in str(infeasible_because(NETS, {"m": 0, "m[A].k": 9, "lr": 1e-3}))
    assert "no value" in str(infeasible_because(NETS, {"m": 0, "lr": 1e-3}))
    assert "no alternative" in str(infeasible_because(NETS, {"m": 7, "lr": 1e-3}))


def test_an_expression_without_a_value_makes_a_point_infeasible() -> None:
    program = parse("x ~ 1..3\ny = 6 / (x - 2)")
    assert infeasible_because(program, {"x": 2}) == "division by zero"
    with pytest.raises(Undefined):
        resolve(program, {"x": 2})
    assert resolve(program, {"x": 3}) == {"x": 3, "y": 6.0}


def test_the_baseline_as_a_point() -> None:
    assert baseline_point(parse("x ~ 1..3\ny ~ 4 | 8")) == {"x": 2, "y": 0}
    assert baseline_point(parse("x = 9 ~ 1..3")) is None
    assert baseline_point(parse("x = 9 ~ 1 | 2")) is None


def test_target_values_show_what_was_set() -> None:
    point = {"m": 1, "m[B].w": 1, "m[B].d": 1, "m[B].d[0.1..0.5]": 0.3, "lr": 1e-3}
    assert target_values(NETS, point) == {"m": "B", "m.w": 16, "m.d": 0.3, "lr": 1e-3}


def test_both_spellings_of_a_component() -> None:
    program = parse("m = A(k = 1, @rank = 0)\nn = pkg.B(x = [1])")
    config = resolve(program, None)
    assert to_plain(config) == {"m": {"_target_": "A", "@rank": 0, "k": 1}, "n": {"_target_": "pkg.B", "x": [1]}}
    assert to_clara(config) == {"m": {"name": "A", "rank": 0, "args": {"k": 1}}, "n": {"path": "pkg.B", "args": {"x": [1]}}}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7 // 2", 3),
        ("-7 % 3", 2),
        ("2 ** -1", 0.5),
        ("max(1, 2, 3) + min([4, 5])", 7),
        ("len([1, 2]) + sum([1, 2])", 5),
        ("floor(2.7) + ceil(2.1) + round(2.6)", 8),
        ("sqrt(9.0)", 3.0),
        ("log2(8)", 3.0),
        ("int(2.9)", 2),
        ("float(2)", 2.0),
        ("abs(-3)", 3),
        ('"a" + "b"', "ab"),
        ("[1] + [2]", [1, 2]),
        ("[0] * 3", [0, 0, 0]),
        ("[1, 2, 3][1]", 2),
        ("1 < 2 <= 2", True),
        ("1 < 3 <= 2", False),
        ("1 == true", False),
        ("2 in [1, 2]", True),
        ("3 not in [1, 2]", True),
        ("not true or 1 == 1.0", True),
        ("[i * j for i in [1, 2] if i > 1]", [6]),
        ('{a: 1, "b c": 2}', {"a": 1, "b c": 2}),
    ],
)
def test_expressions(expression: str, value: ir.Value) -> None:
    program = parse(f"let j = 3\nx = {expression}")
    assert resolve(program, None) == {"x": value}
    assert type(resolve(program, None)["x"]) is type(value)


def test_comprehensions_over_parameters() -> None:
    program = parse("d ~ 2..4\nw ~ 8 | 16\nc = [w * 2 ** i for i in 0..d - 1 if i != 1]")
    assert resolve(program, {"d": 3, "w": 1}) == {"d": 3, "w": 16, "c": [16, 64]}
