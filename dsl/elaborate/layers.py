"""Layers, low to high: each module's statements change the tree that the ones below have made.

Within one layer the order of statements means nothing: shorter paths are bound first, so `train.model.depth` finds the
`train.model` that stands further down; a path bound twice in one layer is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace

from .. import ast
from ..diagnostics import Diagnostic, Secondary
from .comprehensions import CONDITION, PRESENT, Lists, both, place_of
from .counting import circular, settle
from .expand import Expander, spread
from .merge import merged
from .places import HasArgument, Places, component_of, section_key
from .settings import compare
from .tree import Binding, Echo, Fault, Leaf, Map, Names, Scope, Section, Seq, Slot

_MAX_STEPS = 64
#: A list in a list is met one reading later.
_MAX_READINGS = 32


@dataclass(frozen=True, slots=True)
class Layer:
    """One module. `legacy`: a search refines the value of its own layer, and that value is the baseline even outside the domain.

    `automl_config`: a study that the legacy reader made, which has carried out what handlers and executor say.
    `bundle`: a MONAI bundle's configuration, whose keys may create, and whose texts are MONAI's.
    `setting`: what `--set` says, which changes values and not their kinds.
    """

    module: ast.Module
    legacy: bool = False
    automl_config: bool = False
    bundle: bool = False
    setting: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A statement with what its names mean."""

    statement: ast.Bind | ast.Let | ast.Require
    scope: Scope | None
    prefix: tuple[ast.Step, ...]
    layer: int


@dataclass(frozen=True, slots=True)
class StudyKey:
    """A statement of a `study` section, or an objective written outside one."""

    statement: ast.Statement
    layer: int
    file: str


@dataclass(slots=True)
class Layered:
    """What the layers come to."""

    places: Places
    requires: list[Placed] = field(default_factory=list)
    study: list[StudyKey] = field(default_factory=list)
    study_labels: list[tuple[str, ast.Section, int]] = field(default_factory=list)
    #: the layers that are legacy AutoML configs
    automl_configs: set[int] = field(default_factory=set)
    faults: list[Diagnostic] = field(default_factory=list)
    #: the lists of comprehensions that build components
    lists: Lists = field(default_factory=Lists)
    #: what is worth a word and no mistake
    remarks: list[Diagnostic] = field(default_factory=list)


def build(layers: Sequence[Layer], has_argument: HasArgument) -> Layered:
    """The tree of all layers. Mistakes are collected; what could not be bound is left out."""
    lists = Lists()
    for _ in range(_MAX_READINGS):
        lists.met.clear()
        out = _Builder(Layered(Places(has_argument), lists=lists)).build(layers)
        if not lists.met or settle(lists, out.places):
            break
    else:
        lists.known = {key: circular(wanted) for key, wanted in lists.met.items()}
    out.faults += [fault.diagnostic for fault in lists.faults()]
    lists.is_final = True
    return out


