"""Expressions of the IR -> syntax: parameters become the paths of the places that they decide."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

import msgspec

from automl_run.errors import InputError

from . import ast, ir
from .elaborate.constants import equal as same_value
from .elaborate.logic import fold
from .source import NOWHERE
from .to_automl_places import Homes, Place, short


class Unwritable(InputError):
    """A program holds something that the text has no form for."""


def literal(value: ir.Value) -> ast.Expr:
    match value:
        case list():
            return ast.ListExpr(tuple(ast.Item(literal(item), None, NOWHERE) for item in value), NOWHERE)
        case dict():
            entries = tuple((key, literal(item)) for key, item in value.items())
            return ast.DictExpr(entries, (NOWHERE,) * len(entries), NOWHERE)
        case _:
            return ast.Lit(value, NOWHERE)


def name(text: str) -> ast.Name:
    return ast.Name(text, NOWHERE)


def steps_expr(steps: tuple[ast.Step, ...]) -> ast.Expr:
    """A path as an expression that reads it."""
    first, *rest = steps
    if not isinstance(first, ast.NameStep):
        raise Unwritable("a path starts with a name")
    out: ast.Expr = name(first.name)
    for step in rest:
        match step:
            case ast.NameStep(text) if text.isidentifier() and text.isascii():
                out = ast.Attr(out, text, NOWHERE)
            case ast.NameStep(text):
                out = ast.Index(out, ast.Lit(text, NOWHERE), NOWHERE)
            case ast.AttrStep(text):
                out = ast.Meta(out, text, NOWHERE)
            case ast.IndexStep(index):
                out = ast.Index(out, index, NOWHERE)
    return out


def same(expr: ir.Expr) -> bytes:
    """Equal for equal expressions; True and 1 are two."""
    return msgspec.json.encode(expr)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands: the components around it, innermost last."""

    owners: tuple[str, ...] = ()

    def inside(self, owner: str) -> Scope:
        return Scope((*self.owners, owner))


