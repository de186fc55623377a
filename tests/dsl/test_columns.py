"""Columns say, row by row, what `evaluate` says."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl_run.dsl import columns, ir
from automl_run.dsl.columns import Columns
from automl_run.dsl.evaluate import Assignment, Undefined, evaluate, infeasible_because, is_active
from automl_run.dsl.ir import Point, Program
from automl_run.dsl.load import check_text, parse

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
            expected = attempt(program, point, expr)
            if isinstance(expected, Undefined):
                assert isinstance(value, Undefined), (expr, point, value, expected)
                assert value.inactive == expected.inactive, (expr, point)
            else:
                assert same(value, expected), (expr, point, value, expected)


def attempt(program: Program, point: Point, expr: ir.Expr) -> ir.Value | Undefined:
    try:
        return evaluate(expr, Assignment(program, point))
    except Undefined as undefined:
        return undefined


# -- generated ----------------------------------------------------------------------------------------------------------------

LITERALS = st.sampled_from(
    [0, 1, 2, -1, 3, 7, BIG, 2**63, 2**65, 0.5, -1.5, 2.0, 1e300, -0.0, True, False, None, "a", "bc", [1, 2.0], [], {"a": 1}]
).map(lambda value: ir.Lit(cast(ir.Value, value)))
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
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_expression_agrees_row_by_row(exprs: list[ir.Expr], seed: int, n: int) -> None:
    program = ir.Program(SPACE.study, SPACE.params, SPACE.config, tuple(ir.Require(expr) for expr in exprs))
    check(program, points_of(program, random.Random(seed), n), exprs)


NUMBERS = st.sampled_from(["1", "2", "3", "0.5", "true", "null", '"a"', "[1, 2]"])
RANGES = st.sampled_from(["1..4", "0.0..1.0", "log 1e-3..1.0", "2..16 step *2", "0.0..1.0 step 0.25"])
SEARCHES = st.one_of(RANGES, st.lists(NUMBERS, min_size=2, max_size=4).map(" | ".join))
GUARDS = st.sampled_from(["", "", " when m is A", " when not b", " when n > 2", " when v < 0.5 and b"])
DERIVED = st.sampled_from(["n * v", "6 / (n - 2)", "v if b else n", "[n, v]", "[i * n for i in 1..n]"])
STATEMENTS = st.one_of(
    st.builds("~ {}{}".format, SEARCHES, GUARDS),
    st.builds("~ C(p ~ {}) | D(q ~ {}, @disabled = b){}".format, SEARCHES, SEARCHES, GUARDS),
    st.builds("= C(p ~ {}, q = {}, @disabled ~ true | false){}".format, SEARCHES, NUMBERS, GUARDS),
    st.builds(
        "= {}{}".format, st.sampled_from(["n * v", "6 / (n - 2)", "v if b else n", "[n, v]", "[i * n for i in 1..n]"]), GUARDS
    ),
    st.builds("= [~ C() | D(k ~ {}), C(r = n // 2) when b]{}".format, SEARCHES, GUARDS),
)
REQUIRES = st.sampled_from(
    [
        "n * v < 3",
        "v / (n - 1) <= 1",
        "m is A or v > 0.2",
        "m.k < 3",
        "m.w + n > 1 and b",
        "(n if b else v) >= 1",
        "max(n, 2) % 2 == 0",
        "len([i for i in 1..n if i > 1]) < 3",
        'name in ["x", "z"] or n > 1',
        "log2(n) + sqrt(v) < 2.5",
        "not b or n ** 2 > 4",
    ]
)
FIXED = 'm ~ A(k ~ 1..3) | B(w ~ 0.0 | 0.1..0.5)\nb ~ true | false\nlet n ~ 1..4\nlet v ~ 0.0..1.0\nlet name ~ "x" | "y"\n'


@given(st.lists(STATEMENTS, max_size=4), st.lists(REQUIRES, max_size=3), st.integers(0, 10_000))
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_program_agrees_row_by_row(statements: list[str], requires: list[str], seed: int) -> None:
    lines = [f"x{number} {statement}" for number, statement in enumerate(statements)]
    checked = check_text(FIXED + "\n".join([*lines, *(f"require {text}" for text in requires)]))
    if checked.program is None:  # the elaborator tried points and found none allowed
        assert {found.code for found in checked.diagnostics if found.severity == "error"} == {"AM123"}, checked.rendered()
        return
    check(checked.program, points_of(checked.program, random.Random(seed), 40), [])


# -- examples -----------------------------------------------------------------------------------------------------------------

NETS = parse('m ~ A(k ~ 1..3) | B(w ~ 8 | 16)\nlr ~ log 1e-4..1e-2\nrequire m.k < 3\nrequire lr < 5e-3 because "too fast"')


def test_the_three_forms_of_candidates_mean_the_same() -> None:
    nan = math.nan
    matrix = np.array([[0, 2, nan, 1e-3], [0, 3, nan, 1e-3], [1, nan, 1, 1e-3], [1, nan, 1, 9e-3], [1, nan, nan, 1e-3]])
    points: list[Point] = [
        {param.id: value for param, value in zip(NETS.params, row, strict=True) if not math.isnan(value)} for row in matrix.tolist()
    ]
    by_name = {param.id: matrix[:, at] for at, param in enumerate(NETS.params)}
    for candidates in (matrix, points, by_name):
        found = Columns(NETS, candidates)
        assert len(found) == 5
        assert found.rejected_by().tolist() == [-1, 0, -1, 1, 2]
        assert found.active("m[A].k").tolist() == [True, True, False, False, False]
        assert found.points(found.feasible()) == [{"m": 0, "m[A].k": 2, "lr": 1e-3}, {"m": 1, "m[B].w": 1, "lr": 1e-3}]


def test_values_outside_their_domain_are_not_allowed() -> None:
    inf = math.inf
    rows = [
        [0, 0, 0, 1e-3],
        [2, 1, 0, 1e-3],
        [-1, 1, 0, 1e-3],
        [0, 1, 0, 1.0],
        [0, 1, 9, 1e-3],
        [inf, 1, 0, 1e-3],
        [0, -inf, 0, 1e-3],
    ]
    found = Columns(NETS, np.array(rows, np.float64))
    assert found.feasible().tolist() == [False, False, False, False, True, False, False]
    assert isinstance(found.values(ir.ParamRef("lr"))[1], Undefined)
    assert found.holds(ir.Binary("<", ir.ParamRef("lr"), ir.Lit(1.0))).tolist() == [False, False, False, False, True, False, False]


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="4 columns"):
        Columns(NETS, np.zeros((3, 5)))
    with pytest.raises(ValueError, match="different lengths"):
        Columns(NETS, {"m": np.zeros(3), "lr": np.zeros(2)})
    with pytest.raises(KeyError):
        Columns(NETS, np.zeros((1, 4))).active("nobody")


def test_no_candidates_at_all() -> None:
    assert Columns(NETS, []).feasible().tolist() == []
    assert Columns(NETS, np.zeros((0, 4))).points() == []


def test_many_rows_are_cut_into_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    points = points_of(SPACE, random.Random(0), 50)
    requires = (ir.Require(ir.Binary("<", ir.ParamRef("x"), ir.ParamRef("i"))), ir.Require(ir.IsAlt("m", (1,))))
    program = ir.Program(SPACE.study, SPACE.params, SPACE.config, requires)
    whole = Columns(program, points)
    monkeypatch.setattr(columns, "_BLOCK", 7)
    cut = Columns(program, points)
    assert cut.rejected_by().tolist() == whole.rejected_by().tolist()
    assert cut.points(cut.feasible()) == whole.points(whole.feasible())
    assert cut.active("m[A].k").tolist() == whole.active("m[A].k").tolist()


def test_a_long_condition_is_no_exception() -> None:
    expr: ir.Expr = ir.Lit(True)
    for at in range(3000):
        expr = ir.Binary("and", expr, ir.Binary("!=", ir.ParamRef("x"), ir.Lit(at + 10)))
    assert len(Columns(SPACE, points_of(SPACE, random.Random(0), 3)).values(expr)) == 3