class _Builder:
    def __init__(self, out: Layered) -> None:
        self.out = out
        self.places = out.places
        self.expand = Expander(out.places, lists=out.lists)
        self.legacy = self.bundle = self.setting = False
        #: whether a layer below had mistakes: what stood there is missing, and no mistake of this one
        self.has_holes = False
        #: path, as names, -> number of the statement of this layer that mentions it first
        self.mentioned: dict[tuple[str, ...], int] = {}

    def build(self, layers: Sequence[Layer]) -> Layered:
        placed: list[list[Placed]] = []
        for number, layer in enumerate(layers):
            found: list[Placed] = []
            defs: dict[str, ast.Def] = {}
            for statement in layer.module.body:
                self._flatten(statement, None, (), number, layer.module.file, found, defs)
            placed.append(found)
            if layer.automl_config:
                self.out.automl_configs.add(number)
        for number, layer in enumerate(layers):
            self.expand.layer, self.legacy, self.bundle, self.setting = number, layer.legacy, layer.bundle, layer.setting
            self.expand.is_lenient = layer.bundle
            # Paths create only where no layer below made a configuration: with a base, an unknown path is a slip.
            self.places.root.open = layer.bundle or not self.places.root.entries
            self.has_holes = bool(self.out.faults)
            self._apply(placed[number])
        return self.out

    def _flatten(
        self,
        statement: ast.Statement,
        scope: Scope | None,
        prefix: tuple[ast.Step, ...],
        layer: int,
        file: str,
        found: list[Placed],
        defs: dict[str, ast.Def],
    ) -> None:
        for path in _paths(statement):
            if len(prefix) + len(path.steps) > _MAX_STEPS:
                self._report(Fault("AM303", f"a path has at most {_MAX_STEPS} steps", path.span))
                return
        match statement:
            case ast.Section(path, label, body):
                if not prefix and len(path.steps) == 1 and _starts(path, "study"):
                    self.out.study_labels.append((label or "", statement, layer))
                    self.out.study += [StudyKey(item, layer, file) for item in body]
                    return
                if label is not None:
                    help = '`study "name" { ... }` has a label, and each `phase` in it'
                    self._report(Fault("AM117", "this section takes no label", path.span, help=help))
                whole = (*prefix, *path.steps)
                inner = Section(ast.Path(whole, path.span), scope)
                for item in body:
                    self._flatten(item, inner, whole, layer, file, found, defs)
            case ast.Objective() | ast.Ensure():
                self.out.study.append(StudyKey(statement, layer, file))
            case ast.Def(name, span=span):
                if name in defs:
                    other = (Secondary(defs[name].span, "first here"),)
                    self._report(Fault("AM111", f"`{name}` is defined twice", span, label="again here", secondary=other))
                    return
                defs[name] = statement
                self.places.defs[name] = (statement, scope)
            case ast.Use():
                if prefix:
                    self._report(Fault("AM118", "`use` stands outside sections", statement.span))
            case ast.Bind(targets=(path,)) if not prefix and len(path.steps) > 1 and _starts(path, "study"):
                rest = ast.Path(path.steps[1:], path.span)
                self.out.study.append(StudyKey(replace(statement, targets=(rest,)), layer, file))
            case ast.Bind() | ast.Let() | ast.Require():
                found.append(Placed(statement, scope, prefix, layer))

    # -- statements -----------------------------------------------------------------------------------------------------------

    def _apply(self, found: list[Placed]) -> None:
        binds: list[tuple[int, Placed, ast.Bind]] = []
        for placed in found:
            match placed.statement:
                case ast.Let(bind):
                    self._guarded(self._declare, placed, bind)
                case ast.Require():
                    self.out.requires.append(placed)
                case ast.Bind() as bind:
                    length = len(placed.prefix) + max(len(path.steps) for path in bind.targets)
                    binds.append((2 * length + (1 if bind.append else 0), placed, bind))
        for placed in found:
            if isinstance(placed.statement, ast.Let):
                self._guarded(self._let, placed, placed.statement.bind)
        self.mentioned = {}
        for number, (_, placed, bind) in enumerate(binds):
            for path in bind.targets:
                names = section_key(ast.Path((*placed.prefix, *path.steps), path.span))
                for length in range(1, len(names) + 1):
                    self.mentioned.setdefault(names[:length], number)
        for _, placed, bind in sorted(binds, key=lambda entry: entry[0]):
            self._guarded(self._bind, placed, bind)
        if self.places.root.open:
            self._in_order_of_mention(self.places.root, ())

    def _in_order_of_mention(self, tree: Map, prefix: tuple[str, ...]) -> None:
        """Keys that this layer's paths made stand in the order of the text, however long the paths are."""
        last = len(self.mentioned)
        new = {
            key: slot for key, slot in tree.entries.items() if slot.binding is not None and slot.binding.layer == self.expand.layer
        }
        old = [key for key in tree.entries if key not in new]
        made = sorted(new, key=lambda key: self.mentioned.get((*prefix, key), last))
        tree.entries = {key: tree.entries[key] for key in (*old, *made)}
        for key in made:
            binding = new[key].binding
            if binding is not None and isinstance(binding.value, Map) and binding.value.open:
                self._in_order_of_mention(binding.value, (*prefix, key))

    def _guarded(self, action, placed: Placed, bind: ast.Bind) -> None:  # type: ignore[no-untyped-def]
        try:
            action(placed, bind)
        except Fault as fault:
            if not (self.has_holes and fault.diagnostic.code == "AM110"):
                self._report(fault)

    def _report(self, fault: Fault) -> None:
        if not isinstance(fault, Echo):
            self.out.faults.append(fault.diagnostic)

    def _declare(self, placed: Placed, bind: ast.Bind) -> None:
        for path in bind.targets:
            match path.steps:
                case (ast.NameStep(name),):
                    key = (section_key(ast.Path(placed.prefix, path.span)), name)
                case _:
                    raise Fault("AM115", "a `let` has one plain name", path.span)
            if key not in self.places.lets:
                self.places.lets[key] = Slot(name, path.span, is_let=True)
            elif any(b.layer == self.expand.layer for b in self.places.lets[key].chain()) or self.places.lets[key].binding is None:
                other = (Secondary(self.places.lets[key].span, "first here"),)
                raise Fault("AM111", f"`{name}` is declared twice", path.span, label="again here", secondary=other)

    def _let(self, placed: Placed, bind: ast.Bind) -> None:
        slots: list[Slot] = []
        for path in bind.targets:
            step = path.steps[0]
            key = (section_key(ast.Path(placed.prefix, path.span)), step.name if isinstance(step, ast.NameStep) else "")
            slot = self.places.lets.get(key)
            if slot is None or (slot.binding is not None and slot.binding.layer == self.expand.layer):
                return  # `_declare` has reported it
            slots.append(slot)
        self._fill(slots, bind, placed.scope)

    def _bind(self, placed: Placed, bind: ast.Bind) -> None:
        slots: list[Slot] = []
        for path in bind.targets:
            steps = (*placed.prefix, *path.steps)
            slot = self._known_let(steps)
            if slot is None:
                slot = self.places.walk(None, steps, self.expand.layer, path.span)
            slots.append(slot)
        if bind.append:
            (self._merge if self.bundle else self._append)(slots, bind, placed.scope)
            return
        for slot, path in zip(slots, bind.targets, strict=True):
            self._check_once(slot, bind, path)
        self._fill(slots, bind, placed.scope)
        for slot in slots:
            self._sort_branches(slot)

    def _sort_branches(self, slot: Slot) -> None:
        """Branches of this layer exclude each other, so their order means nothing: it must not depend on the text's."""
        branches: list[Binding] = []
        rest = slot.binding
        while rest is not None and rest.guard is not None and rest.layer == self.expand.layer:
            branches.append(rest)
            rest = rest.below
        if len({branch.span for branch in branches}) < len(branches):
            return  # `A() if c else B() if d else C()`, where the order does mean something
        # The plain condition first, `not` of it below: that is how two layers come out as well.
        for branch in sorted(branches, key=lambda branch: (-_nots(branch.guard), _shape(branch.guard))):
            branch.below, rest = rest, branch
        slot.binding = rest

    def _known_let(self, steps: tuple[ast.Step, ...]) -> Slot | None:
        """`--set roi=96` and a higher layer may set a `let` of the layers below by its name."""
        match steps:
            case (ast.NameStep(name),) if name not in self.places.root.entries:
                slot = self.places.lets.get(((), name))
                return slot if slot is not None and slot.binding is not None else None
            case _:
                return None

    def _check_once(self, slot: Slot, bind: ast.Bind, path: ast.Path) -> None:
        """One layer binds a path once; guarded bindings may share it (`lower` checks that they exclude each other)."""
        old = slot.binding
        if old is None or old.layer != self.expand.layer:
            return
        if self.legacy and old.site is None:
            return
        if bind.guard is not None and old.guard is not None:
            return
        other = (Secondary(old.span, "first here"),)
        what = "let" if slot.is_let else "path"
        raise Fault("AM111", f"this {what} is bound twice", path.span, label="again here", secondary=other)

    def _fill(self, slots: list[Slot], bind: ast.Bind, scope: Scope | None) -> None:
        if bind.append:
            raise Fault("AM116", "`+=` adds to an inherited list", bind.span)
        if bind.search is not None:
            site = self.expand.search(
                tuple(slots),
                bind.search,
                scope,
                bind.tags,
                bind.span,
                given=bind.given,
                guard=bind.guard,
                keep_baseline=self.legacy,
            )
            del site
            return
        for slot, value in zip(slots, spread(bind.given, len(slots), bind.span), strict=True):
            if value is None:
                raise Fault("AM007", f"`{slot.name}` is given no value", bind.span)
            if self.setting:
                remark = compare(slot, value, scope, self.places)
                self.out.remarks += [] if remark is None else [remark]
            old = slot.binding
            binding = self.expand.bind(slot, value, scope, bind.span, bind.guard, old if bind.guard is not None else None)
            if old is not None and old.layer >= 0 and bind.guard is None and isinstance(binding.value, Leaf):
                binding.inherited = old.value
            slot.binding = binding

    def _append(self, slots: list[Slot], bind: ast.Bind, scope: Scope | None) -> None:
        if len(slots) != 1 or bind.given is None or bind.search is not None:
            raise Fault("AM116", "`+=` adds a list of items to one inherited list", bind.span)
        binding = slots[0].binding
        if binding is None or binding.site is not None or not isinstance(binding.value, Seq):
            raise Fault("AM116", f"`{slots[0].name}` is no inherited list", bind.targets[0].span, help="write `=` to make one")
        added = self.expand.value(bind.given, scope, slots[0])
        if not isinstance(added, Seq):
            raise Fault("AM116", "`+=` adds a list", bind.given.span, help="write `+= [...]`")
        for item in added.items:
            if bind.guard is None:
                continue
            around = Names({PRESENT: place_of(PRESENT, bind.guard, scope)}, scope)
            for old in item.chain():
                if old.guard is None:
                    old.guard, old.scope = bind.guard, scope
                else:
                    own = place_of(CONDITION, old.guard, old.scope)
                    old.guard = both(ast.Name(PRESENT, bind.guard.span), ast.Name(CONDITION, old.guard.span))
                    old.scope = Names({CONDITION: own}, around)
        items = binding.value.items
        binding.value.is_unknown = binding.value.is_unknown or added.is_unknown
        place = len(items) if bind.before is None else self._before(items, bind.before)
        items[place:place] = added.items

    def _merge(self, slots: list[Slot], bind: ast.Bind, scope: Scope | None) -> None:
        """A bundle's `"+key": value`. Without anything to merge into, it is put there, as MONAI does with a warning."""
        slot, given = slots[0], bind.given
        if given is None:
            return
        old = slot.binding
        if old is None:
            message = f"`+{slot.name}` has nothing to merge into"
            self.out.remarks.append(Diagnostic("AM116", message, bind.targets[0].span, "put there as it is", severity="warning"))
        elif old.site is None:
            old.value = merged(old.value, self.expand.value(given, scope, slot), self.places, bind.targets[0].span, slot.name)
            return
        slot.binding = self.expand.bind(slot, given, scope, bind.span)

    def _before(self, items: list[Slot], before: ast.Expr) -> int:
        match before:
            case ast.Name(name):
                step: ast.Step = ast.NameStep(name, before.span)
            case ast.Attr():
                base, steps = _dotted(before)
                step = ast.NameStep(".".join([base, *steps]), before.span)
            case ast.Index(ast.Name(name), ast.Lit(int() as index)):
                found = [
                    at
                    for at, item in enumerate(items)
                    if (comp := component_of(item)) is not None and name in (comp.cls, comp.short)
                ]
                if 0 <= index < len(found):
                    return found[index]
                raise Fault("AM110", f"nothing named `{name}[{index}]` here", before.span)
            case _:
                step = ast.IndexStep(before, before.span)
        holder = Slot("list", before.span, Binding(Seq(items, before.span), None, 0, None, None, before.span, -1))
        return items.index(self.places.walk(holder, (step,), None))