@dataclass(slots=True)
class Names:
    """What can be written for an expression as a whole: a path that has this value, `m is A` that is this condition."""

    homes: Homes
    values: dict[bytes, Place] = field(default_factory=dict)
    classes: dict[bytes, tuple[Place, ast.Expr]] = field(default_factory=dict)

    def add(self, place: Place, node: ir.ConfigNode | None, param: ir.Param, slot: int) -> None:
        """`node` is what stands at `place`, None for a `let` without components."""
        value = self.value_of(node) if node is not None else self.param_value(param, slot)
        if value is not None:
            self.values.setdefault(same(value), place)
        for right in self._rights(node, param, slot):
            test = self._test(node, right) if node is not None else self._choice_test(param, slot, (), right)
            if test is not None:
                spelled = name(right[1]) if right[0] == "class" else literal(right[1])
                self.classes.setdefault(same(test), (place, spelled))

    # -- values ---------------------------------------------------------------------------------------------------------------

    def param_value(self, param: ir.Param, slot: int) -> ir.Expr:
        """What reading a search gives: a range among alternatives is a parameter of its own."""
        out: ir.Expr = ir.ParamRef(param.id, slot)
        for number, inner in self.homes.ranges.get(param.id, {}).items():
            out = fold(ir.IfElse(ir.IsAlt(param.id, (number,)), ir.ParamRef(inner.id, slot), out))
        return out

    def value_of(self, node: ir.ConfigNode) -> ir.Expr | None:
        match node:
            case ir.Read(param, slot):
                return ir.ParamRef(param, slot)
            case ir.Derived(expr):
                return expr
            case ir.Const(value):
                return ir.Lit(value)
            case ir.ChoiceNode(param, nodes):
                if any(isinstance(inside, ir.Component) for inside in nodes):
                    return None
                slot = next((inside.slot for inside in nodes if isinstance(inside, ir.Read)), 0)
                return self.param_value(self.homes.params[param], slot)
            case ir.Guarded(guard, then, otherwise):
                first = self.value_of(then)
                if first is None or otherwise is None:
                    return first
                second = self.value_of(otherwise)
                return None if second is None else fold(ir.IfElse(guard, first, second))
            case _:
                return None

    # -- `is` -----------------------------------------------------------------------------------------------------------------

    def _rights(self, node: ir.ConfigNode | None, param: ir.Param, slot: int) -> list[tuple[str, str]]:
        """What may stand on the right of `is`: classes by name, else values."""
        if not isinstance(param.domain, ir.Choice):
            return []
        nodes = _choice_nodes(node, param.id)
        classes = [inside.cls for inside in nodes if isinstance(inside, ir.Component)]
        if classes:
            found = [("class", short(cls)) for cls in classes] + [("class", cls) for cls in classes]
            numbered = [
                ("class", f"{short(cls)}[{at}]") for cls in dict.fromkeys(classes) for at in range(classes.count(cls))
                if classes.count(cls) > 1
            ]  # fmt: skip
            return list(dict.fromkeys(found + numbered))
        values = [alt.values[slot] for alt in param.domain.alts]
        return [("value", value) for value in values if not isinstance(value, (list, dict))]  # type: ignore[misc]

    def _test(self, node: ir.ConfigNode, right: tuple[str, str]) -> ir.Expr | None:
        match node:
            case ir.ChoiceNode(param, nodes):
                return self._choice_test(self.homes.params[param], 0, nodes, right)
            case ir.Read(param, slot) if param in self.homes.params:
                return self._choice_test(self.homes.params[param], slot, (), right)
            case ir.Component(cls):
                return ir.Lit(right[1] in (cls, short(cls)))
            case ir.Guarded(guard, then, otherwise):
                part = self._test(then, right)
                rest = None if otherwise is None else self._test(otherwise, right)
                if part is None or (otherwise is not None and rest is None):
                    return None
                return fold(ir.Binary("and", guard, part) if rest is None else ir.IfElse(guard, part, rest))
            case _:
                return None

    def _choice_test(self, param: ir.Param, slot: int, nodes: tuple[ir.ConfigNode, ...], right: tuple[str, str]) -> ir.Expr | None:
        if not isinstance(param.domain, ir.Choice):
            return None
        kind, wanted = right
        if kind == "class":
            cls, _, index = wanted.partition("[")
            hits = [
                at for at, inside in enumerate(nodes) if isinstance(inside, ir.Component) and cls in (inside.cls, short(inside.cls))
            ]
            if index:
                hits = hits[int(index.rstrip("]")) :][:1]
        else:
            owned = self.homes.ranges.get(param.id, {})
            values = [alt.values[slot] for alt in param.domain.alts]
            hits = [
                at
                for at, value in enumerate(values)
                if at not in owned and isinstance(value, bool) == isinstance(wanted, bool) and value == wanted
            ]
        return ir.IsAlt(param.id, tuple(hits)) if hits else None

    # -- writing --------------------------------------------------------------------------------------------------------------

    def read(self, param: str, slot: int, scope: Scope) -> ast.Expr:
        return self.expr(ir.ParamRef(param, slot), scope)

    def place(self, place: Place, scope: Scope) -> ast.Expr:
        """The path that reads `place`; the bare name of a `let` of a constructor around."""
        if place.local is not None and place.owner in scope.owners:
            return name(place.local)
        if place.steps is None:
            raise Unwritable(f"nothing addresses `{place.id}`")
        return steps_expr(place.steps)

    def expr(self, node: ir.Expr, scope: Scope) -> ast.Expr:
        """Raises Unwritable."""
        known = self._known(node, scope)
        if known is not None:
            return known
        match node:
            case ir.Lit(value):
                return literal(value)
            case ir.ParamRef(param):
                raise Unwritable(f"`{param}` cannot be read by itself")
            case ir.IsAlt(param):
                raise Unwritable(f"nothing asks for this alternative of `{param}`")
            case ir.Unary(op, operand):
                inner = self.expr(operand, scope)
                return _negated(inner) if op == "not" and isinstance(operand, ir.IsAlt) else ast.Unary(op, inner, NOWHERE)
            case ir.Binary("and", left, right):
                try:
                    first = self.expr(left, scope)
                except Unwritable:  # a condition that elaboration puts before what needs it
                    return self.expr(right, scope)
                return ast.Binary("and", first, self.expr(right, scope), NOWHERE)
            case ir.Binary(op, left, right):
                first, second = self.expr(left, scope), self.expr(right, scope)
                if op in ("==", "!=", "<", "<=", ">", ">=", "in", "not in"):
                    return ast.Compare(first, ((op, second),), NOWHERE)
                return ast.Binary(op, first, second, NOWHERE)
            case ir.IfElse(condition, then, otherwise):
                return ast.IfElse(self.expr(condition, scope), self.expr(then, scope), self.expr(otherwise, scope), NOWHERE)
            case ir.ListOf(items):
                return ast.ListExpr(tuple(ast.Item(self.expr(item, scope), None, NOWHERE) for item in items), NOWHERE)
            case ir.MapOf(entries):
                pairs = tuple((key, self.expr(item, scope)) for key, item in entries)
                return ast.DictExpr(pairs, (NOWHERE,) * len(pairs), NOWHERE)
            case ir.Comprehension(body, variable, iterable, condition):
                over: ast.Expr | ast.Range
                if isinstance(iterable, ir.RangeOf):
                    over = ast.Range(self.expr(iterable.lo, scope), self.expr(iterable.hi, scope), "linear", None, NOWHERE)
                else:
                    over = self.expr(iterable, scope)
                test = None if condition is None else self.expr(condition, scope)
                return ast.Comprehension(self.expr(body, scope), variable, over, test, NOWHERE)
            case ir.RangeOf():
                raise Unwritable("a range of integers stands only in a comprehension")
            case ir.Local(variable):
                return name(variable)
            case ir.IndexOf(base, index):
                return ast.Index(self.expr(base, scope), self.expr(index, scope), NOWHERE)
            case ir.Metric(metric):
                return name(metric) if metric.isidentifier() and metric.isascii() else ast.Lit(metric, NOWHERE)
            case ir.Apply(function, args):
                values = tuple(ast.Positional(self.expr(arg, scope), None, NOWHERE) for arg in args)
                return ast.Call(function, values, NOWHERE, NOWHERE)
            case _:
                assert_never(node)

    def _known(self, node: ir.Expr, scope: Scope) -> ast.Expr | None:
        if isinstance(node, (ir.Lit, ir.Local)):
            return None
        text = same(node)
        if text in self.values:
            return self.place(self.values[text], scope)
        if text in self.classes:
            at, right = self.classes[text]
            return ast.Compare(self.place(at, scope), (("is", _class(right)),), NOWHERE)
        return None


