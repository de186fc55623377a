"""Formatting keeps every word and every comment, changes nothing twice, and lays out as the language page says."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syntax_trees import bare, modules

from automl_run.dsl import ast, format_layout, printer
from automl_run.dsl.format import format_source, format_text
from automl_run.dsl.format_layout import WIDTH
from automl_run.dsl.load import check as check_program
from automl_run.dsl.load import parse
from automl_run.dsl.parser import parse_module, words
from automl_run.dsl.source import Source

ROOT = Path(__file__).resolve().parents[2]
#: Not those in run folders, which lie deeper.
EXAMPLES = sorted((ROOT / "examples").glob("*/*.automl"))


def tree(text: str) -> object:
    module, diagnostics = parse_module(Source("a.automl", text), require_edition=False)
    # A generated tree may say what the language warns about; it is still read as it stands.
    return None if {found.code for found in diagnostics} - {"AM014", "AM015"} else bare(module)


def comments(text: str) -> list[str]:
    return re.findall(r"#c[0-9]+", text)


def check(text: str) -> str:
    formatted = format_text(text)
    assert tree(formatted) == tree(text)
    assert comments(formatted) == comments(text)
    assert format_text(formatted) == formatted
    assert "\n\n\n" not in formatted
    assert not re.search(r"[ \t]$", formatted, re.M)
    assert not formatted.startswith("\n")
    assert not formatted.endswith("\n\n")
    return formatted


def disturbed(text: str, seed: int) -> str:
    """`text` with comments, line ends, blanks and commas wherever they change nothing."""
    generator = random.Random(seed)
    meaning = tree(text)
    number = 0
    for _ in range(generator.randint(1, 12)):
        places = [place for token in words(text) if token.start_pos is not None for place in (token.start_pos, token.end_pos or 0)]
        at = generator.choice([0, *places, len(text)])
        comment = f"#c{number}\n"
        pieces = [f" {comment}", f"\n{comment}", f"\n\n\n  {comment}\n\n", "\n", "\n\n\n", "   ", "\t", ",", ",\r\n"]
        piece = generator.choice(pieces)
        changed = text[:at] + piece + text[at:]
        if tree(changed) == meaning:
            text, number = changed, number + 1
    return text


@settings(max_examples=100, deadline=None, derandomize=True)
@given(modules(), st.integers(0, 2**32))
def test_any_program_with_comments_anywhere(module: ast.Module, seed: int) -> None:
    text = printer.print_module(module)
    check(text)
    check(disturbed(text, seed))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("seed", range(6))
def test_examples_with_comments_anywhere(path: Path, seed: int) -> None:
    check(disturbed(path.read_text(encoding="utf-8"), seed))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_digest_of_an_example_stays(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "examples"
    shutil.copytree(ROOT / "examples", copy, ignore=shutil.ignore_patterns("runs", "automl", "*.gz"))
    here = copy / path.relative_to(ROOT / "examples")
    before = check_program(here).unwrap().digest
    here.write_text(format_text(here.read_text(encoding="utf-8")), encoding="utf-8")
    assert check_program(here).unwrap().digest == before


LAYOUTS = {
    "spaces": (
        "x=3\n  y  ~log 1e-4 .. 1E-2@lr when  m is  A\nz~16 .. 256 step * 2\n",
        "x = 3\ny ~ log 1e-4..1E-2 @lr when m is A\nz ~ 16..256 step *2\n",
    ),
    "signs": ("x=-a ** -2-b [0] . c*[1,2 ]\n", "x = -a ** -2 - b[0].c * [1, 2]\n"),
    "brackets": (
        '(a,b)~(1,)|( not(c), {"k":1 , j:2} )\n@disabled=C( )\n',
        '(a, b) ~ (1,) | (not (c), {"k": 1, j: 2})\n@disabled = C()\n',
    ),
    "statements": ("train{lr=1\nwd=2,}\n", "train {\n  lr = 1\n  wd = 2\n}\n"),
    "a short block stays on its line": ("budget{trials=3,time=2h }\n", "budget { trials = 3, time = 2h }\n"),
    "a block of four does not": ("b { a = 1, b = 2, c = 3, d = 4 }\n", "b {\n  a = 1\n  b = 2\n  c = 3\n  d = 4\n}\n"),
    "blocks in a block": ("study{controller=TPE(),budget{trials=8}}\n", "study { controller = TPE(), budget { trials = 8 } }\n"),
    "empty": ("", ""),
    "only comments": ("\n\n# a\n\n\n\n# b", "# a\n\n# b\n"),
    "blank lines": ("\n\nx = 1\n\n\n\ny = 2\ns {\n\n\n z = 3\n\n}\n\n\n", "x = 1\n\ny = 2\ns {\n  z = 3\n}\n"),
    "a comma at the end keeps a list open": ("x = [1,2,]\n", "x = [\n  1,\n  2,\n]\n"),
    "lines are joined": ("x\n~ 1\n| 2\n| 4\n", "x ~ 1 | 2 | 4\n"),
    "comments": (
        "# a\nx = 1     # b\ns { # c\n # d\n y = 2 # e\n # f\n} # g\n# h\n",
        "# a\nx = 1  # b\ns {  # c\n  # d\n  y = 2  # e\n  # f\n}  # g\n# h\n",
    ),
    "comments in brackets": (
        "x = C( # a\n p = 1, # b\n\n\n # c\n q = 2 # d\n # e\n)\n",
        "x = C(  # a\n  p = 1,  # b\n\n  # c\n  q = 2,  # d\n  # e\n)\n",
    ),
    "comments among alternatives": ("x ~ 1 # a\n | 2 # b\n # c\n | 4 # d\n", "x\n  ~ 1  # a\n  | 2  # b\n  # c\n  | 4  # d\n"),
    "a comment in the middle": ("x = # a\n 3 # b\n", "# a\nx = 3  # b\n"),
    "line ends of another system": ("\ufeffx = 1\r\n# a\r\ny = 2\r\n", "x = 1\n# a\ny = 2\n"),
}


@pytest.mark.parametrize("case", sorted(LAYOUTS))
def test_layout(case: str) -> None:
    text, expected = LAYOUTS[case]
    assert format_text(text) == expected
    assert format_text(expected) == expected


def test_what_is_long_is_broken() -> None:
    text = """\
