"""Searches -> parameters: identity, alternatives, and the condition under which each is active."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from msgspec.structs import replace

from .. import ast, ir
from ..diagnostics import Diagnostic
from ..source import Span
from .baselines import Baselines
from .constants import constant, has_structure
from .domains import range_label, read_range, shown
from .expand import Expander
from .expressions import Expressions, Reading
from .labels import OTHER, label_of
from .logic import Known, beyond, conjunction, conjuncts, exclude, fold, is_false, negation
from .paths import branch_suffix, group_id, structure_label
from .tree import Binding, Comp, Fault, Leaf, RangeTree, Site, Slot, Tree


@dataclass(slots=True)
class Sites:
    """All parameters of one program, made when first needed."""

    expressions: Expressions
    expand: Expander
    baselines: Baselines = field(init=False)
    params: dict[ir.ParamId, ir.Param] = field(default_factory=dict)
    warnings: list[Diagnostic] = field(default_factory=list)
    spans: dict[ir.ParamId, Span] = field(default_factory=dict)
    #: parameter -> the first path that reads it
    first_read: dict[ir.ParamId, str] = field(default_factory=dict)
    _made: dict[int, ir.Param | Fault] = field(default_factory=dict)
    _above: dict[int, Known] = field(default_factory=dict)
    _guards: dict[int, ir.Expr] = field(default_factory=dict)
    _ranges: dict[tuple[int, int], ir.Param] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.baselines = Baselines(self.expressions, self)
        self.warnings = self.baselines.warnings
        self.expressions.sites = self

    # -- activity -----------------------------------------------------------------------------------------------------------

    def above(self, slot: Slot) -> Known:
        """What holds wherever `slot` exists: the alternatives and guards it lies in, its component not disabled."""
        if slot.parent is None:
            return ()
        key = id(slot)
        if key not in self._above:
            parent = slot.parent
            known = [*self.above(parent.slot), *self.here(parent.slot, parent.binding)]
            if parent.alternative is not None and parent.binding.site is not None:
                known.append(ir.IsAlt(self.id(parent.binding.site), (parent.alternative,)))
            if parent.component is not None and "disabled" in parent.component.attrs:
                known += self._enabled(parent.component.attrs["disabled"])
            self._above[key] = tuple(known)
        return self._above[key]

    def here(self, slot: Slot, binding: Binding) -> Known:
        """What holds where `binding` decides `slot`, beyond `above`."""
        known: list[ir.Expr] = []
        for other in slot.chain():
            if other.guard is not None:
                guard = beyond(tuple(known), self.guard(slot, other))
                known += conjuncts(guard if other is binding else negation(guard))
            if other is binding:
                break
        return tuple(known)

    def guard(self, slot: Slot, binding: Binding) -> ir.Expr:
        """The `when` of a binding. A comparison in it with an inactive parameter is false."""
        key = id(binding)
        if key not in self._guards:
            if binding.guard is None:
                return ir.Lit(True)
            with self.expressions.entering(binding, slot, binding.guard.span):
                reading = Reading("guard", self.above(slot))
                self._guards[key] = self.expressions.condition(binding.guard, binding.scope, slot, reading)
        return self._guards[key]

    def _enabled(self, disabled: Slot) -> Known:
        """`not x.@disabled`; a text such as "{flag}" is not known here and counts as enabled."""
        value = self.expressions.reference(disabled, disabled.span, Reading("guard", self.above(disabled)))
        if isinstance(value, ir.Lit) and not isinstance(value.value, bool):
            return ()
        return (negation(value),) if isinstance(value, ir.Lit) else conjuncts(negation(value))

    def check_branches(self, slot: Slot) -> None:
        """Bindings of one layer that share a place must exclude each other. Fault AM111."""
        bindings = [binding for binding in slot.chain() if binding.guard is not None]
        for at, first in enumerate(bindings):
            for second in bindings[at + 1 :]:
                if first.layer != second.layer or first.span == second.span:
                    continue
                if not exclude(conjuncts(self.guard(slot, first)), conjuncts(self.guard(slot, second))):
                    message = f"`{slot.path}` is bound twice, and both conditions can hold"
                    raise Fault("AM111", message, first.span, label="again here", help="make one `when` exclude the other")

    # -- identity -----------------------------------------------------------------------------------------------------------

    def id(self, site: Site) -> ir.ParamId:
        slots = [slot for _, slot in site.attached()]
        return group_id(slots) + branch_suffix(slots[0], site.binding_of(slots[0]))

    def is_bool(self, ref: ir.ParamRef) -> bool:
        param = self.params.get(ref.param)
        if param is None or not isinstance(param.domain, ir.Choice):
            return False
        return all(isinstance(alt.values[ref.slot], bool) for alt in param.domain.alts)

    # -- reading ------------------------------------------------------------------------------------------------------------

    def alias(self, site: Site, binding: Binding) -> Slot | None:
        """`x = 0.1 ~ v`: the searched place that a lone name among the alternatives stands for."""
        alternatives = site.alternatives or []
        if len(alternatives) != 1:
            return None
        tree = alternatives[0].values[binding.position]
        if not isinstance(tree, Leaf) or not isinstance(tree.expr, (ast.Name, ast.Attr, ast.Meta)):
            return None
        found = self.expressions.places.resolve(tree.expr, tree.scope, tree.home)
        if isinstance(found, Slot) and found.binding is not None and found.binding.site is not None:
            return found
        return None

    def read(self, site: Site, binding: Binding, slot: Slot, span: Span) -> ir.Expr:
        """The value that a search gives to `slot`."""
        alias = self.alias(site, binding)
        if alias is not None:
            return self.expressions.reference(alias, span, Reading("value", self.above(slot)))
        param = self.param(site)
        at = [where for where, _ in site.attached()].index(binding.position)
        out: ir.Expr = ir.ParamRef(param.id, at)
        for number, alternative in enumerate(site.alternatives or []):
            match alternative.values[binding.position]:
                case RangeTree() if isinstance(param.domain, ir.Choice):
                    inner = self.range_param(site, number)
                    out = fold(ir.IfElse(ir.IsAlt(param.id, (number,)), ir.ParamRef(inner.id, at), out))
                case Comp(cls=cls):
                    help = f"ask for its class: `{slot.name} is {cls.rpartition('.')[2]}`"
                    raise Fault("AM104", f"`{slot.name}` is a component, not a value to compute with", span, help=help)
                case _:
                    pass
        return out

    # -- parameters ---------------------------------------------------------------------------------------------------------

    def param(self, site: Site) -> ir.Param:
        """The parameter of `site`. A Fault is raised at every use, so that each reader stops."""
        made = self._made.get(id(site))
        if made is None:
            try:
                with self.expressions.entering(site, site.attached()[0][1], site.span):
                    made = self._make(site)
            except Fault as fault:
                made = fault
            self._made[id(site)] = made
        if isinstance(made, Fault):
            raise made
        return made

    def _make(self, site: Site) -> ir.Param:
        alternatives = site.alternatives or []
        lone = alternatives[0].values[0] if len(alternatives) == 1 else None
        if isinstance(lone, RangeTree):
            numbers = read_range(self.expressions, lone)
            domain: ir.Domain = numbers
            baseline = self.baselines.of_range(site, numbers)
        else:
            choice = self._choice(site)
            domain, baseline = choice, self.baselines.of_choice(site, choice)
        return self._add(site, self.id(site), domain, baseline, self._active(site))

    def labelled(self, param: ir.Param) -> ir.Param:
        """A `let` without a tag tunes what reads it first."""
        if param.label != OTHER or param.id not in self.first_read:
            return param
        return replace(param, label=label_of(self.first_read[param.id]))

    def _active(self, site: Site) -> list[ir.Expr]:
        """All its targets must exist."""
        known: list[ir.Expr] = []
        for _, slot in site.attached():
            known += [*self.above(slot), *self.here(slot, site.binding_of(slot))]
        return known

    def _add(
        self, site: Site, id: ir.ParamId, domain: ir.Domain, baseline: tuple[ir.Value, ...], active: list[ir.Expr]
    ) -> ir.Param:
        targets = tuple(slot.path for _, slot in site.attached())
        label = site.tags[0].lstrip("@") if site.tags else label_of(targets[0])
        param = ir.Param(id, domain, targets, baseline, conjunction(active), label)
        if id in self.params:
            raise Fault("AM111", f"two searches are both called `{id}`", site.span)
        self.params[id] = param
        self.spans[id] = site.span
        return param

    def range_param(self, site: Site, number: int) -> ir.Param:
        """The parameter of a range among several alternatives: the range's own alternative owns it."""
        key = (id(site), number)
        if key not in self._ranges:
            choice = self.param(site)
            tree = (site.alternatives or [])[number].values[0]
            if not isinstance(tree, RangeTree):
                raise Fault("AM104", "a range is needed here", site.span)
            domain = read_range(self.expressions, tree)
            active = [*self._active(site), ir.IsAlt(choice.id, (number,))]
            id_ = f"{choice.id}[{range_label(domain)}]"
            self._ranges[key] = self._add(site, id_, domain, self.baselines.within(site, domain), active)
        return self._ranges[key]

    # -- choices ------------------------------------------------------------------------------------------------------------

    def is_structured(self, site: Site, position: int) -> bool:
        """Whether some alternative at this target is more than a constant."""
        return any(has_structure(alternative.values[position]) for alternative in site.alternatives or [])

    def _choice(self, site: Site) -> ir.Choice:
        alternatives = site.alternatives or []
        positions = [at for at, _ in site.attached()]
        alts: list[ir.Alt] = []
        seen: set[str] = set()
        trees = [[alternative.values[at] for alternative in alternatives] for at in positions]
        for number, alternative in enumerate(alternatives):
            values = tuple(self._value(column, number) for column in trees)
            texts = [value if isinstance(value, str) else shown(value) for value in values]
            label = texts[0] if len(set(texts)) == 1 else f"({', '.join(texts)})"
            text = shown(list(values))
            if text in seen and len(positions) == len(site.slots):
                message = f"the alternative {label} is there twice"
                self.warnings.append(Diagnostic("AM908", message, alternative.span, severity="warning"))
            seen.add(text)
            alts.append(ir.Alt(label, values))
        if len(alts) == 1 and not site.keep_baseline:
            help = "write `=` to fix the value"
            match site.domain.alternatives[0]:
                case ast.Binary("-", ast.Lit(int() | float()), ast.Lit(int() | float())):
                    help = "write `..` for a range, `=` to fix the value"
            self.warnings.append(Diagnostic("AM906", "one alternative is no choice", site.domain.span, "", help, "warning"))
        columns = [[alt.values[at] for alt in alts] for at in range(len(positions))]
        return ir.Choice(tuple(alts), len(alts) > 1 and all(_increasing(column) for column in columns))

    def _value(self, trees: list[Tree | RangeTree], number: int) -> ir.Value:
        """The value of an alternative; the label of one that is a component or a range."""
        match trees[number]:
            case RangeTree() as tree:
                return range_label(read_range(self.expressions, tree))
            case Comp():
                return structure_label(trees, number)
            case tree if has_structure(tree):
                return f"[{number}]"
            case tree:
                return constant(self.expressions, tree)


def never_searched(what: str, span: Span) -> Diagnostic:
    """A search whose condition cannot hold vanishes from the table: that is worth a word."""
    return Diagnostic("AM909", f"`{what}` is never searched: its condition is always false", span, severity="warning")


def is_dead(param: ir.Param) -> bool:
    """Its condition is known to be false: it is no parameter, and its places keep their baseline."""
    return param.active is not None and is_false(param.active)


def _increasing(values: list[ir.Value]) -> bool:
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return len(numbers) == len(values) and all(a < b for a, b in pairwise(numbers))
