"""How much of a space its `require`s leave: nothing is an error, hardly anything a warning."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from automl_run.dsl.evaluate import infeasible_because
from automl_run.dsl.load import check_text, parse


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("x ~ 0.0..1.0\nrequire x <= 0.5", []),
        ("x = 0.5 ~ 0.0..1.0\nrequire abs(x - 0.5) < 0.00001", [("AM123", "warning")]),
        ("x = 0.5 ~ 0.0..1.0\nrequire abs(x - 0.5) < 0.001", []),
        ("x ~ 1..100000\nrequire x == 5", [("AM123", "warning"), ("AM124", "warning")]),
        ("x = 5 ~ 1..100000\nrequire x == 5", [("AM123", "warning")]),
        ("x ~ 1..100000\nrequire x == 0", [("AM123", "error")]),
        ("x ~ 1..1000\nrequire x == 7", [("AM124", "warning")]),
        ("x = 5 ~ 1..10\ny = 5 ~ 0.0..9.0\nrequire x > 20 or y == 5", [("AM123", "warning")]),
        (
            "(x, y, z) = (1, 1, 1) ~ 1..1000\nlet a = 1 ~ 1..1000\nlet b = 1 ~ 1..1000\nrequire a + b + x < 6",
            [("AM123", "warning")],
        ),
        ("x = 1 ~ 1..9\ny = [i for i in 1..x]\nrequire sum([y[j] for j in 0..x - 1]) < 20", []),
        ("m ~ A(k ~ 0.0..1.0) | B()\nrequire m.A.k < 0.0", [("AM124", "warning")]),
        ("study { baseline = false }\nx ~ 1..100000\nrequire x == 5", [("AM123", "warning")]),
    ],
)
def test_what_is_left(text: str, codes: list[tuple[str, str]]) -> None:
    checked = check_text(text)
    assert [(found.code, found.severity) for found in checked.diagnostics] == codes, checked.rendered()


def test_the_help_counts() -> None:
    assert (
        "1 of all 100000 points is allowed; 99999 are not for this reason"
        in check_text("x = 5 ~ 1..100000\nrequire x == 5").rendered()
    )
    shown = check_text("x = 0.5 ~ 0.0..1.0\nrequire x == 0.5").rendered()
    assert "none of 100000 points are allowed" in shown


def test_a_program_in_order_needs_no_numpy(tmp_path: Path) -> None:
    path = tmp_path / "a.automl"
    path.write_text("automl 1\nx ~ 0.0..1.0\ny ~ 1..9\nrequire x * y < 3\nrequire x > 0.1\n")
    code = f"import sys; from automl_run.dsl.load import load; load({str(path)!r}); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("require", "said"), [("a + n < 3", "a number is needed"), ("(a and n) and a", "a condition is true or false"), ('n < "b"', "")]
)
def test_a_require_of_the_wrong_kind_is_told_where_it_is_written(require: str, said: str) -> None:
    checked = check_text(f"a ~ true | false\nn ~ 1..3\nrequire n >= 1\nrequire {require}\n")
    (found,) = checked.diagnostics
    assert found.code == "AM104"
    assert said in found.message
    assert checked.sources[found.span.file].text[found.span.start : found.span.end] == require


def test_booleans_are_counted() -> None:
    program = parse("(a, b, c) ~ (true, true, false) | (true, false, false)\nrequire sum([a, b, c]) == 2 and int(a) + int(c) == 1")
    assert infeasible_because(program, {"(a,b,c)": 0}) is None
    assert infeasible_because(program, {"(a,b,c)": 1}) is not None
    assert check_text("x = sum([true, true, 1.5])\ny ~ 1..int(true) + 1").ok
    assert [found.code for found in check_text("y = true + 1").diagnostics] != []
