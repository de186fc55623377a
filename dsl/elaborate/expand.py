"""Syntax -> tree values: constructors become components, lists and dicts become places, `def`s are stamped out."""

from __future__ import annotations

from dataclasses import dataclass, field

from .. import ast
from ..diagnostics import Secondary, did_you_mean
from ..operations import FUNCTIONS
from ..source import Span
from .comprehensions import Lists, Wanted, both, outside, written_out
from .places import Places
from .tree import (
    Alternative,
    Binding,
    Comp,
    Fault,
    Leaf,
    Map,
    Names,
    RangeTree,
    Scope,
    Seq,
    Site,
    Slot,
    Tree,
    Variable,
)

_MAX_DEPTH = 64
_MAX_ALTERNATIVES = 10_000
#: `def`s that use each other multiply.
_MAX_STAMPED = 50_000


def is_component(callee: str) -> bool:
    return callee == "component" or "." in callee or callee[:1].isupper()


@dataclass(slots=True)
class Expander:
    """Makes the tree of one program. `layer` is the number of the layer being read."""

    places: Places
    layer: int = 0
    #: a bundle's layer: an argument that its class does not have is no mistake if a layer above replaces the component
    is_lenient: bool = False
    depth: int = 0
    stamped: int = 0
    stamping: list[str] = field(default_factory=list)
    lists: Lists = field(default_factory=lambda: Lists(is_final=True))
    #: the `def`s and the items of comprehensions that are being stamped, which tell one list from the next
    trail: list[int] = field(default_factory=list)

    # -- values -----------------------------------------------------------------------------------------------------------

    def bind(
        self,
        slot: Slot,
        value: ast.Expr,
        scope: Scope | None,
        span: Span,
        guard: ast.Expr | None = None,
        below: Binding | None = None,
    ) -> Binding:
        """The binding of a fixed value; `A() if c else B()` becomes two, since each branch is a place of its own."""
        if isinstance(value, ast.IfElse) and (_builds(value.then) or _builds(value.otherwise)):
            # Under a `when` each of the two has a whole condition; it comes first, the condition may need it.
            other = None if guard is None else both(guard, ast.Unary("not", value.condition, value.condition.span))
            rest = self.bind(slot, value.otherwise, scope, span, other, below)
            test = both(guard, value.condition)
            return Binding(self.value(value.then, scope, slot), None, 0, test, scope, span, self.layer, rest)
        return Binding(self.value(value, scope, slot), None, 0, guard, scope, span, self.layer, below)

    def value(self, expr: ast.Expr, scope: Scope | None, home: Slot | None) -> Tree:
        self.depth += 1
        self.stamped += bool(self.stamping)
        try:
            if self.stamped > _MAX_STAMPED:
                raise Fault("AM304", f"the `def`s of this program stand for more than {_MAX_STAMPED} values", expr.span)
            if self.depth > _MAX_DEPTH:
                raise Fault("AM302", f"nested more than {_MAX_DEPTH} levels deep", expr.span)
            return self._value(expr, scope, home)
        finally:
            self.depth -= 1

    def _value(self, expr: ast.Expr, scope: Scope | None, home: Slot | None) -> Tree:
        match expr:
            case ast.DictExpr(entries, spans, span):
                out = Map({}, span)
                for (key, item), at in zip(entries, spans, strict=True):
                    slot = Slot(key, at)
                    slot.binding = self.bind(slot, item, scope, item.span)
                    out.entries[key] = slot
                return out
            case ast.ListExpr(items, span):
                return Seq([self._item(item, scope) for item in items], span)
            case ast.TupleExpr(values, span):
                return Seq([self._item(ast.Item(item, None, item.span), scope) for item in values], span)
            case ast.Comprehension(body=body) if _builds(body):
                return self._unrolled(expr, scope, home)
            case ast.Call() if expr.callee in self.places.defs and not _shadowed(expr.callee, scope):
                recipe, inner = self._stamp(expr, scope)
                return self._only_value(recipe, inner, home, expr.callee, expr)
            case ast.Call() if is_component(expr.callee):
                return self._component(expr, scope)
            case ast.Name(name, span) if name in self.places.defs and not self._is_slot(name, scope):
                recipe, inner = self._stamp(ast.Call(name, (), span, span), scope)
                return self._only_value(recipe, inner, home, name, expr)
            case _:
                return Leaf(expr, scope, home)

    def _only_value(self, body: ast.Domain, scope: Scope | None, home: Slot | None, name: str, use: ast.Expr) -> Tree:
        only = body.alternatives[0]
        if len(body.alternatives) > 1 or isinstance(only, ast.Range):
            raise Fault("AM114", f"`{name}` is a set of values; it is searched with `~`", use.span, help=f"write `~ {name}`")
        self.stamping.append(name)
        self.trail.append(id(use))
        try:
            return self.value(only, scope, home)
        finally:
            self.stamping.pop()
            self.trail.pop()

    def _is_slot(self, name: str, scope: Scope | None) -> bool:
        while scope is not None:
            if isinstance(scope, Names) and name in scope.slots:
                return True
            if isinstance(scope, Variable) and scope.name == name:
                return True
            scope = scope.parent
        return False

    def _item(self, item: ast.Item, scope: Scope | None) -> Slot:
        slot = Slot("item", item.span)
        if isinstance(item.value, ast.Domain):
            self.search((slot,), item.value, scope, (), item.span, given=item.given, guard=item.guard)
        else:
            slot.binding = self.bind(slot, item.value, scope, item.span, item.guard)
        return slot

    def _unrolled(self, expr: ast.Comprehension, scope: Scope | None, home: Slot | None) -> Tree:
        """A comprehension that builds components: its list is written out, since each item is a place."""
        turns = written_out(expr)
        if turns is None:
            turns = self.lists.turns((*self.trail, id(expr)), Wanted(expr, scope, home))
            if turns is None:  # inside an expression, which asks for it after all places are made, it is a value or a mistake
                return Leaf(expr, scope, home) if self.lists.is_final else Seq([], expr.span, is_unknown=True)
        slots: list[Slot] = []
        around = outside(turns, scope)
        for number, element in enumerate(turns.elements):
            variable = Slot(expr.name, element.value.span)
            variable.binding = self.bind(variable, element.value, around, element.value.span)
            body = element.body or expr.body
            item = ast.Item(body, element.guard, body.span)
            self.trail.append(number)
            try:
                slots.append(self._item(item, Names({expr.name: variable}, around)))
            finally:
                self.trail.pop()
        is_absent = any(binding.guard is not None for slot in slots for binding in slot.chain())
        if is_absent and not any(_has_places(slot) for slot in slots):
            return Leaf(expr, scope, home)  # `def`s of plain values: a list to compute with
        return Seq(slots, expr.span)

    # -- components ---------------------------------------------------------------------------------------------------------

    def _component(self, call: ast.Call, scope: Scope | None) -> Comp:
        cls, args = call.callee, call.args
        if cls == "component":
            match args[:1]:
                case (ast.Positional(ast.Lit(str() as cls), None),):
                    args = args[1:]
                case _:
                    raise Fault("AM115", '`component` takes the class name first: `component("myNet", k = 3)`', call.span)
        comp = Comp(cls, call.instance, {}, {}, {}, call.span, call.callee_span)
        inner: Scope = Names(comp.lets, scope)
        for arg in args:
            if isinstance(arg, ast.Let):
                for path in arg.bind.targets:
                    self._declare(comp.lets, path, is_let=True)
        for arg in sorted(args, key=lambda arg: not isinstance(arg, ast.Let)):  # what a length reads stands already
            match arg:
                case ast.Positional(value, span=span):
                    help = "write `name = value`"
                    if isinstance(value, ast.Compare) and isinstance(value.first, ast.Name):
                        help = f"write `{value.first.id} = ...`"
                    raise Fault("AM115", f"the arguments of `{cls}` need names", span, help=help)
                case ast.Let(bind):
                    slots = [comp.lets[_name_of(path)] for path in bind.targets]
                    self._assign(slots, bind, inner)
                case ast.Bind():
                    slots = [self._declare(comp.attrs if _is_attr(path) else comp.args, path) for path in arg.targets]
                    for slot, path in zip(slots, arg.targets, strict=True):
                        if not _is_attr(path) and not self.is_lenient and self.places.has_argument(cls, slot.name) is False:
                            raise self.unknown_argument(cls, slot.name, path.span)
                    self._assign(slots, arg, inner)
        return comp

    def unknown_argument(self, cls: str, name: str, span: Span) -> Fault:
        from ..signatures import arguments

        help = did_you_mean(name, arguments(cls) or ())
        return Fault("AM203", f"`{name}` is not an argument of `{cls}`", span, label="unknown argument", help=help)

    def _declare(self, into: dict[str, Slot], path: ast.Path, is_let: bool = False) -> Slot:
        name = _name_of(path)
        if name in into:
            other = (Secondary(into[name].span, "first here"),)
            raise Fault("AM111", f"`{name}` is bound twice", path.span, label="again here", secondary=other)
        into[name] = Slot(name, path.span, is_let=is_let)
        return into[name]

    def _assign(self, slots: list[Slot], bind: ast.Bind, scope: Scope | None) -> None:
        if bind.append:
            raise Fault("AM116", "`+=` adds to an inherited list; an argument is given with `=`", bind.span)
        if bind.search is None:
            for slot, value in zip(slots, spread(bind.given, len(slots), bind.span), strict=True):
                if value is None:
                    raise Fault("AM007", f"`{slot.name}` is given no value", bind.span)
                slot.binding = self.bind(slot, value, scope, bind.span, bind.guard)
            return
        self.search(tuple(slots), bind.search, scope, bind.tags, bind.span, given=bind.given, guard=bind.guard)

    # -- searches -----------------------------------------------------------------------------------------------------------

    def search(
        self,
        slots: tuple[Slot, ...],
        domain: ast.Domain,
        scope: Scope | None,
        tags: tuple[str, ...],
        span: Span,
        *,
        given: ast.Expr | None = None,
        guard: ast.Expr | None = None,
        keep_baseline: bool = False,
    ) -> Site:
        """Bind `slots` to one search; what they hold so far is the baseline unless `given` is."""
        site = Site(list(slots), domain, scope, tags, span, slots[0].is_let, keep_baseline)
        site.alternatives = self.alternatives(domain, scope, slots)
        for at, (slot, value) in enumerate(zip(slots, spread(given, len(slots), span), strict=True)):
            old = slot.binding
            baseline = next((b.value for b in slot.chain() if b.guard is None or b.layer != self.layer), None)
            if value is not None:
                baseline = self.value(value, scope, slot)
            below = old if guard is not None else None
            slot.binding = Binding(baseline, site, at, guard, scope, span, self.layer, below, value is not None)
        return site

    def alternatives(self, domain: ast.Domain, scope: Scope | None, slots: tuple[Slot, ...]) -> list[Alternative]:
        out: list[Alternative] = []
        for alternative in domain.alternatives:
            if isinstance(alternative, ast.Range):
                out.append(Alternative((RangeTree(alternative, scope),) * len(slots), alternative.span))
                continue
            stamped = self._stamped_domain(alternative, scope)
            if stamped is not None:
                body, inner, name = stamped
                self.stamping.append(name)
                self.trail.append(id(alternative))
                try:
                    out += self.alternatives(body, inner, slots)
                finally:
                    self.stamping.pop()
                    self.trail.pop()
                continue
            if isinstance(alternative, ast.TupleExpr) and len(slots) > 1:
                parts = spread(alternative, len(slots), alternative.span)
                trees = [self.value(part, scope, slot) for part, slot in zip(parts, slots, strict=True) if part is not None]
                out.append(Alternative(tuple(trees), alternative.span))
                continue
            out.append(Alternative(tuple(self.value(alternative, scope, slot) for slot in slots), alternative.span))
            if len(out) > _MAX_ALTERNATIVES:
                raise Fault("AM303", f"a search has at most {_MAX_ALTERNATIVES} alternatives", alternative.span)
        return out

    def _stamped_domain(self, expr: ast.Expr, scope: Scope | None) -> tuple[ast.Domain, Scope | None, str] | None:
        """The body of the `def` that an alternative names, unless it is one plain value."""
        match expr:
            case ast.Name(name, span) if name in self.places.defs and not self._is_slot(name, scope):
                call = ast.Call(name, (), span, span)
            case ast.Call(name) if name in self.places.defs and not _shadowed(name, scope):
                call = expr
            case _:
                return None
        body, inner = self._stamp(call, scope)
        return body, inner, name

    # -- defs ---------------------------------------------------------------------------------------------------------------

    def _stamp(self, call: ast.Call, scope: Scope | None) -> tuple[ast.Domain, Scope | None]:
        name = call.callee
        if name in self.stamping:
            loop = " -> ".join([*self.stamping[self.stamping.index(name) :], name])
            raise Fault("AM121", f"the `def` {name} uses itself: {loop}", call.span)
        if len(self.stamping) >= _MAX_DEPTH:
            raise Fault("AM302", f"`def`s are nested more than {_MAX_DEPTH} levels deep", call.span)
        recipe, home_scope = self.places.defs[name]
        params = recipe.params or ()
        slots: dict[str, Slot] = {}
        positional = [arg for arg in call.args if isinstance(arg, ast.Positional)]
        if len(positional) > len(params):
            raise Fault("AM103", f"`{name}` takes {len(params)} arguments, not {len(positional)}", call.span)
        given: list[tuple[str, ast.Expr, Span]] = [
            (param, arg.value, arg.span) for param, arg in zip(params, positional, strict=False)
        ]
        for arg in call.args:
            if isinstance(arg, ast.Let) or (
                isinstance(arg, ast.Bind) and (arg.search or arg.given is None or len(arg.targets) != 1)
            ):
                raise Fault(
                    "AM115", f"an argument of `{name}` is a value", arg.span, help="put the search into the `def`, or use a `let`"
                )
            if isinstance(arg, ast.Bind) and arg.given is not None:
                given.append((_name_of(arg.targets[0]), arg.given, arg.span))
        for param, value, span in given:
            if param not in params:
                raise Fault("AM203", f"`{name}` has no argument `{param}`", span, help=did_you_mean(param, params))
            if param in slots:
                raise Fault("AM111", f"`{param}` is given twice", span)
            slots[param] = Slot(param, span)
            slots[param].binding = self.bind(slots[param], value, scope, span)
        missing = [param for param in params if param not in slots]
        if missing:
            raise Fault("AM103", f"`{name}` is missing its argument `{missing[0]}`", call.span)
        return recipe.body, Names(slots, home_scope)


