"""Tree -> IR configuration. Each place is lowered once; mistakes are collected and the work goes on beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

from .. import ast, ir
from ..diagnostics import Diagnostic
from .constants import has_structure
from .expressions import Reading
from .logic import Known, beyond, conjuncts, is_false, is_true, negation, reads
from .places import chain
from .sites import Sites, is_dead, never_searched
from .tree import Binding, Comp, Echo, Fault, Leaf, Map, RangeTree, Seq, Site, Slot, Tree, later


class Reported(Exception):
    """What is read here has a mistake of its own, which is told there."""


@dataclass(slots=True)
class Lowering:
    sites: Sites
    faults: list[Diagnostic] = field(default_factory=list)
    _done: dict[int, ir.ConfigNode | None] = field(default_factory=dict)
    _doing: list[Slot] = field(default_factory=list)
    _failed: set[int] = field(default_factory=set)

    def report(self, fault: Fault) -> None:
        if fault.diagnostic not in self.faults and not isinstance(fault, Echo):
            self.faults.append(fault.diagnostic)

    def root(self, entries: dict[str, Slot]) -> ir.MapNode:
        return ir.MapNode(self._entries(entries))

    def slot(self, slot: Slot) -> ir.ConfigNode | None:
        """What stands at `slot`; None where nothing does, or where it is wrong."""
        if slot.binding is None:
            return None
        if id(slot) not in self._done:
            node: ir.ConfigNode | None = None
            try:
                self._doing.append(slot)
                try:
                    self.sites.check_branches(slot)
                    node = self._binding(slot, slot.binding)
                finally:
                    self._doing.pop()
            except Fault as fault:
                self.report(fault)
                self._failed.add(id(slot))
            except Reported:
                self._failed.add(id(slot))
            self._done[id(slot)] = node
        return self._done[id(slot)]

    def _entries(self, entries: dict[str, Slot]) -> dict[str, ir.ConfigNode]:
        return {key: node for key, slot in entries.items() if (node := self.slot(slot)) is not None}

    def _binding(self, slot: Slot, binding: Binding, known: Known = ()) -> ir.ConfigNode | None:
        """`known`: what holds since the bindings above did not apply."""
        if binding.guard is None:
            return self._bound(slot, binding)
        guard = beyond(known, self.sites.guard(slot, binding))
        if is_true(guard):
            return self._bound(slot, binding)
        if is_false(guard):
            if binding.site is not None and binding.position == 0:
                self.sites.warnings.append(never_searched(slot.path, binding.span))
            return None if binding.below is None else self._binding(slot, binding.below, known)
        excluded = (*known, *conjuncts(negation(guard)))
        below = None if binding.below is None else self._binding(slot, binding.below, excluded)
        here = self._bound(slot, binding)
        if below is not None and isinstance(guard, ir.Unary) and guard.op == "not":
            return ir.Guarded(guard.operand, below, here)  # one form for `a unless c else b` and `b if c else a`
        return ir.Guarded(guard, here, below)

    def _bound(self, slot: Slot, binding: Binding) -> ir.ConfigNode:
        if binding.site is not None:
            return self._site(slot, binding, binding.site)
        if binding.value is None:
            raise Fault("AM101", f"`{slot.name}` has no value", binding.span)
        return self._tree(binding.value, slot, binding, ())

    # -- searches -------------------------------------------------------------------------------------------------------------

    def _site(self, slot: Slot, binding: Binding, site: Site) -> ir.ConfigNode:
        alias = self.sites.alias(site, binding)
        if alias is not None:
            return self._alias(alias, slot, binding)
        param = self.sites.param(site)
        at = [where for where, _ in site.attached()].index(binding.position)
        if is_dead(param):
            return ir.Const(param.baseline[at])
        if not isinstance(param.domain, ir.Choice) or not self.sites.is_structured(site, binding.position):
            return ir.Read(param.id, at)
        nodes: list[ir.ConfigNode] = []
        for number, alternative in enumerate(site.alternatives or []):
            tree = alternative.values[binding.position]
            if isinstance(tree, RangeTree):
                nodes.append(ir.Read(self.sites.range_param(site, number).id, at))
            else:
                nodes.append(self._tree(tree, slot, binding, (ir.IsAlt(param.id, (number,)),)))
        baseline: ir.ConfigNode | None = None
        if binding.value is not None and not any(alt.values == param.baseline for alt in param.domain.alts):
            _refuse_searches(binding.value)
            baseline = self._tree(binding.value, slot, binding, ())
        return ir.ChoiceNode(param.id, tuple(nodes), baseline)

    def _alias(self, alias: Slot, slot: Slot, binding: Binding) -> ir.ConfigNode:
        known = self._known(slot, binding)
        value = self.sites.expressions.reference(alias, binding.span, Reading("value", known))
        return self._reader(value, binding.value)

    def _reader(self, value: ir.Expr, own: Tree | None) -> ir.ConfigNode:
        """A value at its place. `own` is what a plain reader of a parameter shows in the baseline trial."""
        if isinstance(value, ir.Lit):
            return ir.Const(value.value)
        if not isinstance(value, ir.ParamRef):
            return ir.Derived(value)
        param = self.sites.params[value.param]
        baseline = None if own is None else self.sites.baselines.beside(own, param, value.slot)
        return ir.Read(value.param, value.slot, baseline)

    # -- values ---------------------------------------------------------------------------------------------------------------

    def _known(self, slot: Slot, binding: Binding) -> Known:
        return (*self.sites.above(slot), *self.sites.here(slot, binding))

    def _tree(self, tree: Tree, slot: Slot, binding: Binding, also: Known) -> ir.ConfigNode:
        match tree:
            case Leaf():
                return self._leaf(tree, slot, binding, also)
            case Comp(cls, instance, args, attrs):
                return ir.Component(cls, self._entries(args), self._entries(attrs), instance)
            case Seq(items=items):
                nodes = [node for item in items if (node := self.slot(item)) is not None]
                if all(isinstance(node, ir.Const) for node in nodes):
                    return ir.Const([node.value for node in nodes if isinstance(node, ir.Const)])
                return ir.ListNode(tuple(nodes))
            case Map(entries=entries):
                inside = self._entries(entries)
                if all(isinstance(node, ir.Const) for node in inside.values()):
                    return ir.Const({key: node.value for key, node in inside.items() if isinstance(node, ir.Const)})
                return ir.MapNode(inside)

    def _leaf(self, leaf: Leaf, slot: Slot, binding: Binding, also: Known) -> ir.ConfigNode:
        known = (*self._known(slot, binding), *also)
        expressions = self.sites.expressions
        found = self._named(leaf)
        if found is not None and self._builds(found):
            return self._shared(found, leaf, known)
        value = expressions.translate(leaf.expr, leaf.scope, leaf.home, Reading("value", known))
        for id in reads(value):
            self.sites.first_read.setdefault(id, slot.path)
        return self._reader(value, binding.inherited)

    def _shared(self, found: Slot, leaf: Leaf, known: Known) -> ir.ConfigNode:
        """A component-valued place read elsewhere: the same parameters, a build of its own."""
        needs = [*self.sites.above(found)]
        if found.binding is not None and found.binding.guard is not None and found.binding.below is None:
            needs += self.sites.here(found, found.binding)
        self.sites.expressions.demand(needs, found, leaf.expr.span, Reading("value", known))
        if found in self._doing:
            names = [place.path for place in self._doing[self._doing.index(found) :]]
            loop = " -> ".join([*names, found.path])
            raise Fault("AM121", f"this is built from itself: {loop}", leaf.expr.span, label="closes the loop")
        node = self.slot(found)
        if node is None and id(found) in self._failed:
            raise Reported
        if node is None:
            raise Fault("AM101", f"`{found.path or found.name}` has no value", leaf.expr.span)
        return node

    def _builds(self, slot: Slot, depth: int = 0) -> bool:
        """Whether components stand at `slot`, directly, among alternatives, in a list, or through another name."""
        for binding in slot.chain():
            if binding.site is not None:
                if any(not isinstance(tree, RangeTree) and self._tree_builds(tree, depth) for tree in binding.alternatives()):
                    return True
            elif binding.value is not None and self._tree_builds(binding.value, depth):
                return True
        return False

    def _named(self, leaf: Leaf) -> Slot | None:
        """The place that `leaf` is the path of. `xs[1]` of a searched list of values is none: it computes with the list."""
        if chain(leaf.expr)[0] is None:
            return None
        places = self.sites.expressions.places
        if isinstance(leaf.expr, ast.Index) and isinstance(leaf.expr.index, ast.Lit) and isinstance(leaf.expr.index.value, int):
            base = places.resolve(leaf.expr.base, leaf.scope, leaf.home)
            sites = [] if not isinstance(base, Slot) else [found.site for found in base.chain() if found.site is not None]
            values = [value for site in sites for alternative in site.alternatives or [] for value in alternative.values]
            if values and not any(has_structure(value) for value in values):
                return None
        found = places.resolve(leaf.expr, leaf.scope, leaf.home)
        return found if isinstance(found, Slot) else None

    def _tree_builds(self, tree: Tree, depth: int) -> bool:
        match tree:
            case Comp():
                return True
            case Seq(items=items):
                return any(self._builds(item, depth) for item in items)
            case Map(entries=entries):
                return any(self._builds(item, depth) for item in entries.values())
            case Leaf():
                found = None if depth > 20 else self._named(tree)
                return found is not None and self._builds(found, depth + 1)


def _refuse_searches(tree: Tree) -> None:
    """A baseline that is none of the alternatives is fixed: nothing in it is searched."""
    match tree:
        case Comp(args=inside) | Map(entries=inside):
            slots = list(inside.values())
        case Seq(items=items):
            slots = items
        case Leaf():
            return
    for slot in slots:
        for binding in slot.chain():
            if binding.site is not None:
                raise later("a search inside a baseline", slot.span)
            if binding.value is not None:
                _refuse_searches(binding.value)
