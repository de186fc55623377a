"""A fix removes its mistake and puts no other syntax error in its place."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from damage import damaged

from automl_run.dsl.diagnostics import Diagnostic
from automl_run.dsl.lint.repair import apply, repair
from automl_run.dsl.parser import parse_module
from automl_run.dsl.source import Source

PROGRAMS = sorted((Path(__file__).parent / "data" / "programs").glob("*.automl"))


def found_in(text: str) -> list[Diagnostic]:
    return parse_module(Source("a.automl", text), require_edition=False)[1]


MENDS = {
    "x = 1..3": "x ~ 1..3",
    "x = C(a = 1 | 2, b = 3 | 4)": "x = C(a ~ 1 | 2, b ~ 3 | 4)",
    "x = [1 | 2]": "x = [~ 1 | 2]",
    "x ~ (1..3)": "x ~ 1..3",
    "x ~ 1..9..2": "x ~ 1..9 step 2",
    "s { x ~ 2, 4, 8 }": "s { x ~ 2 | 4 | 8 }",
    "x = C(b ~ 2, 4)": "x = C(b ~ 2 | 4)",
    "x = C(\n  a = 1,\n  b = [2\ny = 3": "x = C(\n  a = 1,\n  b = [2])\ny = 3",
    "x = (1, 2]": "x = (1, 2)",
    "x: 3": "x = 3",
    "train: {\n  lr: 1\n}": "train {\n  lr = 1\n}",
    "x = C(a: 1, b: 2)": "x = C(a = 1, b = 2)",
    "x := 3": "x = 3",
    "x <- 3": "x = 3",
    "x =~ 1..3": "x ~ 1..3",
    "x: int = 3": "x = 3",
    "require: a < 1": "require a < 1",
    "require a = 3": "require a == 3",
    "x ~ 'a' | 'b'": 'x ~ "a" | "b"',
    "x = “a”": 'x = "a"',
    "x = 3;": "x = 3",
    "x = a && !b": "x = a and not b",
    "x\u00a0=\u00a03": "x = 3",
    "x ~ 1…3": "x ~ 1..3",
    "// a note\nx = 1": "# a note\nx = 1",
    "use base.json": 'use "base.json"',
    "maximise dice": "maximize dice",
    "x = True": "x = true",
    "x ~ [1, 2, 4]": "x ~ 1 | 2 | 4",
    "x ~ 1 or 2": "x ~ 1 | 2",
    "x ~ 1 || 2": "x ~ 1 | 2",
    "x ~ log(1e-5, 1e-2)": "x ~ log 1e-5..1e-2",
    "x = log(1e-5, 1e-2)": "x ~ log 1e-5..1e-2",
    "x ~ log(1e-5..1e-2)": "x ~ log 1e-5..1e-2",
    "a.Scale#Mine.p = 3": 'a.Scale["Mine"].p = 3',
    "x = .5": "x = 0.5",
    "x = 12 hours": "x = 12h",
    "x ~ 0%..50%": "x ~ 0.0..0.5",
    "x ~ 1 to 5": "x ~ 1..5",
    "x ~ 1..9 by 2": "x ~ 1..9 step 2",
    "x ~ 1..9 if m is A": "x ~ 1..9 when m is A",
    "use = 3": '"use" = 3',
    "size = 32, 32": "size = [32, 32]",
    "x = [1 2 3]": "x = [1, 2, 3]",
    'x = f"run_{lr}"': 'x = "run_{lr}"',
    "x = {a = 1}": "x = {a : 1}",
}


@pytest.mark.parametrize("text", MENDS)
def test_mend(text: str) -> None:
    fixes = found_in(text)[0].fixes
    assert apply(text, [fixes])[0] == MENDS[text]


@pytest.mark.parametrize("text", ["x = y = 3", "x ~ 0,1..0,5", "x =", "x = [1..3]", "x = C(a = 1, 2)", "x = 3D", "x ~ 1e-4.."])
def test_what_is_not_certain_is_not_mended_by_itself(text: str) -> None:
    assert not any(found.fixes and all(fix.safe for fix in found.fixes) for found in found_in(text))


def test_a_fix_leaves_no_syntax_error_in_its_place() -> None:
    choose = random.Random(3)
    texts = [path.read_text(encoding="utf-8") for path in PROGRAMS]
    codes: Counter[str] = Counter()
    for _ in range(300):
        text = damaged(choose.choice(texts), choose)
        before = found_in(text)
        for found in before:
            if not found.fixes:
                continue
            codes[found.code] += 1
            after = found_in(apply(text, [found.fixes])[0])
            # Brackets decide where statements end: with them mended, what they hid may be found wrong in turn.
            if found.code not in ("AM003", "AM004", "AM017"):
                assert len(after) < len(before) or len(before) == 20, (text, found)
    assert len(codes) >= 6


def test_the_linter_makes_the_safe_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.automl"
    path.write_text("x: 'a'\ny ~ 1, 2\nz = 1 to 3\n", encoding="utf-8")
    assert repair(path).text == 'automl 1\nx = "a"\ny ~ 1 | 2\nz ~ 1..3\n'
