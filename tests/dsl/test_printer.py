"""What is printed parses to the same tree."""

from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syntax_trees import bare, lit, modules, name_path

from automl_run.dsl import ast, printer
from automl_run.dsl.parser import parse_domain, parse_expr, parse_module, parse_path
from automl_run.dsl.source import NOWHERE, Source


def reparsed(module: ast.Module) -> ast.Module:
    text = printer.print_module(module)
    again, diagnostics = parse_module(Source(module.file, text))
    # A tree may say what the language warns about; it is still read as it stands.
    assert {found.code for found in diagnostics} <= {"AM014", "AM015"}, text
    return again


@settings(max_examples=80, deadline=None, derandomize=True)
@given(modules(), st.sampled_from([1, 40, 100]))
def test_print_then_parse_is_identity(module: ast.Module, width: int) -> None:
    with patch.object(printer, "WIDTH", width):
        assert bare(reparsed(module)) == bare(module)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(modules())
def test_printing_is_idempotent(module: ast.Module) -> None:
    once = printer.print_module(module)
    assert printer.print_module(reparsed(module)) == once


@pytest.mark.parametrize(
    "text",
    [
        "x = 3",
        "a.b[0].c = true",
        'train["my-key"].@disabled = null',
        "lr = 0.0002 ~ log 0.0001..0.001 @lr when m is A",
        "(a, b) = (false, 1) ~ (true, 2) | (false, 3)",
        "x ~ 0.0 | log 1e-6..0.01",
        "x ~ 16..256 step *2",
        "path += [X()] before ToTensord",
        "def f(i) = C(axis = i, p ~ 0.0..1.0)",
        "def D = log 1e-6..0.01",
        'require a * b <= 64 because "memory"',
        "ensure peak_gpu_memory <= 20GiB",
        "minimize -(a + b) * 2",
        "y = x * 2 if m is A else 1",
        "z = not (a or b) and c",
        "p = (-2) ** 2",
        "p = -x ** -2",
        "c = U(let d ~ 3..5, c = [2 ** i for i in 1..d])",
        "l = [~ A() | B(), C() when x]",
        "t = (1,)",
        'c = component("Scale#Mine", k = 1)',
        'c = component("myNet", k = 1)',
        'c = C("my-key" = 1, "let" = 2, step = 3)',
        "budget { trials = 40, time = 12h }",
        'study "x" { }',
        "phase narrow { warm_start = 16 }",
        '"use" = 3',
        "x ~ (log)..3 | (log)",
    ],
)
def test_canonical_text_is_printed_as_written(text: str) -> None:
    module, diagnostics = parse_module(Source("a", text), require_edition=False)
    assert not diagnostics
    assert printer.print_module(module) == text + "\n"


def test_long_text_is_broken_at_arguments_and_alternatives() -> None:
    text = "m ~ A(alpha = 100000, beta = 200000, gamma = 300000) | B(alpha = 100000, beta = 200000, gamma = 300000)\n"
    module, _ = parse_module(Source("a", text), require_edition=False)
    assert printer.print_module(module) == (
        "m\n  ~ A(alpha = 100000, beta = 200000, gamma = 300000)\n  | B(alpha = 100000, beta = 200000, gamma = 300000)\n"
    )
    call = parse_expr(Source("a", f"Net({', '.join(f'argument_{i} = {i}' for i in range(9))})"))
    statement = ast.Bind((name_path("net"),), call, False, None, None, (), None, NOWHERE)
    lines = printer.print_statement(statement, indent=2).split("\n")
    assert lines[0] == "  net = Net("
    assert lines[1] == "    argument_0 = 0,"
    assert lines[-1] == "  )"


def test_pieces() -> None:
    assert printer.print_expr(parse_expr(Source("a", "1+2*3"))) == "1 + 2 * 3"
    assert printer.print_domain(parse_domain(Source("a", "log 1e-4 .. 1 | off"))) == "log 0.0001..1 | off"
    assert printer.print_path(parse_path(Source("a", "a . b [ 0 ]"))) == "a.b[0]"


def test_a_number_that_has_no_spelling_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        printer.print_expr(lit(float("nan")))


def test_the_deepest_tree_that_parses_can_be_printed() -> None:
    inner = " + ".join(["1"] * 101)
    text = "x = " + "C(a = " * 64 + inner + ")" * 64
    module, diagnostics = parse_module(Source("a", text), require_edition=False)
    assert not diagnostics
    assert bare(reparsed(replace(module, edition=1))) == bare(replace(module, edition=1, file="a"))