# -- helpers ------------------------------------------------------------------------------------------------------------------


def spread(expr: ast.Expr | None, count: int, span: Span) -> tuple[ast.Expr | None, ...]:
    """One expression a target: a tuple unpacks with equal arity, anything else goes to all. Fault AM103."""
    if count == 1 or not isinstance(expr, ast.TupleExpr):
        return (expr,) * count
    if len(expr.items) != count:
        raise Fault("AM103", f"{len(expr.items)} values for {count} targets", expr.span, label=f"{count} are needed")
    return expr.items


def _builds(expr: ast.Expr | ast.Domain) -> bool:
    """Whether `expr` makes components or searches, so that it needs places of its own."""
    match expr:
        case ast.Call(callee):
            return is_component(callee) or callee not in FUNCTIONS
        case ast.ListExpr(items):
            return any(isinstance(item.value, ast.Domain) or item.guard is not None or _builds(item.value) for item in items)
        case ast.TupleExpr(items):
            return any(_builds(item) for item in items)
        case ast.DictExpr(entries):
            return any(_builds(item) for _, item in entries)
        case ast.IfElse(_, then, otherwise):
            return _builds(then) or _builds(otherwise)
        case ast.Comprehension(body=body):
            return _builds(body)
        case _:
            return False


def _has_places(slot: Slot) -> bool:
    """Whether components or searches stand at `slot` or in it."""
    for binding in slot.chain():
        match binding:
            case Binding(site=None, value=Leaf() | None):
                pass
            case Binding(site=None, value=Seq(items=items)):
                if any(_has_places(item) for item in items):
                    return True
            case Binding(site=None, value=Map(entries=entries)):
                if any(_has_places(item) for item in entries.values()):
                    return True
            case _:
                return True
    return False


def _shadowed(name: str, scope: Scope | None) -> bool:
    while scope is not None:
        if isinstance(scope, Names) and name in scope.slots:
            return True
        scope = scope.parent
    return False


def _is_attr(path: ast.Path) -> bool:
    return isinstance(path.steps[0], ast.AttrStep)


def _name_of(path: ast.Path) -> str:
    """The one step of an argument's or a `let`'s path. Fault AM115."""
    match path.steps:
        case (ast.NameStep(name),) | (ast.AttrStep(name),):
            return name
        case (ast.IndexStep(ast.Lit(str() as name)),):
            return name
        case _:
            raise Fault("AM115", "one plain name is needed here", path.span)
