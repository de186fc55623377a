"""Expressions: names are replaced by what they mean, constants are computed, reads of parameters that may be absent are refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from .. import ast, ir
from ..diagnostics import did_you_mean, nearest
from ..evaluate import Undefined
from ..operations import FUNCTIONS
from ..source import Span
from .expand import is_component
from .logic import Known, beyond, conjunction, conjuncts, fold, follows, is_false, is_true, negation
from .places import Places, chain
from .tree import Binding, Comp, Echo, Fault, Leaf, Map, RangeTree, Scope, Seq, Slot, Tree, Variable, later

if TYPE_CHECKING:
    from .sites import Sites

#: const: no parameter may be read; value: one that may be inactive may not; guard: a comparison with one is false;
#: require: one makes the whole condition hold.
Mode = Literal["const", "value", "guard", "require"]

_MAX_STEPS = 200_000
_MAX_DEPTH = 130

#: Factor to the base unit (seconds, bytes, millimetres, Hounsfield units), by dimension.
UNITS: dict[str, dict[str, float]] = {
    "time": {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0},
    "bytes": {"B": 1.0, **{f"{p}{b}": f**n for f, b in ((1000, "B"), (1024, "iB")) for n, p in enumerate("KMGT", 1)}},
    "length": {"mm": 1.0},
    "HU": {"HU": 1.0},
}


def base_value(quantity: ast.Quantity) -> tuple[int | float, str]:
    """The value in base units and its dimension. Fault AM109."""
    for dimension, units in UNITS.items():
        if quantity.unit in units:
            value = quantity.value * units[quantity.unit]
            return (int(value) if value == int(value) and abs(value) < 2**53 else value), dimension
    known = [unit for units in UNITS.values() for unit in units]
    raise Fault("AM109", f"unknown unit `{quantity.unit}`", quantity.span, help=did_you_mean(quantity.unit, known))


@dataclass(frozen=True, slots=True)
class Reading:
    """How an expression is read: what is known to hold there, and what an inactive parameter means."""

    mode: Mode = "value"
    known: Known = ()
    #: a guard's comparison collects here what must hold for it to have a value
    needs: list[ir.Expr] | None = None

    def given(self, condition: ir.Expr) -> Reading:
        return replace(self, known=(*self.known, *conjuncts(condition)))


@dataclass(slots=True)
class Expressions:
    places: Places
    sites: Sites = field(init=False)
    stack: list[tuple[object, str]] = field(default_factory=list)
    steps: int = 0
    depth: int = 0

    # -- entry points -------------------------------------------------------------------------------------------------------

    def constant(self, expr: ast.Expr, scope: Scope | None, home: Slot | None) -> ir.Value:
        """The value of an expression that reads no parameter. Fault AM120."""
        value = self.translate(expr, scope, home, Reading("const"))
        if not isinstance(value, ir.Lit):
            raise Fault("AM120", "this must be known before the search", expr.span)
        return value.value

    def condition(self, expr: ast.Expr, scope: Scope | None, home: Slot | None, reading: Reading) -> ir.Expr:
        out = self.translate(expr, scope, home, reading)
        if isinstance(out, ir.Lit) and not isinstance(out.value, bool):
            raise Fault("AM104", "a condition is true or false", expr.span)
        if isinstance(out, ir.ParamRef) and not self.sites.is_bool(out):
            raise Fault("AM104", "a condition is true or false", expr.span, help="compare it with a value")
        return out

    def translate(self, expr: ast.Expr, scope: Scope | None, home: Slot | None, reading: Reading) -> ir.Expr:
        self.steps += 1
        self.depth += 1
        try:
            if self.steps > _MAX_STEPS:
                raise Fault("AM304", "these expressions take too much work to resolve", expr.span)
            if self.depth > _MAX_DEPTH:
                raise Fault("AM302", f"nested more than {_MAX_DEPTH} levels deep", expr.span)
            return fold(self._translate(expr, scope, home, reading))
        except Undefined as undefined:
            raise Fault("AM107", f"this has no value: {undefined}", expr.span) from None
        finally:
            self.depth -= 1

    def _translate(self, expr: ast.Expr, scope: Scope | None, home: Slot | None, reading: Reading) -> ir.Expr:
        def go(part: ast.Expr, how: Reading = reading) -> ir.Expr:
            return self.translate(part, scope, home, how)

        match expr:
            case ast.Lit(value):
                return ir.Lit(value)
            case ast.Quantity():
                return ir.Lit(base_value(expr)[0])
            case ast.Name() | ast.Attr() | ast.Meta():
                return self._read(expr, scope, home, reading)
            case ast.Index(base, index):
                if chain(expr)[0] is not None and not self._is_data(base, scope, home):
                    return self._read(expr, scope, home, reading)
                return ir.IndexOf(go(base), go(index))
            case ast.Unary(op, operand):
                return ir.Unary(op, go(operand))
            case ast.Binary("and", left, right):
                first = go(left)
                return ir.Binary("and", first, go(right, reading.given(first)))
            case ast.Binary("or", left, right):
                first = go(left)
                return ir.Binary("or", first, go(right, reading.given(negation(first))))
            case ast.Binary(op, left, right):
                return ir.Binary(_operator(op, expr.span), go(left), go(right))
            case ast.Compare(first, rest):
                return self._guarded_atom(reading, lambda how: self._compare(first, rest, scope, home, how))
            case ast.IfElse(condition, then, otherwise):
                test = self.condition(condition, scope, home, reading)
                if is_true(test):
                    return go(then)
                if is_false(test):
                    return go(otherwise)
                return ir.IfElse(test, go(then, reading.given(test)), go(otherwise, reading.given(negation(test))))
            case ast.ListExpr(items):
                return ir.ListOf(tuple(go(_plain(item)) for item in items))
            case ast.TupleExpr(items):
                return ir.ListOf(tuple(go(item) for item in items))
            case ast.DictExpr(entries):
                return ir.MapOf(tuple((key, go(item)) for key, item in entries))
            case ast.Comprehension(body, name, iterable, condition):
                inner = Variable(name, scope)
                over = ir.RangeOf(go(iterable.lo), go(iterable.hi)) if isinstance(iterable, ast.Range) else go(iterable)
                test2 = None if condition is None else self.translate(condition, inner, home, reading)
                return ir.Comprehension(self.translate(body, inner, home, reading), name, over, test2)
            case ast.Call():
                return self._call(expr, scope, home, reading)

    # -- calls --------------------------------------------------------------------------------------------------------------

    def _call(self, expr: ast.Call, scope: Scope | None, home: Slot | None, reading: Reading) -> ir.Expr:
        if expr.callee in FUNCTIONS:
            args: list[ir.Expr] = []
            for arg in expr.args:
                if not isinstance(arg, ast.Positional):
                    raise Fault("AM102", f"`{expr.callee}` takes plain values", arg.span)
                args.append(self.translate(arg.value, scope, home, reading))
            if not args or (len(args) != 1 and expr.callee not in ("min", "max", "sum")):
                raise Fault("AM102", f"`{expr.callee}` takes one value, not {len(args)}", expr.span)
            return ir.Apply(expr.callee, tuple(args))
        if expr.callee in self.places.defs:
            tree = self.sites.expand.value(expr, scope, home)
            if isinstance(tree, Leaf):
                return self.translate(tree.expr, tree.scope, tree.home, reading)
            return self._tree(tree, expr.span, reading)
        if is_component(expr.callee):
            raise Fault("AM104", f"`{expr.callee}(...)` is a component, not a value to compute with", expr.span)
        help = did_you_mean(expr.callee, {*FUNCTIONS, *self.places.defs})
        raise Fault("AM102", f"no function `{expr.callee}`", expr.callee_span, help=help)

    # -- names --------------------------------------------------------------------------------------------------------------

    def _is_data(self, base: ast.Expr, scope: Scope | None, home: Slot | None) -> bool:
        """Whether `base[...]` indexes into a value, not along a path."""
        try:
            found = self.places.resolve(base, scope, home)
        except Fault:
            return False
        if not isinstance(found, Slot):
            return True
        return any(binding.site is not None or isinstance(binding.value, Leaf) for binding in found.chain())

    def _read(self, expr: ast.Expr, scope: Scope | None, home: Slot | None, reading: Reading) -> ir.Expr:
        found = self.places.resolve(expr, scope, home)
        match found:
            case Variable(name):
                return ir.Local(name)
            case Slot():
                return self._guarded_atom(reading, lambda how: self.reference(found, expr.span, how))
            case None:
                base, steps = chain(expr)
                if base is not None and steps:  # a comprehension's variable has no members
                    raise Fault("AM110", f"`{base.id}` is a plain value", expr.span)
                inner = expr.base if isinstance(expr, (ast.Attr, ast.Meta, ast.Index)) else expr
                raise Fault("AM110", "only names have members", inner.span)

    def _guarded_atom(self, reading: Reading, make) -> ir.Expr:  # type: ignore[no-untyped-def]
        """In a guard, a comparison with an inactive parameter is false: what it needs is put before it."""
        if reading.mode != "guard" or reading.needs is not None:
            return make(reading)  # type: ignore[no-any-return]
        needs: list[ir.Expr] = []
        out: ir.Expr = make(replace(reading, needs=needs))
        whole = conjunction([*needs, out]) if needs else out
        return whole if whole is not None else out

    @contextmanager
    def entering(self, thing: object, slot: Slot, span: Span) -> Iterator[None]:
        """Refuse to come back to `thing` (a slot's value, its guard, its parameter) before it is done. AM121 prints the loop."""
        name = slot.id or slot.name
        for at, (other, _) in enumerate(self.stack):
            if other is thing:
                names = [known for _, known in self.stack[at:]] + [name]
                loop = [known for place, known in enumerate(names) if place == 0 or known != names[place - 1]]
                text = " -> ".join(loop if len(loop) > 1 else [name, name])
                raise Fault("AM121", f"this depends on itself: {text}", span, label="closes the loop")
        self.stack.append((thing, name))
        try:
            yield
        finally:
            self.stack.pop()

    def reference(self, slot: Slot, span: Span, reading: Reading) -> ir.Expr:
        """The value that stands at `slot`, read from a place where `reading.known` holds."""
        with self.entering(slot, slot, span):
            for condition in self.sites.above(slot):
                reading = self._need(condition, slot, span, reading)
            if slot.binding is None:
                raise Fault("AM101", f"`{slot.name}` has no value", span)
            return self._binding(slot, slot.binding, span, reading)

    def _binding(self, slot: Slot, binding: Binding, span: Span, reading: Reading, excluded: Known = ()) -> ir.Expr:
        """`excluded`: what holds since the bindings above did not apply."""
        if binding.guard is None:
            return self._bound(slot, binding, span, reading)
        guard = beyond(excluded, self.sites.guard(slot, binding))
        if is_true(guard):
            return self._bound(slot, binding, span, reading)
        if reading.mode == "const" and not is_false(guard):
            raise Fault("AM120", f"`{slot.name}` depends on the search; this must be known before it", span)
        if binding.below is None:
            if is_false(guard):
                raise Fault("AM130", f"`{slot.name}` is never there: its `when` is false", span)
            reading = self._need(guard, slot, span, reading)
            return self._bound(slot, binding, span, reading)
        if is_false(guard):
            return self._binding(slot, binding.below, span, reading, excluded)
        then = self._bound(slot, binding, span, reading.given(guard))
        others = (*excluded, *conjuncts(negation(guard)))
        otherwise = self._binding(slot, binding.below, span, reading.given(negation(guard)), others)
        return fold(ir.IfElse(guard, then, otherwise))

    def demand(self, conditions: Iterable[ir.Expr], slot: Slot, span: Span, reading: Reading) -> None:
        """Fault AM130 unless all `conditions` hold where `slot` is read."""
        for condition in conditions:
            reading = self._need(condition, slot, span, reading)

    def _need(self, condition: ir.Expr, slot: Slot, span: Span, reading: Reading) -> Reading:
        if reading.mode != "const" and not follows(reading.known, condition):
            if reading.mode == "value":
                raise Fault(
                    "AM130",
                    f"`{slot.id or slot.name}` may be absent here",
                    span,
                    label="read where it may be inactive",
                    help="read it under the same `when`, or in one branch of `a if condition else b`",
                )
            if reading.needs is not None:
                reading.needs.append(condition)
        return reading.given(condition)

    def _bound(self, slot: Slot, binding: Binding, span: Span, reading: Reading) -> ir.Expr:
        if binding.site is not None:
            if reading.mode == "const":
                raise Fault("AM120", f"`{slot.name}` is searched; this must be known before the search", span)
            return self.sites.read(binding.site, binding, slot, span)
        if binding.value is None:
            raise Fault("AM101", f"`{slot.name}` has no value", span)
        return self._tree(binding.value, span, reading)

    def _tree(self, tree: Tree, span: Span, reading: Reading) -> ir.Expr:
        match tree:
            case Leaf(expr, scope, home):
                return self.translate(expr, scope, home, reading)
            case Seq(is_unknown=True):
                raise Echo(span)
            case Seq(items=items):
                return fold(ir.ListOf(tuple(self.reference(item, span, reading) for item in items)))
            case Map(entries=entries):
                return fold(ir.MapOf(tuple((key, self.reference(slot, span, reading)) for key, slot in entries.items())))
            case Comp(cls=cls):
                help = f"ask for its class: `... is {cls.rpartition('.')[2]}`"
                raise Fault("AM104", f"this is the component `{cls}`, not a value to compute with", span, help=help)

    # -- comparisons --------------------------------------------------------------------------------------------------------

    def _compare(
        self, first: ast.Expr, rest: tuple[tuple[str, ast.Expr], ...], scope: Scope | None, home: Slot | None, reading: Reading
    ) -> ir.Expr:
        out: ir.Expr | None = None
        left = first
        for op, right in rest:
            if op in ("is", "is not"):
                part = self._is(left, right, scope, home, reading)
                part = negation(part) if op == "is not" else part
            else:
                a, b = (self.translate(side, scope, home, reading) for side in (left, right))
                part = fold(ir.Binary(_operator(op, right.span), a, b))
            out = part if out is None else fold(ir.Binary("and", out, part))
            left = right
        return ir.Lit(True) if out is None else out

    def _is(self, left: ast.Expr, right: ast.Expr, scope: Scope | None, home: Slot | None, reading: Reading) -> ir.Expr:
        """`m is A`: which alternative a search has taken, or which class stands there."""
        found = self.places.resolve(left, scope, home)
        if not isinstance(found, Slot):
            raise Fault(
                "AM104", "`is` asks which alternative a searched value has taken", left.span, help="compare values with `==`"
            )
        return self._slot_is(found, left.span, right, scope, home, reading)

    def _slot_is(
        self, slot: Slot, span: Span, right: ast.Expr, scope: Scope | None, home: Slot | None, reading: Reading
    ) -> ir.Expr:
        for condition in self.sites.above(slot):
            reading = self._need(condition, slot, span, reading)
        out: ir.Expr | None = None
        bindings = list(slot.chain())
        for binding in reversed(bindings):
            match binding:
                case Binding(site=site) if site is not None:
                    part: ir.Expr = self._alternative_is(binding, right, scope, home)
                case Binding(value=Comp() as comp):
                    wanted, index = _wanted_class(right)
                    part = ir.Lit(wanted in (comp.cls, comp.short) and index in (None, 0))
                case Binding(value=Leaf(expr, inner, at)):
                    target = self.places.resolve(expr, inner, at)
                    if not isinstance(target, Slot):
                        raise Fault(
                            "AM104", "`is` asks which alternative a searched value has taken", span, help="compare values with `==`"
                        )
                    part = self._slot_is(target, span, right, scope, home, reading)
                case _:
                    raise Fault(
                        "AM104", "`is` asks which alternative a searched value has taken", span, help="compare values with `==`"
                    )
            if binding.guard is None:
                out = part
                continue
            guard = self.sites.guard(slot, binding)
            # `m is A` where `m = A() if guard else B()` is the guard, and a reader under it may rely on that.
            if out is not None and is_true(part):
                out = guard if is_false(out) else fold(ir.Binary("or", guard, out))
            elif out is not None and is_false(part):
                out = negation(guard) if is_true(out) else out if is_false(out) else fold(ir.Binary("and", negation(guard), out))
            elif out is None:
                out = fold(ir.Binary("and", guard, part))
            else:
                out = fold(ir.IfElse(guard, part, out))
        if out is None:
            raise Fault("AM101", f"`{slot.name}` has no value", span)
        return out

    def _alternative_is(self, binding: Binding, right: ast.Expr, scope: Scope | None, home: Slot | None) -> ir.Expr:
        site = binding.site
        if site is None:
            return ir.Lit(False)
        trees = binding.alternatives()
        wanted, index = _wanted_class(right)
        classes = [tree for tree in trees if isinstance(tree, Comp)]
        if wanted is not None and classes:
            hits = tuple(at for at, tree in enumerate(trees) if isinstance(tree, Comp) and wanted in (tree.cls, tree.short))
            if not hits:
                help = did_you_mean(wanted, [tree.short for tree in classes])
                raise Fault("AM110", f"no alternative is called `{wanted}`", right.span, label="unknown alternative", help=help)
            if index is not None and not 0 <= index < len(hits):
                help = f"the last is `{wanted}[{len(hits) - 1}]`"
                message = f"{len(hits)} of the alternatives are a `{wanted}`, counted from 0"
                raise Fault("AM112", message, right.span, label="unknown alternative", help=help)
            hits = hits if index is None else (hits[index],)
            return ir.IsAlt(self.sites.id(site), hits)
        value = self.constant(right, scope, home)
        hits = tuple(
            at
            for at, tree in enumerate(trees)
            if isinstance(tree, Leaf) and _same_scalar(self.constant(tree.expr, tree.scope, tree.home), value)
        )
        if any(isinstance(tree, RangeTree) for tree in trees) and not hits:
            raise later("`is` with a value inside a range", right.span)
        if not hits:
            raise Fault("AM110", "no alternative has this value", right.span, label="unknown alternative")
        return ir.IsAlt(self.sites.id(site), hits)


def _wanted_class(expr: ast.Expr) -> tuple[str | None, int | None]:
    """`UNet`, or `UNet[1]` where several alternatives are of that class."""
    match expr:
        case ast.Index(base, ast.Lit(int() as index)) if not isinstance(index, bool):
            return _class_name(base), index
        case _:
            return _class_name(expr), None


def _class_name(expr: ast.Expr) -> str | None:
    match expr:
        case ast.Name(id):
            return id
        case ast.Attr(base, name):
            inner = _class_name(base)
            return None if inner is None else f"{inner}.{name}"
        case _:
            return None


def _same_scalar(a: ir.Value, b: ir.Value) -> bool:
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def _plain(item: ast.Item) -> ast.Expr:
    if isinstance(item.value, ast.Domain):
        raise later("a search inside an expression", item.span)
    if item.guard is not None:
        raise later("an optional item inside an expression", item.span)
    return item.value


def _operator(
    op: str, span: Span
) -> Literal["+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "in", "not in"]:
    match op:
        case "+" | "-" | "*" | "/" | "//" | "%" | "**" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in":
            return op
        case _:
            raise Fault("AM102", f"no operator `{op}`", span, help=nearest(op, ["+", "-", "*", "/"]) or "")
