"""Columns say, row by row, what `evaluate` says."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl_run.dsl import columns, ir
from automl_run.dsl.columns import Columns
from automl_run.dsl.evaluate import Assignment, Undefined, active_ids, evaluate, infeasible_because, is_active
from automl_run.dsl.ir import Point, Program
from automl_run.dsl.load import parse

BIG = 2**62
#: Every kind of parameter, two of them conditional.
SPACE = parse(
    f"""
    let i ~ -3..5
    let big ~ -{BIG}..{BIG}
    let x ~ -2.0..2.0
    let wide ~ log 1e-300..1e300
    let name ~ "a" | "bc" | "a" + "d"
    let mixed ~ 0 | 0.5 | 3
    let odd ~ null | true | 2 | [1, 2]
    let flag ~ true | false
    let (p, q) ~ (1, 2.5) | (7, -1.0)
    let m ~ A(k ~ 1..4, r ~ 0.0..1.0) | B(w ~ 8 | 16)
    """
)
IDS = [param.id for param in SPACE.params]


def same(a: object, b: object) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def check(program: Program, points: Sequence[Point], exprs: Sequence[ir.Expr]) -> None:
    found = Columns(program, points)
    reasons = [infeasible_because(program, point) for point in points]
    assert found.feasible().tolist() == [reason is None for reason in reasons]
    for param in program.params:
        for point, active in zip(points, found.active(param.id).tolist(), strict=True):
            assert active == is_active(program, point, param)
    for expr in exprs:
        for point, value in zip(points, found.values(expr), strict=True):
            try:
                expected = evaluate(expr, Assignment(program, point))
            except Undefined as undefined:
                assert isinstance(value, Undefined), (expr, point, value, undefined)
                assert value.inactive == undefined.inactive, (expr, point)
            else:
                assert same(value, expected), (expr, point, value, expected)


# -- generated ----------------------------------------------------------------------------------------------------------------

LITERALS = st.sampled_from(
    [0, 1, 2, -1, 3, 7, BIG, 2**63, 2**65, 0.5, -1.5, 2.0, 1e300, -0.0, True, False, None, "a", "bc", [1, 2.0], [], {"a": 1}]
).map(ir.Lit)
PARAMS = st.sampled_from([ir.ParamRef(param.id, slot) for param in SPACE.params for slot in range(len(param.targets))])
IS = st.builds(ir.IsAlt, st.sampled_from(["m", "name", "(p, q)", "i"]), st.sampled_from([(0,), (1,), (0, 1), (2,)]))
ARITHMETIC = st.sampled_from(["+", "-", "*", "/", "//", "%", "**"])
COMPARISON = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
LOGIC = st.sampled_from(["and", "or"])
FUNCTION = st.sampled_from(["abs", "min", "max", "len", "sum", "floor", "ceil", "round", "sqrt", "log2", "int", "float"])


def _grown(inner: st.SearchStrategy[ir.Expr]) -> st.SearchStrategy[ir.Expr]:
    lists = st.lists(inner, max_size=3).map(lambda items: ir.ListOf(tuple(items)))
    return st.one_of(
        st.builds(ir.Binary, ARITHMETIC, inner, inner),
        st.builds(ir.Binary, ARITHMETIC, inner, inner),
        st.builds(ir.Binary, COMPARISON, inner, inner),
        st.builds(ir.Binary, LOGIC, inner, inner),
        st.builds(ir.Binary, st.sampled_from(["in", "not in"]), inner, st.one_of(lists, st.just(ir.Lit([0, 0.5, "a", True])))),
        st.builds(ir.Unary, st.sampled_from(["-", "not"]), inner),
        st.builds(ir.IfElse, st.builds(ir.Binary, COMPARISON, inner, inner), inner, inner),
        st.builds(ir.Apply, FUNCTION, st.lists(inner, max_size=3).map(tuple)),
        st.builds(ir.Apply, FUNCTION, lists.map(lambda found: (found,))),
        st.builds(ir.IndexOf, lists, inner),
        st.builds(ir.Comprehension, st.just(ir.Binary("*", ir.Local("j"), ir.Lit(2))), st.just("j"), lists, st.none()),
        st.builds(ir.RangeOf, inner, inner),
    )


EXPRS: st.SearchStrategy[ir.Expr] = st.recursive(st.one_of(LITERALS, PARAMS, PARAMS, IS), _grown, max_leaves=8)


def points_of(program: Program, generator: random.Random, n: int) -> list[Point]:
    def value(param: ir.Param) -> int | float:
        match param.domain:
            case ir.Choice(alts):
                return generator.randrange(len(alts))
            case ir.Int(lo, hi):
                return generator.choice([lo, hi, generator.randint(lo, hi)])
            case ir.Real(lo, hi, scale):
                inner = math.exp(generator.uniform(math.log(lo), math.log(hi))) if scale == "log" else generator.uniform(lo, hi)
                return generator.choice([lo, hi, max(lo, min(hi, inner)), max(lo, min(hi, float(round(inner))))])

    # Values of parameters that turn out inactive are there too, and must not matter.
    return [{param.id: value(param) for param in program.params} for _ in range(n)]


@given(st.lists(EXPRS, min_size=1, max_size=6), st.integers(0, 10_000), st.sampled_from([1, 7, 300]))
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_expression_agrees_row_by_row(exprs: list[ir.Expr], seed: int, n: int) -> None:
    program = ir.Program(SPACE.study, SPACE.params, SPACE.config, tuple(ir.Require(expr) for expr in exprs))
    check(program, points_of(program, random.Random(seed), n), exprs)