def _paths(statement: ast.Statement) -> tuple[ast.Path, ...]:
    match statement:
        case ast.Section(path):
            return (path,)
        case ast.Bind(targets) | ast.Let(ast.Bind(targets)):
            return targets
        case _:
            return ()


def _shape(node: object) -> str:
    """A syntax tree as text, without its places."""
    if isinstance(node, tuple):
        return f"({' '.join(_shape(item) for item in node)})"
    if not is_dataclass(node):
        return repr(node)
    parts = [_shape(getattr(node, item.name)) for item in fields(node) if not item.name.endswith("span")]
    return f"{type(node).__name__}({' '.join(parts)})"


def _nots(node: object) -> int:
    if isinstance(node, tuple):
        return sum(_nots(item) for item in node)
    if not is_dataclass(node):
        return int(node in ("is not", "not in"))
    return int(isinstance(node, ast.Unary) and node.op == "not") + sum(_nots(getattr(node, item.name)) for item in fields(node))


def _starts(path: ast.Path, name: str) -> bool:
    return isinstance(path.steps[0], ast.NameStep) and path.steps[0].name == name


def _dotted(expr: ast.Expr) -> tuple[str, list[str]]:
    match expr:
        case ast.Name(name):
            return name, []
        case ast.Attr(base, name):
            first, rest = _dotted(base)
            return first, [*rest, name]
        case _:
            raise Fault("AM115", "one plain name is needed here", expr.span)
