"""The baseline of a search: the value as the configuration had it, else the first alternative or the middle of the range."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import ast, ir
from ..diagnostics import Diagnostic
from .constants import constant, equal, has_structure
from .domains import contains, middle, read_range, shown
from .expressions import Expressions
from .tree import Binding, Comp, Fault, Leaf, RangeTree, Site, Slot, Tree

if TYPE_CHECKING:
    from .sites import Sites


@dataclass(slots=True)
class Baselines:
    """`warnings`: baselines outside their range (AM905). That one is none of several alternatives is usual: the guide's own is."""

    expressions: Expressions
    sites: Sites
    warnings: list[Diagnostic] = field(default_factory=list)

    # -- ranges -------------------------------------------------------------------------------------------------------------

    def of_range(self, site: Site, domain: ir.Real | ir.Int) -> tuple[ir.Value, ...]:
        """One value for each target."""
        return tuple(self._range_value(site, domain, slot, binding) for slot, binding in _bound(site))

    def _range_value(self, site: Site, domain: ir.Real | ir.Int, slot: Slot, binding: Binding) -> ir.Value:
        if binding.value is None:
            return middle(domain)
        span = site.domain.span
        value = constant(self.expressions, binding.value)
        if isinstance(domain, ir.Int) and isinstance(value, float):
            help = f"write {float(domain.lo)}..{float(domain.hi)}"
            raise Fault("AM104", f"a range of integers for `{slot.path}`, which is a float ({value!r})", span, help=help)
        if isinstance(value, bool):
            raise Fault(
                "AM104", f"a range of numbers for `{slot.path}`, which is {shown(value)}", span, help="write `true | false`"
            )
        value = widened(domain, value)
        if contains(domain, value):
            return value
        if not binding.given and not site.keep_baseline:
            return middle(domain)
        if not isinstance(value, str) and not site.keep_baseline:
            message = f"the baseline of `{slot.path}`, {shown(value)}, lies outside the range"
            self.warnings.append(Diagnostic("AM905", message, binding.span, severity="warning"))
        return value

    def within(self, site: Site, domain: ir.Real | ir.Int) -> tuple[ir.Value, ...]:
        """For a range among alternatives: the configuration's own values where they lie in it, else the middle."""
        out: list[ir.Value] = []
        for _, binding in _bound(site):
            value = None if binding.value is None else self._own(binding.value)
            out.append(widened(domain, value) if contains(domain, value) else middle(domain))
        return tuple(out)

    def _own(self, tree: Tree) -> ir.Value:
        try:
            return constant(self.expressions, tree)
        except Fault:
            return None

    def beside(self, own: Tree, param: ir.Param, slot: int) -> ir.Const | None:
        """The value that a reader of `param` had before, where it is another than the parameter's own."""
        try:
            value = widened(param.domain, constant(self.expressions, own))
        except Fault:
            return None
        return None if equal(value, param.baseline[slot]) else ir.Const(value)

    # -- choices ------------------------------------------------------------------------------------------------------------

    def of_choice(self, site: Site, domain: ir.Choice) -> tuple[ir.Value, ...]:
        """The values of the alternative that the configuration had; its own values, if they are none of them."""
        bindings = [binding for _, binding in _bound(site)]
        first = domain.alts[0].values
        if all(binding.value is None for binding in bindings):
            return first
        for number, alt in enumerate(domain.alts):
            if all(self._is_alternative(site, number, binding) for binding in bindings):
                return alt.values
        if not any(binding.given for binding in bindings) and not site.keep_baseline:
            return first
        values: list[ir.Value] = []
        for column, binding in enumerate(bindings):
            values.append(self._value(binding, [alt.values[column] for alt in domain.alts], first[column]))
        return tuple(values)

    def _value(self, binding: Binding, labels: list[ir.Value], default: ir.Value) -> ir.Value:
        match binding.value:
            case None:
                return default
            case Comp() as comp:  # never the label of an alternative, which this is not
                return f"{comp.short}(...)" if comp.short in labels else comp.short
            case tree:
                return constant(self.expressions, tree)

    def _is_alternative(self, site: Site, number: int, binding: Binding) -> bool:
        """Whether the configuration's own value is alternative `number`."""
        if binding.value is None:
            return number == 0
        alternative = (site.alternatives or [])[number].values[binding.position]
        match alternative, binding.value:
            case Comp() as comp, Leaf(ast.Name(name)):  # `m = A ~ A(...) | B(...)`
                return name in (comp.cls, comp.short)
            case Comp() as comp, Comp() as own:
                return self._same(own, comp)
            case (Comp(), _) | (_, Comp()):
                return False
            case RangeTree(), own:
                return not self._is_class_name(own) and contains(
                    read_range(self.expressions, alternative), constant(self.expressions, own)
                )
            case _, own:
                if has_structure(alternative) or has_structure(own) or self._is_class_name(own):
                    return False
                return equal(constant(self.expressions, own), constant(self.expressions, alternative))

    def _is_class_name(self, tree: Tree) -> bool:
        match tree:
            case Leaf(ast.Name(name), scope, home):
                return self.expressions.places.name(name, scope, home) is None
            case _:
                return False

    def _same(self, own: Comp, alternative: Comp) -> bool:
        """Whether `own` is `alternative` with its baseline values."""
        if own.cls != alternative.cls or own.args.keys() != alternative.args.keys():
            return False
        try:
            return all(equal(self._at(own.args[name]), self._at(alternative.args[name])) for name in own.args)
        except Fault:
            return False

    def _at(self, slot: Slot) -> ir.Value:
        """The baseline value at `slot`. Fault AM120 where it is not a constant."""
        match slot.binding:
            case Binding(site=Site() as site, position=position):
                param = self.sites.param(site)
                return param.baseline[[at for at, _ in site.attached()].index(position)]
            case Binding(value=Comp() as comp, guard=None):
                return {"_target_": comp.cls, **{name: self._at(arg) for name, arg in comp.args.items()}}
            case Binding(value=tree, guard=None) if tree is not None:
                return constant(self.expressions, tree)
            case _:
                raise Fault("AM120", "this must be known before the search", slot.span)


def _bound(site: Site) -> list[tuple[Slot, Binding]]:
    return [(slot, site.binding_of(slot)) for _, slot in site.attached()]


def widened(domain: ir.Domain, value: ir.Value) -> ir.Value:
    """An integer where floats are searched is a float."""
    return float(value) if isinstance(domain, ir.Real) and type(value) is int else value