train.model ~ UNet(spatial_dims = 3, channels = [16, 32, 64, 128], strides = [2, 2, 2]) | SegResNet(init_filters ~ 8 | 16 | 32)
train.optimizer ~ AdamW(learning_rate = learning_rate, weight_decay ~ log 1e-6..1e-1, beta_1 = 0.9, beta_2 = 0.999)
train.some_rather_long_name_of_a_setting.another_rather_long_name = 123456 ~ log 0.000001..0.0000123456
require roi_x * roi_y * roi_z * batch_size <= 4194304 and train.model is not SwinUNETR or some_other_condition because "memory"
"""
    assert (
        check(text)
        == """\
train.model
  ~ UNet(spatial_dims = 3, channels = [16, 32, 64, 128], strides = [2, 2, 2])
  | SegResNet(init_filters ~ 8 | 16 | 32)
train.optimizer ~ AdamW(
  learning_rate = learning_rate,
  weight_decay ~ log 1e-6..1e-1,
  beta_1 = 0.9,
  beta_2 = 0.999,
)
train.some_rather_long_name_of_a_setting.another_rather_long_name = 123456
  ~ log 0.000001..0.0000123456
require roi_x * roi_y * roi_z * batch_size <= 4194304 and train.model is not SwinUNETR
  or some_other_condition because "memory"
"""
    )


@settings(max_examples=40, deadline=None, derandomize=True)
@given(modules(), st.integers(0, 2**32))
def test_narrow_lines(module: ast.Module, seed: int) -> None:
    with patch.object(format_layout, "WIDTH", 30):
        check(disturbed(printer.print_module(module), seed))


def test_lines_fit_where_they_can() -> None:
    values = ", ".join(f"argument_{number} = {number}" for number in range(40))
    for line in format_text(f"x = C({values}, inner = [D({values}), ~ E({values}) | F({values})])\n").split("\n"):
        assert len(line) <= WIDTH


def test_a_text_with_mistakes_is_not_formatted() -> None:
    formatted = format_source(Source("a", "x = \ny = 1\n"))
    assert formatted.text is None
    assert formatted.diagnostics[0].code == "AM007"


def test_the_deepest_program_is_formatted_in_good_time() -> None:
    deep = "x = " + "C(a ~ D(b = 1) | E(" * 31 + "1" + "))" * 31 + "\n"
    wide = "x = [" + ", ".join(str(number) for number in range(2_000)) + "]\n"
    for text in (deep, wide):
        formatted = format_text(text)
        assert format_text(formatted) == formatted


def test_a_program_keeps_its_meaning() -> None:
    text = 'a~1..4\nrequire a*2<=8 because "x"\nb=a   *2\n'
    assert parse(format_text(text)).digest == parse(text).digest
