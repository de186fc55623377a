"""Syntax trees for properties: Hypothesis strategies for every form of the language, and trees compared without their spans."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

from hypothesis import strategies as st

from automl_run.dsl import ast
from automl_run.dsl.source import NOWHERE, Span
from automl_run.dsl.words import NO_CALLEE, STATEMENTS, word_set

RESERVED = NO_CALLEE | set(STATEMENTS) | word_set("automl log None none Null NULL nil True TRUE False FALSE component")


def bare(node: object) -> object:
    """`node` with every span NOWHERE."""
    if isinstance(node, Span):
        return NOWHERE
    if isinstance(node, tuple):
        return tuple(bare(each) for each in node)
    if is_dataclass(node) and not isinstance(node, type):
        return replace(node, **{field.name: bare(getattr(node, field.name)) for field in fields(node)})
    return node


# -- trees ------------------------------------------------------------------------------------------------------------------

words = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True).filter(lambda word: word not in RESERVED)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
keys = words | texts
ints = st.integers(-(2**63), 2**63)
literals = st.none() | st.booleans() | ints | st.floats(allow_nan=False, allow_infinity=False) | texts
units = st.sampled_from(["ms", "s", "min", "h", "d", "KB", "GiB", "mm", "HU"])
magnitudes = st.integers(-1000, 1000).map(float) | st.floats(-1e300, 1e300)


def lit(value: None | bool | int | float | str) -> ast.Lit:
    return ast.Lit(value, NOWHERE)


atoms: st.SearchStrategy[ast.Expr] = (
    literals.map(lit)
    | words.map(lambda word: ast.Name(word, NOWHERE))
    | st.builds(ast.Quantity, magnitudes, units, st.just(NOWHERE))
)
spans = st.just(NOWHERE)


T = TypeVar("T")


def some(element: st.SearchStrategy[T], least: int = 0, most: int = 3) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(element, min_size=least, max_size=most).map(lambda found: tuple(found))


def name_path(name: str) -> ast.Path:
    return ast.Path((ast.NameStep(name, NOWHERE),), NOWHERE)


def negation(operand: ast.Expr) -> ast.Expr:
    """`-1` is read as a number, so no operator stands before one."""
    number = isinstance(operand, ast.Quantity) or (isinstance(operand, ast.Lit) and type(operand.value) in (int, float))
    return ast.Unary("not" if number else "-", operand, NOWHERE)


def binds(
    targets: st.SearchStrategy[tuple[ast.Path, ...]], expr: st.SearchStrategy[ast.Expr], with_append: bool
) -> st.SearchStrategy[ast.Bind]:
    domain = domains(expr)
    tags = some(words, most=2)
    guard = st.none() | expr
    plain = st.builds(
        lambda target, given, search, tag, when: ast.Bind(target, given, False, None, search, tag if search else (), when, NOWHERE),
        targets,
        expr,
        st.none() | domain,
        tags,
        guard,
    )
    searched = st.builds(
        lambda target, search, tag, when: ast.Bind(target, None, False, None, search, tag, when, NOWHERE),
        targets,
        domain,
        tags,
        guard,
    )
    if not with_append:
        return plain | searched
    return plain | searched | st.builds(lambda bind, before: replace(bind, append=True, before=before), plain, st.none() | expr)


def domains(expr: st.SearchStrategy[ast.Expr]) -> st.SearchStrategy[ast.Domain]:
    size = st.builds(ast.StepSize, st.sampled_from(["add", "mul"]), expr, spans)
    ranges = st.builds(ast.Range, expr, expr, st.sampled_from(["linear", "log"]), st.none() | size, spans)
    return st.builds(ast.Domain, some(expr | ranges, least=1), spans)


def larger(expr: st.SearchStrategy[ast.Expr]) -> st.SearchStrategy[ast.Expr]:
    guard = st.none() | expr
    argument = st.one_of(
        keys.map(lambda key: (name_path(key),)),
        words.map(lambda word: (ast.Path((ast.AttrStep(word, NOWHERE),), NOWHERE),)),
        st.tuples(words.map(name_path), words.map(name_path)),
    )
    bind = binds(argument, expr, False)
    let = st.builds(ast.Let, binds(words.map(lambda word: (name_path(word),)), expr, False), spans)
    arguments = st.builds(
        lambda first, rest: (*first, *rest), some(st.builds(ast.Positional, expr, guard, spans)), some(bind | let)
    )
    classes = words.map(lambda word: "C" + word) | st.tuples(words, words).map(".".join)
    items = st.builds(ast.Item, expr | domains(expr), guard, spans)
    entries = st.dictionaries(keys, expr, max_size=3).map(lambda found: tuple(found.items()))
    comparison = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not"])
    counted = st.builds(ast.Range, expr, expr, st.just("linear"), st.none(), spans)
    return st.one_of(
        st.builds(ast.Attr, expr, words, spans),
        st.builds(ast.Meta, expr, words, spans),
        st.builds(ast.Index, expr, expr, spans),
        st.builds(ast.Unary, st.just("not"), expr, spans),
        st.builds(negation, expr),
        st.builds(ast.Binary, st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "and", "or"]), expr, expr, spans),
        st.builds(ast.Compare, expr, some(st.tuples(comparison, expr), least=1), spans),
        st.builds(ast.IfElse, expr, expr, expr, spans),
        st.builds(ast.ListExpr, some(items), spans),
        st.builds(ast.Comprehension, expr, words, expr | counted, guard, spans),
        st.builds(ast.TupleExpr, some(expr, least=1), spans),
        entries.map(lambda found: ast.DictExpr(found, (NOWHERE,) * len(found), NOWHERE)),
        st.builds(ast.Call, words | classes, arguments, spans, spans),
        st.builds(ast.Call, classes, arguments, spans, spans, words),
        st.builds(
            lambda cls, args: ast.Call("component", (ast.Positional(lit("c" + cls), None, NOWHERE), *args), NOWHERE, NOWHERE),
            words,
            some(bind),
        ),
    )


exprs = st.recursive(atoms, larger, max_leaves=8)


def statements() -> st.SearchStrategy[ast.Statement]:
    step = st.one_of(
        words.map(lambda word: ast.NameStep(word, NOWHERE)),
        words.map(lambda word: ast.AttrStep(word, NOWHERE)),
        st.builds(ast.IndexStep, exprs, spans),
    )
    paths = st.builds(lambda first, rest: ast.Path((ast.NameStep(first, NOWHERE), *rest), NOWHERE), keys, some(step))
    attribute = words.map(lambda word: ast.Path((ast.AttrStep(word, NOWHERE),), NOWHERE))
    targets = some(paths | attribute, least=1, most=1) | some(paths, least=2)
    simple: st.SearchStrategy[ast.Statement] = st.one_of(
        binds(targets, exprs, True),
        st.builds(ast.Let, binds(words.map(lambda word: (name_path(word),)), exprs, False), spans),
        st.builds(ast.Def, words, st.none() | st.lists(words, max_size=3, unique=True).map(tuple), domains(exprs), spans),
        st.builds(ast.Require, exprs, texts, spans),
        st.builds(ast.Ensure, exprs, texts, spans),
        st.builds(ast.Objective, st.sampled_from(["maximize", "minimize"]), exprs, spans),
        st.builds(ast.Use, texts, spans),
    )
    return st.recursive(simple, lambda inner: st.builds(ast.Section, paths, st.none() | texts, some(inner), spans), max_leaves=4)


STATEMENTS_OF_A_MODULE = some(statements())


@st.composite
def modules(draw: st.DrawFn) -> ast.Module:
    """A composite, because its name is short: Hypothesis prints a strategy whenever a draw ends early."""
    return ast.Module("a.automl", 1, draw(STATEMENTS_OF_A_MODULE))