def _class(right: ast.Expr) -> ast.Expr:
    """`A`, `pkg.A` or `U[1]` as an expression."""
    if not isinstance(right, ast.Name):
        return right
    cls, _, index = right.id.partition("[")
    first, *rest = cls.split(".")
    out: ast.Expr = name(first)
    for word in rest:
        out = ast.Attr(out, word, NOWHERE)
    return ast.Index(out, ast.Lit(int(index.rstrip("]")), NOWHERE), NOWHERE) if index else out


def _negated(expr: ast.Expr) -> ast.Expr:
    """`m is not A` reads better than `not m is A`, and means the same."""
    match expr:
        case ast.Compare(first, (("is", right),)):
            return ast.Compare(first, (("is not", right),), NOWHERE)
        case _:
            return ast.Unary("not", expr, NOWHERE)


def _choice_nodes(node: ir.ConfigNode | None, param: str) -> tuple[ir.ConfigNode, ...]:
    match node:
        case ir.ChoiceNode(id, nodes) if id == param:
            return nodes
        case ir.Guarded(_, then, otherwise):
            return _choice_nodes(then, param) or _choice_nodes(otherwise, param)
        case _:
            return ()


__all__ = ["Names", "Scope", "Unwritable", "literal", "name", "same", "same_value", "steps_expr"]
