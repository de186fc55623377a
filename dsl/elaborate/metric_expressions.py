"""`ensure` and objectives: expressions in which a bare name, or a text, is a metric.

A dotted name still reads the configuration, so that a limit may depend on what a trial was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .. import ast, ir
from ..diagnostics import did_you_mean
from ..evaluate import Undefined
from ..operations import FUNCTIONS
from ..source import Span
from .dimensions import Dimensions
from .expressions import Expressions, Reading, base_value
from .logic import fold, metrics_in
from .metrics import BUILT_IN
from .tree import Fault

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


@dataclass(slots=True)
class MetricExpressions:
    """`labels`: the metrics that the configuration names; () where it names none and any name may come.

    `spans`: metric -> where it is first read.
    """

    expressions: Expressions
    labels: Sequence[str]
    spans: dict[str, Span] = field(default_factory=dict)

    def condition(self, expr: ast.Expr) -> ir.Expr:
        """What stands behind `ensure`. Fault AM104, AM107, AM109, AM404 and those of expressions."""
        out = self._checked(expr, "ensure", "a condition before the trial is a `require`")
        if not _is_condition(out):
            raise Fault("AM104", "`ensure` needs a condition", expr.span, help="compare it with a value, as in `dice >= 0.8`")
        return out

    def number(self, expr: ast.Expr) -> ir.Expr:
        """What stands behind `maximize` or `minimize`."""
        out = self._checked(expr, "an objective", "write the name of a metric")
        if _is_condition(out):
            help = "a condition that a good trial meets is an `ensure`"
            raise Fault("AM104", "an objective is a number, not a condition", expr.span, help=help)
        return out

    def _checked(self, expr: ast.Expr, what: str, help: str) -> ir.Expr:
        try:
            out = self._translate(expr)
        except Undefined as undefined:
            raise Fault("AM107", f"this has no value: {undefined}", expr.span) from None
        if not metrics_in(out):
            name = f"`{what}`" if what == "ensure" else what
            raise Fault("AM404", f"{name} reads no metric here", expr.span, help=help)
        Dimensions(self.expressions.places, BUILT_IN.get).of(expr)
        return out

    # -- translation ----------------------------------------------------------------------------------------------------------

    def _translate(self, expr: ast.Expr) -> ir.Expr:
        return fold(self._node(expr))

    def _node(self, expr: ast.Expr) -> ir.Expr:
        go = self._translate
        match expr:
            case ast.Name(name, span) | ast.Lit(str() as name, span):
                return self._metric(name, span)
            case ast.Lit(value):
                return ir.Lit(value)
            case ast.Quantity():
                return ir.Lit(base_value(expr)[0])
            case ast.Attr() | ast.Meta() | ast.Index():
                return self._path(expr)
            case ast.Unary(op, operand):
                return ir.Unary(op, self._truth(operand) if op == "not" else self._value(operand))
            case ast.Binary("and" | "or" as op, left, right):
                return ir.Binary(op, self._truth(left), self._truth(right))
            case ast.Binary("+" | "-" | "*" | "/" | "//" | "%" | "**" as op, left, right):
                return ir.Binary(op, self._value(left), self._value(right))
            case ast.Compare(first, rest):
                return self._compare(expr, first, rest)
            case ast.IfElse(condition, then, otherwise):
                return ir.IfElse(self._truth(condition), go(then), go(otherwise))
            case ast.ListExpr(items):
                return ir.ListOf(tuple(go(item.value) for item in items if not isinstance(item.value, ast.Domain)))
            case ast.Call(callee, args, callee_span) if callee in FUNCTIONS:
                values = [arg.value for arg in args if isinstance(arg, ast.Positional)]
                if len(values) < len(args) or not values or (len(values) != 1 and callee not in ("min", "max", "sum")):
                    raise Fault("AM102", f"`{callee}` takes one value", expr.span)
                return ir.Apply(callee, tuple(self._value(value) for value in values))
            case ast.Call(callee, _, callee_span):
                help = did_you_mean(callee, FUNCTIONS)
                raise Fault("AM102", f"no function `{callee}`", callee_span, help=help)
            case _:
                raise Fault("AM104", "metrics are numbers: compute with them and compare them", expr.span)

    def _truth(self, expr: ast.Expr) -> ir.Expr:
        out = self._translate(expr)
        if not _is_condition(out):
            raise Fault("AM104", "a condition is true or false", expr.span, help="compare it with a value")
        return out

    def _value(self, expr: ast.Expr) -> ir.Expr:
        out = self._translate(expr)
        if _is_condition(out) or (isinstance(out, ir.Lit) and not isinstance(out.value, (int, float))):
            raise Fault("AM104", "a number is needed here", expr.span)
        return out

    def _compare(self, whole: ast.Expr, first: ast.Expr, rest: tuple[tuple[str, ast.Expr], ...]) -> ir.Expr:
        if any(op in ("is", "is not") for op, _ in rest):
            return self.expressions.translate(whole, None, None, Reading("require"))
        out: ir.Expr | None = None
        left, before = self._operand(first, rest[0][0]), first
        for op, part in rest:
            if op not in _COMPARISONS and op not in ("in", "not in"):
                raise Fault("AM102", f"metrics are not compared with `{op}`", part.span)
            right = self._operand(part, op)
            test = fold(ir.Binary(op, left, right))  # type: ignore[arg-type]
            out = test if out is None else fold(ir.Binary("and", out, test))
            left, before = right, part
        if out is None:
            raise Fault("AM104", "something to compare with is missing", before.span)
        return out

    def _operand(self, expr: ast.Expr, op: str) -> ir.Expr:
        """Beside `==` and `in` a text is a text: only a setting of the configuration can equal one."""
        if isinstance(expr, ast.Lit) and op in ("==", "!=", "in", "not in"):
            return ir.Lit(expr.value)
        return self._translate(expr)

    def _path(self, expr: ast.Expr) -> ir.Expr:
        base = expr
        while isinstance(base, (ast.Attr, ast.Meta, ast.Index)):
            base = base.base
        places = self.expressions.places
        if isinstance(base, ast.Name) and places.name(base.id, None, None) is None:
            text = ".".join(_words(expr))
            help = f'a metric with other signs in its name stands in quotes: "{text}"'
            raise Fault("AM404", f"nothing is named `{base.id}` here", base.span, label="unknown name", help=help)
        return self.expressions.translate(expr, None, None, Reading("require"))

    def _metric(self, name: str, span: Span) -> ir.Expr:
        places = self.expressions.places
        if name in places.root.entries or ((), name) in places.lets or name in places.defs:
            message = f"`{name}` is a metric here, but it also names a value of this program"
            raise Fault("AM404", message, span, help="give one of the two another name")
        if self.labels and name not in self.labels and name not in BUILT_IN:
            help = did_you_mean(name, [*self.labels, *BUILT_IN])
            raise Fault("AM404", f"the configuration has no metric `{name}`", span, label="unknown metric", help=help)
        self.spans.setdefault(name, span)
        return ir.Metric(name)


def _is_condition(expr: ir.Expr) -> bool:
    match expr:
        case ir.Binary(op):
            return op in (*_COMPARISONS, "and", "or", "in", "not in")
        case ir.Unary("not") | ir.IsAlt():
            return True
        case ir.Lit(value):
            return isinstance(value, bool)
        case ir.IfElse(_, then, otherwise):
            return _is_condition(then) and _is_condition(otherwise)
        case _:
            return False


def _words(expr: ast.Expr) -> list[str]:
    match expr:
        case ast.Name(name):
            return [name]
        case ast.Attr(base, name):
            return [*_words(base), name]
        case ast.Meta(base) | ast.Index(base):
            return _words(base)
        case _:
            return []
