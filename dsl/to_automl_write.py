"""The configuration of a program -> statements."""

from __future__ import annotations

import re
from dataclasses import replace

from . import ast, ir
from .elaborate.domains import middle
from .elaborate.labels import label_of
from .elaborate.logic import conjunction, negation
from .elaborate.places import section_key
from .source import NOWHERE
from .to_automl_exprs import Names, Scope, Unwritable, literal, name, same
from .to_automl_places import Group, Homes, Place, alternatives, argument, attribute, child, items, name_step, short

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
        self._done: set[str] = set()
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
            body += self._entry(node, place, (name_step(key),), ())
        lets = [statement for group in self.homes.lets.values() if group.owner is None for statement in [self._let(group)]]
        requires = [
            ast.Require(self.names.expr(require.condition, _TOP), require.reason, NOWHERE) for require in self.program.requires
        ]
        return (*self.before, *lets, *body, *self.after, *requires)

    # -- sections -------------------------------------------------------------------------------------------------------------

    def _entry(self, node: ir.ConfigNode, place: Place, steps: tuple[ast.Step, ...], prefix: tuple[str, ...]) -> list[ast.Statement]:
        """The statements for one key; `steps` lead there from the section around, `prefix` is that section."""
        inside = _entries(node)
        if inside and not (prefix == () and place.id == "study"):
            here = (*prefix, *section_key(ast.Path(steps, NOWHERE)))
            if any(key in self._taken for key in inside) or (isinstance(node, ir.Const) and not all(map(_WORD.fullmatch, inside))):
                out: list[ast.Statement] = []
                for key, each in inside.items():
                    out += self._entry(each, child(place, key), (*steps, name_step(key)), prefix)
                return out
            body: list[ast.Statement] = []
            for key, each in inside.items():
                body += self._entry(each, child(place, key), (name_step(key),), here)
            return [ast.Section(ast.Path(steps, NOWHERE), None, tuple(body), NOWHERE)]
        binds: list[ast.Statement] = []
        binds += self._binds(node, place, ast.Path(steps, NOWHERE), _TOP)
        return binds

    # -- bindings -------------------------------------------------------------------------------------------------------------

    def _binds(self, node: ir.ConfigNode, place: Place, target: ast.Path, scope: Scope) -> list[ast.Bind]:
        """One binding of `target`, or one for each of the conditions that exclude each other."""
        if isinstance(node, ir.Guarded) and node.otherwise is not None and self._is_conditional(node, place):
            return [_given(target, self._conditional(node, place, scope))]
        out: list[ast.Bind] = []
        known: list[ir.Expr] = []
        rest: ir.ConfigNode | None = node
        while rest is not None:
            guarded = isinstance(rest, ir.Guarded)
            then = rest.then if isinstance(rest, ir.Guarded) else rest
            guard = conjunction([*known, *([rest.guard] if isinstance(rest, ir.Guarded) else [])])
            bind = self._bind(then, place, target, scope)
            if bind is not None:
                spelled = None if guard is None else self.names.expr(guard, scope)
                out.append(replace(bind, guard=spelled))
            if not guarded:
                break
            assert isinstance(rest, ir.Guarded)
            known.append(negation(rest.guard))
            rest = rest.otherwise
        return out

    def _is_conditional(self, node: ir.ConfigNode, place: Place) -> bool:
        """Whether `a if c else b` says it: one of them builds components, and neither is searched right there."""
        if not isinstance(node, ir.Guarded):
            return not self._is_home(node, place)
        if node.otherwise is None or self._is_home(node.then, place):
            return False
        return (_builds(node.then) or _builds(node.otherwise)) and self._is_conditional(node.otherwise, place)

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

    def _is_home(self, node: ir.ConfigNode, place: Place) -> bool:
        return self._home(node, place) is not None

    def _bind(self, node: ir.ConfigNode, place: Place, target: ast.Path, scope: Scope) -> ast.Bind | None:
        """Without its guard; None for a search that is written with its other targets."""
        param = self._home(node, place)
        if param is None:
            if isinstance(node, ir.Read) and node.baseline is not None:
                alias = self.names.read(node.param, node.slot, scope)
                return _searched((target,), literal(node.baseline.value), (alias,), ())
            return _given(target, self._expr(node, place, scope))
        home = self.homes.homes[param.id]
        if len(home) > 1:
            self._grouped(param, node, place, scope)
            return None
        given = self._baseline(param, {0: node} if isinstance(node, ir.ChoiceNode) else {}, {0: place}, scope)
        return _searched((target,), given, self._domain(param, {0: node}, {0: place}, scope), _tags(param))

    def _grouped(self, param: ir.Param, node: ir.ConfigNode, place: Place, scope: Scope) -> None:
        """A search over several places is a statement of its own, made when its last target is met."""
        home = self.homes.homes[param.id]
        met = self._met.setdefault(param.id, {})
        slot = next(at for at, other in enumerate(home) if other.id == place.id)
        met[slot] = node
        if len(met) < len(home):
            return
        places = dict(enumerate(home))
        trees = {at: each for at, each in met.items() if isinstance(each, ir.ChoiceNode)}
        targets: list[ast.Path] = []
        for at in home:
            if at.steps is None:
                raise Unwritable(f"nothing addresses `{at.id}`")
            targets.append(ast.Path(at.steps, NOWHERE))
        given = self._baseline(param, trees, places, _TOP)
        bind = _searched(tuple(targets), given, self._domain(param, met, places, _TOP), _tags(param))
        guard = self._own_guard(home[0])
        self.after.append(bind if guard is None else replace(bind, guard=self.names.expr(guard, _TOP)))

    def _own_guard(self, place: Place) -> ir.Expr | None:
        return self._guards.get(place.id)
