"""The configuration of a program -> statements."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from . import ast, ir
from .elaborate.domains import middle
from .elaborate.labels import OTHER, label_of
from .elaborate.logic import Known, conjunction, conjuncts, negation
from .source import NOWHERE
from .to_automl_exprs import Names, Scope, Unwritable, literal, name, same_value
from .to_automl_places import Group, Homes, Place, alternatives, argument, attribute, child, items, name_step, short, slot_of, top

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOP = Scope()


class Writer:
    """Writes one program. `statements` may be called once."""

    def __init__(self, program: ir.Program) -> None:
        self.program = program
        self.homes = Homes(program)
        self.names = Names(self.homes)
        self.before: list[ast.Statement] = []
        #: what a constructor cannot hold is said by its path
        self.after: list[ast.Statement] = []
        #: targets of grouped searches met so far, each with what stands there
        self._met: dict[str, dict[int, ir.ConfigNode]] = {}
        self._taken = {*program.config.entries}
        if self.homes.unplaced:
            raise Unwritable(f"nothing says where `{self.homes.unplaced[0]}` stands")
        self._register()

    def _register(self) -> None:
        nodes: dict[str, ir.ConfigNode] = {}
        wanted = {place.id for home in self.homes.homes.values() for place in home}
        for key, node in self.program.config.entries.items():
            _collect(node, child(Place("", "", "", ()), key), wanted, nodes)
        for group in self.homes.lets.values():
            for slot, tree in group.trees.items():
                place = self.homes.let_place(group, slot)
                for inside, at in zip(tree.nodes, alternatives(place, tree.param, tree.nodes), strict=True):
                    _collect(inside, at, wanted, nodes)
        for param, slot, place in self.homes.places():
            if param.id in self.homes.lets:
                self.names.add(place, self.homes.lets[param.id].trees.get(slot), param, slot)
            else:
                self.names.add(place, nodes.get(place.id), param, slot)

    def statements(self) -> tuple[ast.Statement, ...]:
        body: list[ast.Statement] = []
        for key, node in self.program.config.entries.items():
            place = child(Place("", "", "", ()), key)
            body += self._entry(node, place, (name_step(key),))
        lets = [statement for group in self.homes.lets.values() if group.owner is None for statement in [self._let(group)]]
        requires = [
            ast.Require(self.names.expr(require.condition, _TOP), require.reason, NOWHERE) for require in self.program.requires
        ]
        return (*self.before, *lets, *body, *self.after, *requires)

    # -- sections -------------------------------------------------------------------------------------------------------------

    def _entry(self, node: ir.ConfigNode, place: Place, steps: tuple[ast.Step, ...]) -> list[ast.Statement]:
        """The statements for one key; `steps` lead there from the section around."""
        inside = {} if place.id == "study" else _entries(node)
        if not inside:
            return [*self._binds(node, place, ast.Path(steps, NOWHERE), _TOP)]
        body: list[ast.Statement] = []
        # In a section its own keys are found first: one that is called like a name outside would hide that.
        flat = any(key in self._taken for key in inside)
        for key, each in inside.items():
            body += self._entry(each, child(place, key), (*(steps if flat else ()), name_step(key)))
        return body if flat else [ast.Section(ast.Path(steps, NOWHERE), None, tuple(body), NOWHERE)]

    # -- bindings -------------------------------------------------------------------------------------------------------------

    def _binds(self, node: ir.ConfigNode, place: Place, target: ast.Path, scope: Scope, call: bool = False) -> list[ast.Bind]:
        """One binding of `target`, or one for each of the conditions that exclude each other.

        `call`: the target is an argument of a constructor, which is bound there once.
        """
        if isinstance(node, ir.Guarded) and self._is_conditional(node, place):
            return [_given(target, self._conditional(node, place, scope))]
        if call and isinstance(node, ir.Guarded) and node.otherwise is not None:
            self.after += self._binds(node, place, self._path(place), _TOP)
            return []
        out: list[ast.Bind] = []
        known: list[ir.Expr] = []
        rest: ir.ConfigNode | None = node
        while rest is not None:
            then, here, below = (rest.then, [rest.guard], rest.otherwise) if isinstance(rest, ir.Guarded) else (rest, [], None)
            guard = conjunction([*known, *here])
            bind = self._bind(then, place, target, scope, guard)
            if bind is not None:
                out.append(bind)
            known += [negation(condition) for condition in here]
            rest = below
        return out

    def _is_conditional(self, node: ir.ConfigNode, place: Place) -> bool:
        """Whether `a if c else b` says it: one of them builds components, and neither is searched right there."""
        if not isinstance(node, ir.Guarded):
            return self._is_plain(node, place)
        if node.otherwise is None or not self._is_plain(node.then, place):
            return False
        return (_builds(node.then) or _builds(node.otherwise)) and self._is_conditional(node.otherwise, place)

    def _is_plain(self, node: ir.ConfigNode, place: Place) -> bool:
        """Whether an expression says it: it is no search of its own, has no condition and no baseline of its own."""
        if isinstance(node, ir.Guarded) or (isinstance(node, ir.Read) and node.baseline is not None):
            return False
        return self._home(node, place) is None

    def _conditional(self, node: ir.ConfigNode, place: Place, scope: Scope) -> ast.Expr:
        if not isinstance(node, ir.Guarded) or node.otherwise is None:
            return self._expr(node, place, scope)
        condition = self.names.expr(node.guard, scope)
        then = self._expr(node.then, place, scope)
        return ast.IfElse(condition, then, self._conditional(node.otherwise, place, scope), NOWHERE)

    def _home(self, node: ir.ConfigNode, place: Place) -> ir.Param | None:
        """The parameter whose search is written at `place`."""
        if not isinstance(node, (ir.Read, ir.ChoiceNode)) or (isinstance(node, ir.Read) and node.baseline is not None):
            return None
        home = self.homes.homes.get(node.param)
        return self.homes.params[node.param] if home is not None and any(place.id == at.id for at in home) else None

    def _bind(self, node: ir.ConfigNode, place: Place, target: ast.Path, scope: Scope, guard: ir.Expr | None) -> ast.Bind | None:
        """One binding; None for a search that is written with its other targets."""
        when = None if guard is None else self.names.expr(guard, scope)
        param = self._home(node, place)
        if param is not None and len(self.homes.homes[param.id]) > 1:
            return self._grouped(param, node, place, scope, guard)
        if param is not None:
            nodes, places = {0: node}, {0: place}
            given = self._baseline(param, nodes, places, scope)
            return _searched((target,), given, self._domain(param, nodes, places, scope), _tags(param), when)
        if isinstance(node, ir.Read) and node.baseline is not None:
            alias = self.names.read(node.param, node.slot, scope)
            return _searched((target,), literal(node.baseline.value), _domain_of([alias]), (), when)
        return replace(_given(target, self._expr(node, place, scope)), guard=when)

    def _grouped(self, param: ir.Param, node: ir.ConfigNode, place: Place, scope: Scope, guard: ir.Expr | None) -> ast.Bind | None:
        """A search over several places, made when its last target is met: within one constructor if all are arguments of it."""
        home = self.homes.homes[param.id]
        met = self._met.setdefault(param.id, {})
        met[next(at for at, other in enumerate(home) if other.id == place.id)] = node
        if len(met) < len(home):
            return None
        owners = {at.owner for at in home}
        together = None not in owners and len(owners) == 1 and not any(isinstance(_last(at), ast.AttrStep) for at in home)
        inner = scope if together else _TOP
        targets = tuple(ast.Path((_last(at),), NOWHERE) if together else self._path(at) for at in home)
        places = dict(enumerate(home))
        given = self._baseline(param, met, places, inner)
        when = None if guard is None else self.names.expr(guard, inner)
        bind = _searched(targets, given, self._domain(param, met, places, inner), _tags(param), when)
        if together:
            return bind
        self.after.append(bind)
        return None

    def _path(self, place: Place) -> ast.Path:
        if place.steps is None:
            raise Unwritable(f"nothing addresses `{place.id}`")
        return ast.Path(place.steps, NOWHERE)

    # -- values ---------------------------------------------------------------------------------------------------------------

    def _expr(self, node: ir.ConfigNode, place: Place, scope: Scope) -> ast.Expr:
        match node:
            case ir.Const(value):
                return literal(value)
            case ir.Read(param, slot, None):
                return self.names.read(param, slot, scope)
            case ir.Derived(expr):
                computed = self.names.expr(expr, scope)
                # A list is computed as a whole here, not item by item.
                return self._helper(computed) if isinstance(computed, (ast.ListExpr, ast.DictExpr)) else computed
            case ir.Component():
                return self._call(node, place, scope)
            case ir.ListNode(nodes):
                found = [self._item(inside, at, scope) for inside, at in zip(nodes, items(place, nodes), strict=True)]
                return ast.ListExpr(tuple(found), NOWHERE)
            case ir.MapNode(entries):
                kept: list[tuple[str, ast.Expr]] = []
                for key, inside in entries.items():
                    at = child(place, key)
                    if self._is_plain(inside, at) or (isinstance(inside, ir.Guarded) and self._is_conditional(inside, at)):
                        kept.append((key, self._conditional(inside, at, scope)))
                    else:  # a dict holds values only: a search in it is said by its path
                        self.after += self._binds(inside, at, self._path(at), _TOP)
                return ast.DictExpr(tuple(kept), (NOWHERE,) * len(kept), NOWHERE)
            case ir.ChoiceNode():
                return self.names.place(self._shared(node), scope)
            case _:
                raise Unwritable(f"`{place.id}` cannot be written as a value")

    def _shared(self, node: ir.ChoiceNode) -> Place:
        """The place or `let` whose components are built here once more."""
        param = self.homes.params.get(node.param)
        home = self.homes.homes.get(node.param)
        if param is not None and home is not None:
            return home[slot_of(node, param)]
        group = self.homes.lets.get(node.param)
        if group is None:
            raise Unwritable(f"nothing says where `{node.param}` stands")
        return self.homes.let_place(group, next((slot for slot, tree in group.trees.items() if tree == node), 0))

    def _helper(self, value: ast.Expr) -> ast.Expr:
        text = self._fresh("value")
        self.before.append(ast.Let(_given(ast.Path((name_step(text),), NOWHERE), value), NOWHERE))
        return name(text)

    def _fresh(self, stem: str) -> str:
        number = 1
        while f"{stem}_{number}" in self._taken:
            number += 1
        self._taken.add(f"{stem}_{number}")
        return f"{stem}_{number}"

    def _item(self, node: ir.ConfigNode, place: Place, scope: Scope) -> ast.Item:
        guard: ast.Expr | None = None
        if isinstance(node, ir.Guarded) and node.otherwise is None:
            guard, node = self.names.expr(node.guard, scope), node.then
        if isinstance(node, ir.Guarded):
            if guard is not None or not self._is_conditional(node, place):
                return self._optional(node, place, scope)
            return ast.Item(self._conditional(node, place, scope), None, NOWHERE)
        bind = self._bind(node, place, ast.Path((name_step("item"),), NOWHERE), scope, None)
        if bind is None:
            raise Unwritable(f"`{place.id}` is searched together with other places")
        if bind.search is None and bind.given is not None:
            return ast.Item(bind.given, guard, NOWHERE)
        if bind.search is None:
            raise Unwritable(f"`{place.id}` has no value")
        return ast.Item(bind.search, guard, NOWHERE, bind.given)

    def _optional(self, node: ir.Guarded, place: Place, scope: Scope) -> ast.Item:
        """`A() if c else B() when g`: A under `g and c`, B under `g and not c`."""
        first = conjuncts(node.guard)
        for at in range(1, len(first)):
            branches = self._branches(node, first[:at], place)
            whole = conjunction(first[:at])
            if branches is not None and whole is not None:
                *others, (_, last) = branches
                value = self._expr(last, place, scope)
                for condition, then in reversed(others):
                    value = ast.IfElse(self.names.expr(condition, scope), self._expr(then, place, scope), value, NOWHERE)
                return ast.Item(value, self.names.expr(whole, scope), NOWHERE)
        raise Unwritable(f"the conditions of `{place.id}` cannot be written in a list")

    def _branches(self, node: ir.Guarded, held: Known, place: Place) -> list[tuple[ir.Expr, ir.ConfigNode]] | None:
        """Conditions and branches under what is `held` for all of them, the last one without its own."""
        out: list[tuple[ir.Expr, ir.ConfigNode]] = []
        rest: ir.ConfigNode | None = node
        while isinstance(rest, ir.Guarded) and self._is_plain(rest.then, place):
            parts = conjuncts(rest.guard)
            if rest.otherwise is None:
                return [*out, (rest.guard, rest.then)] if parts == held else None
            condition = conjunction(parts[len(held) :])
            if condition is None or parts[: len(held)] != held:
                return None
            out.append((condition, rest.then))
            held = (*held, *conjuncts(negation(condition)))
            rest = rest.otherwise
        return None

    def _call(self, node: ir.Component, place: Place, scope: Scope) -> ast.Call:
        inner = scope.inside(place.id)
        args: list[ast.Positional | ast.Bind | ast.Let] = []
        for group in self.homes.lets.values():
            if group.owner == place.id:
                args.append(self._let_of(group, inner, None))
        for key, inside in node.args.items():
            path = ast.Path((name_step(key),), NOWHERE)
            args += self._binds(inside, argument(place, key), path, inner, call=True)
        for key, inside in node.attrs.items():
            path = ast.Path((ast.AttrStep(key, NOWHERE),), NOWHERE)
            args += self._binds(inside, attribute(place, key), path, inner, call=True)
        if "." in node.cls or node.cls[:1].isupper():
            return ast.Call(node.cls, tuple(args), NOWHERE, NOWHERE, node.instance)
        first = ast.Positional(literal(node.cls), None, NOWHERE)
        return ast.Call("component", (first, *args), NOWHERE, NOWHERE, node.instance)

    # -- searches -------------------------------------------------------------------------------------------------------------

    def _let(self, group: Group) -> ast.Statement:
        let = self._let_of(group, _TOP, group.param.active)
        if not group.section:
            return let
        return ast.Section(ast.Path(tuple(map(name_step, group.section)), NOWHERE), None, (let,), NOWHERE)

    def _let_of(self, group: Group, scope: Scope, active: ir.Expr | None) -> ast.Let:
        nodes: dict[int, ir.ConfigNode] = dict(group.trees)
        places = {slot: self.homes.let_place(group, slot) for slot in range(len(group.names))}
        targets = tuple(ast.Path((name_step(each),), NOWHERE) for each in group.names)
        given = self._baseline(group.param, nodes, places, scope)
        when = None if active is None else self.names.expr(active, scope)
        domain = self._domain(group.param, nodes, places, scope)
        return ast.Let(_searched(targets, given, domain, _tags(group.param), when), NOWHERE)

    def _domain(self, param: ir.Param, nodes: dict[int, ir.ConfigNode], places: dict[int, Place], scope: Scope) -> ast.Domain:
        if not isinstance(param.domain, ir.Choice):
            return _domain_of([_range(param.domain)])
        owned = self.homes.ranges.get(param.id, {})
        trees = {slot: node for slot, node in nodes.items() if isinstance(node, ir.ChoiceNode)}
        below = {slot: alternatives(places[slot], param.id, tree.nodes) for slot, tree in trees.items()}
        out: list[ast.Range | ast.Expr] = []
        for number, alt in enumerate(param.domain.alts):
            if number in owned:
                inner = owned[number].domain
                if not isinstance(inner, ir.Choice):
                    out.append(_range(inner))
                continue
            values: list[ast.Expr] = []
            for slot, value in enumerate(alt.values):
                if slot in trees:
                    values.append(self._expr(trees[slot].nodes[number], below[slot][number], scope))
                else:
                    values.append(literal(value))
            out.append(values[0] if len(values) == 1 else ast.TupleExpr(tuple(values), NOWHERE))
        if len(out) == 1 and isinstance(out[0], ast.ListExpr) and len(out[0].items) > 1:
            recipe = self._fresh("only")  # one list among alternatives looks like a slip
            self.before.append(ast.Def(recipe, None, _domain_of(out), NOWHERE))
            return _domain_of([name(recipe)])
        return _domain_of(out)

    def _baseline(
        self, param: ir.Param, nodes: dict[int, ir.ConfigNode], places: dict[int, Place], scope: Scope
    ) -> ast.Expr | None:
        """What stands before `~`; None where it goes without saying."""
        owned = self.homes.ranges.get(param.id, {})
        if not isinstance(param.domain, ir.Choice):
            if all(same_value(value, middle(param.domain)) for value in param.baseline):
                return None
            return _spread([literal(value) for value in param.baseline])
        trees = {slot: node for slot, node in nodes.items() if isinstance(node, ir.ChoiceNode)}
        plain = all(_is_middle(inner) for inner in owned.values()) and all(tree.baseline is None for tree in trees.values())
        if plain and same_value(list(param.baseline), list(param.domain.alts[0].values)):
            return None
        out: list[ast.Expr] = []
        for slot, value in enumerate(param.baseline):
            tree = trees.get(slot)
            if tree is not None and tree.baseline is not None:
                out.append(self._expr(tree.baseline, places[slot], scope))
                continue
            at = next((n for n, alt in enumerate(param.domain.alts) if same_value(alt.values[slot], value)), None)
            if at is not None and at in owned:
                out.append(literal(owned[at].baseline[slot]))
            elif tree is not None and at is not None and isinstance(found := tree.nodes[at], ir.Component):
                unique = sum(isinstance(other, ir.Component) and short(other.cls) == short(found.cls) for other in tree.nodes) == 1
                out.append(name(short(found.cls)) if unique else self._fixed(found))
            else:
                out.append(literal(value))
        return _spread(out)

    def _fixed(self, node: ir.Component) -> ast.Expr:
        """A component with its baseline values."""
        args: list[ast.Bind] = []
        for key, inside in node.args.items():
            value: ast.Expr
            match inside:
                case ir.Const(constant):
                    value = literal(constant)
                case ir.Read(param, slot, None):
                    value = literal(self.homes.params[param].baseline[slot])
                case ir.Component():
                    value = self._fixed(inside)
                case _:
                    raise Unwritable(f"the baseline `{node.cls}` has no constant `{key}`")
            args.append(_given(ast.Path((name_step(key),), NOWHERE), value))
        return ast.Call(node.cls, tuple(args), NOWHERE, NOWHERE, node.instance)


# -- helpers ------------------------------------------------------------------------------------------------------------------


def _given(target: ast.Path, value: ast.Expr) -> ast.Bind:
    return ast.Bind((target,), value, False, None, None, (), None, NOWHERE)


def _searched(
    targets: tuple[ast.Path, ...], given: ast.Expr | None, search: ast.Domain, tags: tuple[str, ...], when: ast.Expr | None
) -> ast.Bind:
    return ast.Bind(targets, given, False, None, search, tags, when, NOWHERE)


def _domain_of(found: Sequence[ast.Range | ast.Expr]) -> ast.Domain:
    return ast.Domain(tuple(found), NOWHERE)


def _range(domain: ir.Real | ir.Int) -> ast.Range:
    kind = int if isinstance(domain, ir.Int) else float
    step = None
    if domain.step is not None:
        step = ast.StepSize(domain.step.kind, literal(kind(domain.step.size)), NOWHERE)
    return ast.Range(literal(kind(domain.lo)), literal(kind(domain.hi)), domain.scale, step, NOWHERE)


def _is_middle(param: ir.Param) -> bool:
    domain = param.domain
    return not isinstance(domain, ir.Choice) and all(same_value(value, middle(domain)) for value in param.baseline)


def _spread(values: list[ast.Expr]) -> ast.Expr:
    return values[0] if len(values) == 1 else ast.TupleExpr(tuple(values), NOWHERE)


def _tags(param: ir.Param) -> tuple[str, ...]:
    """A label that the path does not tell."""
    return (param.label,) if _WORD.fullmatch(param.label) and param.label not in (label_of(param.targets[0]), OTHER) else ()


def _last(place: Place) -> ast.Step:
    return place.steps[-1] if place.steps else ast.AttrStep("", NOWHERE)


def _entries(node: ir.ConfigNode) -> dict[str, ir.ConfigNode]:
    """What a section can hold."""
    match node:
        case ir.MapNode(entries):
            return entries
        case ir.Const(dict() as value) if all(_WORD.fullmatch(key) for key in value):
            return {key: ir.Const(item) for key, item in value.items()}
        case _:
            return {}


def _builds(node: ir.ConfigNode) -> bool:
    """Whether an expression for `node` makes places of its own."""
    match node:
        case ir.Component():
            return True
        case ir.ListNode(nodes):
            return any(_builds(inside) or isinstance(inside, ir.Guarded) for inside in nodes)
        case ir.MapNode(entries):
            return any(_builds(inside) for inside in entries.values())
        case ir.Guarded(_, then, otherwise):
            return _builds(then) or (otherwise is not None and _builds(otherwise))
        case _:
            return False


def _collect(node: ir.ConfigNode, place: Place, wanted: set[str], out: dict[str, ir.ConfigNode]) -> None:
    """What stands at the places in `wanted`, conditions included."""
    if place.id in wanted:
        out.setdefault(place.id, node)
    match node:
        case ir.Guarded(_, then, otherwise):
            _below(then, place, wanted, out)
            while otherwise is not None:
                _below(top(otherwise), place, wanted, out)
                otherwise = otherwise.otherwise if isinstance(otherwise, ir.Guarded) else None
        case _:
            _below(node, place, wanted, out)


def _below(node: ir.ConfigNode, place: Place, wanted: set[str], out: dict[str, ir.ConfigNode]) -> None:
    match node:
        case ir.Component(_, args, attrs):
            for key, inside in args.items():
                _collect(inside, argument(place, key), wanted, out)
            for key, inside in attrs.items():
                _collect(inside, attribute(place, key), wanted, out)
        case ir.ListNode(nodes):
            for inside, at in zip(nodes, items(place, nodes), strict=True):
                _collect(inside, at, wanted, out)
        case ir.MapNode(entries):
            for key, inside in entries.items():
                _collect(inside, child(place, key), wanted, out)
        case ir.ChoiceNode(param, nodes):
            for inside, at in zip(nodes, alternatives(place, param, nodes), strict=True):
                _collect(inside, at, wanted, out)
        case _:
            pass
