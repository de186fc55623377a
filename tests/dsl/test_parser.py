"""Text -> tree: every form of the language, where each node stands, the limits, and the pieces of a command line."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import resources
from pathlib import Path

import pytest
from lark import Lark

from automl_run.dsl import ast, newlines, parser
from automl_run.dsl.newlines import Newlines
from automl_run.dsl.parser import parse_domain, parse_expr, parse_module, parse_path
from automl_run.dsl.source import Source, Span
from automl_run.errors import ProgramError

DESIGN_EXAMPLES = Path(__file__).resolve().parents[3] / "shared/design/language/examples"


def parsed(text: str) -> tuple[ast.Statement, ...]:
    module, diagnostics = parse_module(Source("a.automl", text), require_edition=False)
    assert not diagnostics, diagnostics
    return module.body


def codes(text: str, *, require_edition: bool = False) -> list[str]:
    return [found.code for found in parse_module(Source("a", text), require_edition=require_edition)[1]]


def bind(text: str) -> ast.Bind:
    (statement,) = parsed(text)
    assert isinstance(statement, ast.Bind)
    return statement


# -- the language -------------------------------------------------------------------------------------------------------------

ACCEPTED = [
    "",
    "\n\n# only a comment",
    'use "base.automl"',
    "x = 3",
    "x ~ 0.0..1.0",
    "x = 0.3 ~ 0.0..1.0",
    "x ~ 1 | 2 | 4",
    "x ~ log 1e-5..1e-2",
    "x ~ 16..256 step *2",
    "x ~ 64..160 step 32",
    "x ~ 0.0 | log 1e-6..1e-2",
    '(a, b) ~ (1, "p") | (2, "q")',
    "(a.b, c[0],) ~ 0.0..1.0",
    "x = C(a = 1, b ~ 2 | 3)",
    "m ~ A(k ~ 1..3) | B(w ~ 8 | 16)",
    "x = U(let d ~ 3..5, c = [2 ** i for i in 1..d])",
    "x = [~ A() | B(), C() when x]",
    "x ~ 1..5 when m is A",
    "y = x * 2 if m is A else 1",
    "path += [X()] before ToTensord",
    "let v ~ 0.0..1.0",
    "let (v1, v2) ~ (true, false) | (false, true)",
    "def D = log 1e-6..1e-2",
    "def f(i) = C(axis = i, p ~ D)",
    "def f() = 1",
    'require a * b <= 64 because "too large"',
    "ensure mem <= 20GiB",
    "maximize dice",
    "minimize -loss",
    "name { }",
    "name { a = 1 }",
    "name { a = 1, b = 2, }",
    "name {\n  a = 1\n\n  b = 2 # two\n}",
    'study "x" { phase p { trials = 3 } }',
    "train.loss.DiceLoss.@disabled = true",
    "train.x { @disabled ~ true | false @flag }",
    'train["my-key"].x = 1',
    '"use" = 1',
    "x = C(step = 1, in = 2, log = 3, for = 4)",
    "x.step = 1",
    "x.log.step ~ 1..3",
    "x = not(a)",
    "x = a.@disabled",
    "x = a not in [1, 2] and b is not null",
    "x = 1 < a <= 3",
    "x = -2 ** 2",
    "x = 2 ** -1",
    "x = a // 2 % 3",
    "x = (1,)",
    "x = (1, 2,)",
    'x = {"a": 1, b: [2], c: {d: null}}',
    "x = [i for i in [1, 2, 3] if i % 2 == 0]",
    "x = [[g] for g in 0..7]",
    "x = pkg.mod.Class(1, k = 2)",
    "x = C(@disabled = a, (b, c) = (1, 2))",
    'x = C("my-key" = 1)',
    "x = 12h",
    "x ~ 1.5mm | 2mm",
    "x = 1_000 + 1_0.5e-3",
    'x = "a\\n\\u00e9 # no comment"',
    "x\n  ~ 1\n  | 2\n  when y",
    "x = a\n  if b\n  else c",
    "x = a +\n  b",
    "x =\n  3",
    "x ~ 1 # one\n  # two\n  | 2",
    "x = C(\n  a = 1,\n  b ~ 2\n    | 3,\n)",
    "\ufeffx = 1",
    "x = 1\r\ny ~ 1\r\n  | 2\r\n",
    "x ~ 1..3 @lr",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_accepted(text: str) -> None:
    parsed(text)


@pytest.mark.parametrize("text", ACCEPTED)
def test_every_span_lies_in_the_text_and_in_its_parent(text: str) -> None:
    for statement in parsed(text):
        for node, parent in _nodes(statement, None):
            span = node.span
            assert 0 <= span.start < span.end <= len(text), node
            if parent is not None:
                assert parent.start <= span.start, (node, parent)
                assert span.end <= parent.end, (node, parent)


def _nodes(node: object, parent: Span | None) -> Iterator[tuple[ast.Lit, Span | None]]:
    if isinstance(node, tuple):
        for each in node:
            yield from _nodes(each, parent)
    elif is_dataclass(node) and not isinstance(node, (type, Span)):
        span = getattr(node, "span", parent)
        if hasattr(node, "span"):
            yield node, parent  # type: ignore[misc]
        for field in fields(node):
            yield from _nodes(getattr(node, field.name), span)


@pytest.mark.parametrize("name", ["01_seg_ahnet", "02_conditional_arch", "03_phased_multi_gpu", "04_cpu_demo"])
def test_design_examples(name: str) -> None:
    path = DESIGN_EXAMPLES / f"{name}.automl"
    if not path.exists():
        pytest.skip("the design examples are not on this machine")
    module, diagnostics = parse_module(Source(path.name, path.read_text(encoding="utf-8")))
    assert diagnostics == []
    assert module.edition == 1
    assert len(module.body) >= 2


def test_tree_of_a_binding() -> None:
    text = "(a, b) = (0, 1) ~ (1, 2) | log 1..c step *2 @net @lr when m is A"
    found = bind(text)
    assert [text[path.span.start : path.span.end] for path in found.targets] == ["a", "b"]
    assert isinstance(found.given, ast.TupleExpr)
    assert not found.append
    assert found.search is not None
    assert text[found.search.span.start : found.search.span.end] == "(1, 2) | log 1..c step *2"
    last = found.search.alternatives[1]
    assert isinstance(last, ast.Range)
    assert last.scale == "log"
    assert last.step is not None
    assert last.step.kind == "mul"
    assert found.tags == ("net", "lr")
    assert isinstance(found.guard, ast.Compare)
    assert found.guard.rest[0][0] == "is"


def test_precedence() -> None:
    def shape(node: ast.Expr) -> object:
        match node:
            case ast.Binary(op, left, right):
                return (shape(left), op, shape(right))
            case ast.Unary(op, operand):
                return (op, shape(operand))
            case ast.Name(name):
                return name
            case ast.Lit(value):
                return value
            case ast.IfElse(condition, then, otherwise):
                return ("if", shape(condition), shape(then), shape(otherwise))
            case ast.Compare(first, rest):
                return (shape(first), *((op, shape(operand)) for op, operand in rest))
        raise AssertionError(node)

    def of(text: str) -> object:
        return shape(parse_expr(Source("a", text)))

    assert of("a + b * c") == ("a", "+", ("b", "*", "c"))
    assert of("a - b - c") == (("a", "-", "b"), "-", "c")
    assert of("a ** b ** c") == ("a", "**", ("b", "**", "c"))
    assert of("-a ** 2") == ("-", ("a", "**", 2))
    assert of("-1") == -1
    assert of("- -1") == 1
    assert of("(-2) ** 2") == (-2, "**", 2)
    assert of("not a == b and c or d") == ((("not", ("a", ("==", "b"))), "and", "c"), "or", "d")
    assert of("a if b else c if d else e") == ("if", "b", "a", ("if", "d", "c", "e"))
    assert of("a < b not in c") == ("a", ("<", "b"), ("not in", "c"))


def test_a_call_keeps_the_place_of_its_class_and_arguments() -> None:
    text = "x = (pkg.Net(1, k = 2, let d ~ 3..5))"
    call = bind(text).given
    assert isinstance(call, ast.Call)
    assert text[call.callee_span.start : call.callee_span.end] == call.callee == "pkg.Net"
    assert [text[arg.span.start : arg.span.end] for arg in call.args] == ["1", "k = 2", "let d ~ 3..5"]
    assert text[call.span.start : call.span.end] == "pkg.Net(1, k = 2, let d ~ 3..5)"


def test_brackets_belong_to_what_holds_them() -> None:
    text = "x = (a + b) * c"
    product = bind(text).given
    assert product is not None
    assert text[product.span.start : product.span.end] == "(a + b) * c"


def test_component_writes_instances_and_lower_case_classes() -> None:
    instance = parse_expr(Source("a", 'component("Scale#Mine", k = 1)'))
    assert isinstance(instance, ast.Call)
    assert (instance.callee, instance.instance, len(instance.args)) == ("Scale", "Mine", 1)
    lower = parse_expr(Source("a", 'component("myNet", k = 1)'))
    assert isinstance(lower, ast.Call)
    assert (lower.callee, lower.instance, len(lower.args)) == ("component", None, 2)


def test_strings_and_numbers_have_their_values() -> None:
    values = [bind(f"x = {spelling}").given for spelling in ('"a\\"\\u00e9\\ud83d\\ude00"', "1_000", "1e-3", "-0.5", "12h")]
    assert [getattr(value, "value", None) for value in values] == ['a"é😀', 1000, 1e-3, -0.5, 12.0]
    assert isinstance(values[4], ast.Quantity)
    assert values[4].unit == "h"


# -- editions and rounds ------------------------------------------------------------------------------------------------------


def test_edition() -> None:
    assert parse_module(Source("a", "# mine\n\nautoml 1 # first\nx = 1\n"))[0].edition == 1
    assert codes("x = 1", require_edition=True) == ["AM011"]
    assert codes("automl 2\nanything ::: goes", require_edition=True) == ["AM012"]
    assert codes("automl one\nx = 1", require_edition=True) == ["AM012"]
    assert codes("x = 1\nautoml 1", require_edition=True) == ["AM012"]


def test_what_is_right_is_kept_beside_what_is_wrong() -> None:
    module, diagnostics = parse_module(Source("a", "automl 1\na = 1\nb = 1..2\nc = 3\nd : 4\ne = 5"))
    assert [found.code for found in diagnostics] == ["AM001", "AM005"]
    paths = [
        step.name
        for each in module.body
        if isinstance(each, ast.Bind)
        for step in each.targets[0].steps[:1]
        if isinstance(step, ast.NameStep)
    ]
    assert paths == ["a", "c", "e"]


# -- pieces -------------------------------------------------------------------------------------------------------------------


def test_pieces_of_a_command_line() -> None:
    assert isinstance(parse_expr(Source("--set", "[32, 32]")), ast.ListExpr)
    assert len(parse_domain(Source("--set", "0.0 | log 1e-6..1e-2")).alternatives) == 2
    assert len(parse_path(Source("--set", 'train["my-key"].@disabled')).steps) == 3


@pytest.mark.parametrize("text", ["", "1..3", "a, b", "a = 3", "x y", "[32,32", "'a'", "True", "9" * 30])
def test_a_piece_that_is_none(text: str) -> None:
    with pytest.raises(ProgramError) as caught:
        parse_expr(Source("--set", text))
    assert caught.value.diagnostics
    assert "--set:1:" in str(caught.value)


# -- limits -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("#" * (1024 * 1024 + 1), "AM301"),
        ("x = " + "(" * 65 + ")" * 65, "AM303"),
        ("a {" * 65 + "}" * 65, "AM303"),
        ("x = " + " + ".join(["1"] * 102), "AM303"),
        ("x = " + "not " * 3000 + "a", "AM303"),
        ("x = a" + ".b" * 200, "AM303"),
        ("x ~ " + " | ".join(["1"] * 10_001), "AM304"),
        ('x = "' + "a" * 70_000 + '"', "AM305"),
        ("x = " + "9" * 20, "AM306"),
        ("x = " + "9" * 10_000, "AM306"),
        ("x = 1e999", "AM306"),
    ],
    ids=lambda value: value[:12],
)
def test_limits(text: str, code: str) -> None:
    assert codes(text) == [code]


def test_the_number_of_words_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newlines, "MAX_TOKENS", 1000)
    assert codes("x = [" + "1," * 600 + "]") == ["AM302"]


@pytest.mark.parametrize("text", ["x = " + "[" * 64 + "]" * 64, "x = " + " + ".join(["1"] * 101), " " * 1_000_000, "#\n" * 100_000])
def test_within_limits(text: str) -> None:
    parsed(text)


# -- the grammar --------------------------------------------------------------------------------------------------------------


def test_the_grammar_has_no_conflicts_and_no_colliding_words() -> None:
    pytest.importorskip("interegular")  # without it, `strict` looks at conflicts only
    grammar = resources.files("automl_run.grammars").joinpath("automl.lark").read_text(encoding="utf-8")
    Lark(
        grammar,
        parser="lalr",
        lexer="contextual",
        postlex=Newlines(),
        strict=True,
        start=["start", "only_expr", "only_domain", "only_path"],
    )


@pytest.mark.parametrize("cache", ["fresh", "damaged", "unwritable"])
def test_the_cache_is_never_needed(cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    if cache == "unwritable":
        folder.write_text("a file where a folder should be")
    parser._language.cache_clear()
    try:
        parsed("x = 1")
        if cache == "damaged":
            (file,) = (folder / "automl-run").iterdir()
            file.write_bytes(file.read_bytes()[:100])
            parser._language.cache_clear()
            parsed("x = 1")
    finally:
        parser._language.cache_clear()


def test_importing_the_parser_loads_neither_torch_nor_a_grammar() -> None:
    code = (
        "import sys, automl_run.dsl.parser as p; "
        "assert 'torch' not in sys.modules and 'monai' not in sys.modules; assert p._language.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
