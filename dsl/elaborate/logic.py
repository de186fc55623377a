"""Conditions as values: conjunctions, what follows from what, folding of constants."""

from __future__ import annotations

from collections.abc import Iterable

from .. import ir
from ..evaluate import Assignment, evaluate

TRUE, FALSE = ir.Lit(True), ir.Lit(False)

#: What is known to hold at some place: a conjunction.
Known = tuple[ir.Expr, ...]

_NOTHING = Assignment(ir.Program(ir.Study(), (), ir.MapNode({})), {})


def is_true(expr: ir.Expr) -> bool:
    return isinstance(expr, ir.Lit) and expr.value is True


def is_false(expr: ir.Expr) -> bool:
    return isinstance(expr, ir.Lit) and expr.value is False


def fold(expr: ir.Expr) -> ir.Expr:
    """`expr` as a literal if all its operands are. Raises Undefined when it then has no value."""
    match expr:
        case ir.Unary("not", ir.Unary("not", inner)):
            return inner
        case ir.Unary(_, operand):
            constant = isinstance(operand, ir.Lit)
        case ir.Binary("and", left, right):
            if is_true(left):
                return right
            if is_false(left) or is_true(right):
                return left
            constant = isinstance(left, ir.Lit) and isinstance(right, ir.Lit)
        case ir.Binary("or", left, right):
            if is_false(left):
                return right
            if is_true(left) or is_false(right):
                return left
            constant = isinstance(left, ir.Lit) and isinstance(right, ir.Lit)
        case ir.Binary(_, left, right):
            constant = isinstance(left, ir.Lit) and isinstance(right, ir.Lit)
        case ir.IfElse(condition, then, otherwise):
            if is_true(condition):
                return then
            if is_false(condition):
                return otherwise
            if isinstance(condition, ir.Unary) and condition.op == "not":  # one form for both ways to say it
                return ir.IfElse(condition.operand, otherwise, then)
            constant = isinstance(condition, ir.Lit)
        case ir.ListOf(items):
            constant = all(isinstance(item, ir.Lit) for item in items)
        case ir.MapOf(entries):
            constant = all(isinstance(item, ir.Lit) for _, item in entries)
        case ir.IndexOf(base, index):
            constant = isinstance(base, ir.Lit) and isinstance(index, ir.Lit)
        case ir.Apply(_, args):
            constant = all(isinstance(arg, ir.Lit) for arg in args)
        case ir.RangeOf(lo, hi):
            constant = isinstance(lo, ir.Lit) and isinstance(hi, ir.Lit)
        case ir.Comprehension():
            constant = not free(expr)
        case _:
            return expr
    return ir.Lit(evaluate(expr, _NOTHING)) if constant else expr


def children(expr: ir.Expr) -> tuple[ir.Expr, ...]:
    match expr:
        case ir.Unary(_, operand):
            return (operand,)
        case ir.Binary(_, left, right):
            return (left, right)
        case ir.IfElse(condition, then, otherwise):
            return (condition, then, otherwise)
        case ir.ListOf(items):
            return items
        case ir.MapOf(entries):
            return tuple(item for _, item in entries)
        case ir.Comprehension(body, _, iterable, condition):
            return (iterable, body) if condition is None else (iterable, condition, body)
        case ir.RangeOf(lo, hi):
            return (lo, hi)
        case ir.IndexOf(base, index):
            return (base, index)
        case ir.Apply(_, args):
            return args
        case _:
            return ()


def free(expr: ir.Expr, bound: frozenset[str] = frozenset()) -> bool:
    """Whether `expr` reads a parameter, or a comprehension's variable from outside."""
    match expr:
        case ir.ParamRef() | ir.IsAlt() | ir.Metric():
            return True
        case ir.Local(name):
            return name not in bound
        case ir.Comprehension(body, name, iterable, condition):
            inner = bound | {name}
            return free(iterable, bound) or free(body, inner) or (condition is not None and free(condition, inner))
        case _:
            return any(free(child, bound) for child in children(expr))


def reads(expr: ir.Expr | None) -> list[ir.ParamId]:
    """The parameters that `expr` reads, in the order they are written, each once."""
    out: dict[ir.ParamId, None] = {}

    def visit(node: ir.Expr) -> None:
        if isinstance(node, (ir.ParamRef, ir.IsAlt)):
            out[node.param] = None
        for child in children(node):
            visit(child)

    if expr is not None:
        visit(expr)
    return list(out)


def metrics_in(expr: ir.Expr) -> list[str]:
    """The metrics that `expr` reads, in the order they are written, each once."""
    own = [expr.name] if isinstance(expr, ir.Metric) else []
    return list(dict.fromkeys([*own, *(name for child in children(expr) for name in metrics_in(child))]))


def conjuncts(expr: ir.Expr) -> Known:
    if isinstance(expr, ir.Binary) and expr.op == "and":
        return (*conjuncts(expr.left), *conjuncts(expr.right))
    return () if is_true(expr) else (expr,)


def conjunction(parts: Iterable[ir.Expr]) -> ir.Expr | None:
    """All of `parts`, each once; None if there are none."""
    out: ir.Expr | None = None
    seen: list[ir.Expr] = []
    for part in parts:
        if is_true(part) or part in seen:
            continue
        seen.append(part)
        out = part if out is None else ir.Binary("and", out, part)
    return out


def negation(expr: ir.Expr) -> ir.Expr:
    return fold(ir.Unary("not", expr))


def follows(known: Known, wanted: ir.Expr) -> bool:
    """Whether `wanted` certainly holds where `known` does. False may mean that it was not seen."""
    if is_true(wanted) or wanted in known or any(is_false(fact) for fact in known):
        return True
    match wanted:
        case ir.Binary("and", left, right):
            return follows(known, left) and follows(known, right)
        case ir.Binary("or", left, right):
            return follows(known, left) or follows(known, right)
        case ir.IsAlt(param, alts):
            return any(isinstance(fact, ir.IsAlt) and fact.param == param and set(fact.alts) <= set(alts) for fact in known)
        case ir.Unary("not", ir.IsAlt(param, alts)):
            return any(isinstance(fact, ir.IsAlt) and fact.param == param and not set(fact.alts) & set(alts) for fact in known)
        case _:
            return False


def beyond(known: Known, wanted: ir.Expr) -> ir.Expr:
    """What of `wanted` is left to ask where `known` holds."""
    rest = [part for part in conjuncts(wanted) if not follows(known, part)]
    return conjunction(rest) or TRUE


def exclude(first: Known, second: Known) -> bool:
    """Whether both certainly never hold together."""
    for a in first:
        if follows(second, negation(a)):
            return True
        for b in second:
            match a, b:
                case ir.Binary("==", left, ir.Lit(x)), ir.Binary("==", right, ir.Lit(y)) if left == right and x != y:
                    return True
                case _:
                    pass
    return any(follows(first, negation(b)) for b in second)
