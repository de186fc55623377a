"""Every mistake is one error, with its code, at its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl_run.dsl.load import Checked, check, check_text


def codes(checked: Checked) -> list[str]:
    return [found.code for found in checked.diagnostics if found.severity == "error"]


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        # names
        ("x = foo", "AM101", "foo"),
        ("x = abss(3)", "AM102", "abss"),
        ("def f(i) = C(a = i)\nx = f()", "AM103", "f()"),
        ("def f(i) = C(a = i)\nx = f(1, 2)", "AM103", "f(1, 2)"),
        ("def f(i) = C(a = i)\nx = f(j = 1)", "AM203", "j = 1"),
        ("def f(i) = f(i)\nx = f(1)", "AM121", "f(i)\n"),
        ("def D = 0.0..1.0\nx = D", "AM114", "D\n"),
        ("x = C(3)", "AM115", "3"),
        # types and ranges
        ("x = 0.5 ~ 0..1", "AM104", "0..1"),
        ("x = true ~ 0..1", "AM104", "0..1"),
        ('x ~ "a".."b"', "AM104", '"a"'),
        ("x ~ 1..3 step 0.5", "AM104", "0.5"),
        ("x = 3 when 1", "AM104", "1"),
        ("x ~ 1..3\ny = 3 if x else 4", "AM104", "x else"),
        ("m = A()\ny = m + 1", "AM104", "m + 1"),
        ("x ~ 1 | 2\ny = 3 when z is 1\nz = 4", "AM104", "z is"),
        ("x ~ log 1e-3..1e-4", "AM105", "1e-3"),
        ("x ~ 3..3", "AM105", "3..3"),
        ("x ~ log 0.0..1e-4", "AM106", "0.0"),
        ("x = 1 / 0", "AM107", "1 / 0"),
        ("x = 2 ** 2000", "AM107", "2 ** 2000"),
        ("x ~ 1..3 step 5", "AM107", "5"),
        ("x ~ 1mm..3h", "AM109", "1mm"),
        # paths
        ("m ~ A(k ~ 1..3) | B()\nz = 1 when m is C", "AM110", "C\n"),
        ("x = 3\nx.y = 4", "AM110", "y"),
        ("x = 1\nx = 2", "AM111", "x = 2"),
        ("(x, y) ~ 0.0..1.0\nx = 2", "AM111", "x = 2"),
        ("x = C(a = 1, a = 2)", "AM111", "a = 2"),
        ("let v ~ 1..3\nlet v = 4", "AM111", "v = 4"),
        ("m ~ A() | B()\nx = 3 when m is A\nx = 4 when m is not B", "AM111", "x = 4"),
        ("t = [A(p = 1), A(p = 2)]\nt.A.p ~ 3..4", "AM112", "A.p"),
        ("t = [A(p = 1), A(p = 2)]\nt.A[5].p ~ 3..4", "AM112", "A[5]"),
        ("m ~ A(k ~ 1..3) | B(k ~ 1..3)\ny = m.k", "AM113", "k\n"),
        ("x = 3\nx += [1]", "AM116", "x +="),
        # binding times and activity
        ("a ~ 1..3\nb ~ 0..a", "AM120", "a\n"),
        ("a ~ 1..3\nb ~ 1 | a", "AM120", "a\n"),
        ("x = y + 1\ny = x * 2", "AM121", "y + 1"),
        ("x = x + 1", "AM121", "x + 1"),
        ("x ~ 1..3 when y > 1\ny ~ 1..3 when x > 1", "AM121", "y > 1"),
        ("let m = A(k = m)\nx = m", "AM121", "m)"),
        ("x ~ 1..3\nrequire 1 > 2", "AM122", "1 > 2"),
        ("x ~ 1..3\nrequire x > 5", "AM123", "x > 5"),
        ("m ~ A(k ~ 1..3) | B()\ny = m.k + 1", "AM130", "m.k"),
        ("x ~ 1..3 when false\ny = x", "AM130", "x\n"),
        # variables
        ('x = "{FOO}/a"', "AM210", "{FOO}"),
        # what edition 1 has and this version does not carry out
        ("t = [C(a = i) for i in [~ 1 | 2]]", "AM199", "~ 1 | 2"),
    ],
)
def test_one_error_at_its_place(text: str, code: str, at: str) -> None:
    text += "\n"
    checked = check_text(text)
    assert codes(checked) == [code], checked.rendered()
    (found,) = [found for found in checked.diagnostics if found.severity == "error"]
    assert text[found.span.start :].startswith(at) or at in text[found.span.start : found.span.end + 8], checked.rendered()
    assert checked.program is None


def test_a_duplicate_shows_both_places() -> None:
    rendered = check_text("x = 1\ny = 2\nx = 3").rendered()
    assert "<text>:3:1" in rendered
    assert "<text>:1:1" in rendered


def test_a_cycle_is_printed_once() -> None:
    (found,) = check_text("a = b\nb = c\nc = a").diagnostics
    assert "-> b ->" in found.message or "-> c ->" in found.message


def test_several_mistakes_in_one_run() -> None:
    assert codes(check_text("x ~ 3..1\ny = foo\nz ~ log 0.0..1.0")) == ["AM105", "AM101", "AM106"]


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("model = 3\nx = modle", "did you mean `model`?"),
        ("m ~ UNet() | Seg()\nz = 1 when m is Unet", "did you mean `UNet`?"),
        ("x = maxi(1, 2)", "did you mean `max`?"),
        ("x ~ 3..1", "write 1..3"),
        ("x = 0.5 ~ 0..1", "write 0.0..1.0"),
    ],
)
def test_help(text: str, help: str) -> None:
    assert help in check_text(text).rendered()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 5 ~ 0..3", "AM905"),
        ("x ~ 3", "AM906"),
        ("x ~ 1 | 2 | 1", "AM908"),
        ("x ~ 1..3\nrequire x > 2", "AM124"),
    ],
)
def test_warnings_let_the_program_pass(text: str, code: str) -> None:
    checked = check_text(text)
    assert [(found.code, found.severity) for found in checked.diagnostics] == [(code, "warning")]
    assert checked.program is not None


def test_expressions_that_grow_without_end_are_refused() -> None:
    lines = ["let a0 ~ 1..2", *(f"let a{n} = a{n - 1} + a{n - 1}" for n in range(1, 40)), "x = a39"]
    assert codes(check_text("\n".join(lines))) == ["AM304"]


def test_deep_nesting_is_refused() -> None:
    deep = "A(x = " * 80 + "1" + ")" * 80
    checked = check_text(f"m = {deep}")
    assert checked.program is None


def test_a_limit_is_told_once() -> None:
    deep = "x0 ~ 0..3\n" + "".join(f"x{i} = x{i - 1} + 1\n" for i in range(1, 300))
    assert codes(check_text(deep)) == ["AM302"]


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * 65) + " = 3",
        ".".join(["a"] * 5000) + " ~ 1..3",
        ".".join(["a"] * 40) + " {\n" + ".".join(["b"] * 40) + " = 3\n}",
    ],
)
def test_a_path_has_an_end(text: str) -> None:
    assert codes(check_text(text)) == ["AM303"]


def test_work_is_bounded() -> None:
    assert codes(check_text("x = [[[i for i in 1..1000] for j in 1..1000] for k in 1..1000]")) == ["AM107"]
    assert codes(check_text("x = [i for i in 1..1000 if sum([i * j for j in 1..1000]) < 0]")) == ["AM107"]
    recipes = "def g0() = [A(), A()]\n" + "".join(f"def g{i}() = [g{i - 1}(), g{i - 1}()]\n" for i in range(1, 20))
    assert codes(check_text(recipes + "x = g19()")) == ["AM304"]


def test_a_neighbour_is_not_read() -> None:
    rendered = check_text("x = S(a ~ 1..3, b ~ 1..3 when a > 1)").rendered()
    assert "AM101" in rendered
    assert "`let v ~ ...`" in rendered


def test_a_search_that_never_happens_is_mentioned() -> None:
    checked = check_text("m = UNet()\nx ~ 1..3 when m is Unet")
    assert [(found.code, found.severity) for found in checked.diagnostics] == [("AM909", "warning")]
    assert checked.program is not None
    assert checked.program.params == ()


def test_an_alternative_by_its_index() -> None:
    assert codes(check_text("u ~ U(a = 1) | U(a = 2)\nx = u is U[2]")) == ["AM112"]


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("x = yes", 'write `true`, or `"yes"` for a text'),
        ("x ~ off | on", 'write `false`, or `"off"` for a text'),
        ("x = hello", 'known here: x; a text is written `"hello"`'),
        ("x = 1e-5\ny ~ 1e-5 - 1e-2", "write `..` for a range, `=` to fix the value"),
    ],
)
def test_what_was_meant(text: str, help: str) -> None:
    assert check_text(text).diagnostics[0].help == help


def test_a_new_key_above_a_base_is_told_where_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "base.automl").write_text("automl 1\nlr = 0.1\n")
    (tmp_path / "a.automl").write_text('automl 1\nuse "base.automl"\nbatch ~ 1..3\n')
    (found,) = check(tmp_path / "a.automl").diagnostics
    assert found.help.startswith('known here: lr; a new key is made in a file that uses nothing, used first: `use "keys.automl"`')


def test_what_a_mistake_below_left_out_is_told_once(tmp_path: Path) -> None:
    """Neither references to it nor a program above it, which searches beside it, are mistaken."""
    config = {
        "train": {
            "loss": {"name": "DiceLoss", "args": {"to_onehoty": True}},
            "optimizer": {"name": "Adam", "args": {"lr": 1e-4}},
            "pre_transforms": [{"name": "LoadImaged", "args": {"keys": "image"}}],
        },
        "validate": {"pre_transforms": [{"ref": "LoadImaged"}]},
    }
    (tmp_path / "config.json").write_text(json.dumps(config, indent=1))
    (tmp_path / "a.automl").write_text('automl 1\nuse "config.json"\ntrain.optimizer.lr ~ log 1e-5..1e-2\n')
    assert codes(check(tmp_path / "a.automl")) == ["AM203"]
