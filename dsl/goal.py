"""The first objective of a study, as a job can compute it by itself: which of its validations is the best one.

A job knows neither the program nor its point, so what an expression reads of the configuration is put in before it is sent there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from . import ir
from .evaluate import Assignment, Undefined, evaluate
from .ir import Point, Program

_NOTHING: Final = Program(ir.Study(), (), ir.MapNode({}))


def goal_at(program: Program, point: Point | None) -> ir.Objective | None:
    """The first objective with the parameters of `point` (None: the baseline) in it; None for a study without one."""
    goal = next(iter(program.study.objectives), None)
    if goal is None or goal.expr is None:
        return goal
    return replace(goal, expr=_settled(goal.expr, Assignment(program, point)))


def merit(goal: ir.Objective, metrics: Mapping[str, float]) -> float | None:
    """What these metrics are worth, more being better; None where they lack one that `goal` reads, or it has no value."""
    here = Assignment(_NOTHING, {})
    here.metrics = metrics
    try:
        value = evaluate(goal.expr if goal.expr is not None else ir.Metric(goal.metric), here)
    except Undefined:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if goal.direction == "maximize" else -float(value)


def _settled(expr: ir.Expr, here: Assignment) -> ir.Expr:
    """`expr` with values in place of parameters. What has none at this point stays, and has no value in the job either."""

    def go(node: ir.Expr) -> ir.Expr:
        return _settled(node, here)

    match expr:
        case ir.ParamRef() | ir.IsAlt():
            try:
                return ir.Lit(evaluate(expr, here))
            except Undefined:
                return expr
        case ir.Unary(_, operand):
            return replace(expr, operand=go(operand))
        case ir.Binary(_, left, right):
            return replace(expr, left=go(left), right=go(right))
        case ir.IfElse(condition, then, otherwise):
            return ir.IfElse(go(condition), go(then), go(otherwise))
        case ir.ListOf(items):
            return ir.ListOf(tuple(go(item) for item in items))
        case ir.MapOf(entries):
            return ir.MapOf(tuple((key, go(item)) for key, item in entries))
        case ir.RangeOf(lo, hi):
            return ir.RangeOf(go(lo), go(hi))
        case ir.IndexOf(base, index):
            return ir.IndexOf(go(base), go(index))
        case ir.Apply(function, args):
            return ir.Apply(function, tuple(go(arg) for arg in args))
        case ir.Comprehension(body, name, iterable, condition):
            return ir.Comprehension(go(body), name, go(iterable), None if condition is None else go(condition))
        case _:
            return expr
