"""Formatting keeps every word and every comment, changes nothing twice, and lays out as the language page says."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_run.dsl import ast, printer
from automl_run.dsl.format import format_source, format_text
from automl_run.dsl.format_layout import WIDTH
from automl_run.dsl.parser import parse_module, words
from automl_run.dsl.source import Source
from .test_printer import bare, modules

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").rglob("*.automl"))


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
        piece = generator.choice([f" #c{number}\n", f"\n#c{number}\n", f"\n\n\n  #c{number}\n\n", "\n", "\n\n\n", "   ", "\t", ",", ",\r\n"])
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
