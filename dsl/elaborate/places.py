"""Finding a place by its path: `train.pre_transforms.RandFlipd[1].prob`, for binding and for reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .. import ast
from ..diagnostics import Hints
from ..source import NOWHERE, Span
from .tree import Binding, Comp, Echo, Fault, Leaf, Map, Names, Scope, Section, Seq, Slot, Tree, Variable

#: Attributes that a component may get although the base does not write them.
_ATTRIBUTES = frozenset({"disabled", "rank", "ref", "log_label"})

_SWITCHES = {"yes": "true", "on": "true", "no": "false", "off": "false"}

#: Whether a class has an argument; None where nothing is known about the class.
HasArgument = Callable[[str, str], "bool | None"]


@dataclass(slots=True)
class Places:
    """All places of a program. `lets` are keyed by the section they stand in (its steps) and their name."""

    has_argument: HasArgument
    root: Map = field(default_factory=lambda: Map({}, NOWHERE, open=True))
    lets: dict[tuple[tuple[str, ...], str], Slot] = field(default_factory=dict)
    defs: dict[str, tuple[ast.Def, Scope | None]] = field(default_factory=dict)
    hints: Hints = field(default_factory=Hints)

    # -- reading ------------------------------------------------------------------------------------------------------------

    def resolve(self, expr: ast.Expr, scope: Scope | None, home: Slot | None) -> Slot | Variable | None:
        """The place that a name or a dotted path means; None if `expr` is neither. Fault AM101 or AM110 if it is nowhere."""
        base, steps = chain(expr)
        if base is None:
            return None
        start = self.name(base.id, scope, home)
        if start is None or start is self.root.entries.get(base.id):
            let, rest = self._section_let(base.id, steps)
            if let is not None and let is not home:
                return self.walk(let, rest, None) if rest else let
        if start is None and home is not None and home.name == base.id:
            help = f"a right side never means its own left side; name something else than `{base.id}`"
            raise Fault("AM121", f"`{base.id}` would depend on itself: {base.id} -> {base.id}", base.span, help=help)
        if start is None:
            raise self.unknown(base, scope, home)
        if isinstance(start, Variable):
            return start if not steps else None
        return self.walk(start, steps, None) if steps else start

    def _section_let(self, first: str, steps: Sequence[ast.Step]) -> tuple[Slot | None, Sequence[ast.Step]]:
        """`train.roi` from outside the section: the `let roi` of the section `train`, and the steps after it."""
        names = [first, *(_shown(step) for step in steps)]
        for length in range(1, len(names)):
            step = steps[length - 1]
            found = self.lets.get((tuple(names[:length]), names[length])) if isinstance(step, ast.NameStep) else None
            if found is not None:
                return found, steps[length:]
        return None, ()

    def name(self, name: str, scope: Scope | None, home: Slot | None) -> Slot | Variable | None:
        """What a bare name means in `scope`, innermost first."""
        while scope is not None:
            match scope:
                case Variable(variable, parent):
                    if variable == name:
                        return scope
                case Names(slots, parent):
                    if name in slots and slots[name] is not home:
                        return slots[name]
                case Section(prefix, parent):
                    found = self.lets.get((section_key(prefix), name)) or self._below(prefix, name)
                    if found is not None and found is not home:
                        return found
            scope = parent
        found = self.lets.get(((), name)) or self.root.entries.get(name)
        return None if found is home else found

    def _below(self, prefix: ast.Path, name: str) -> Slot | None:
        try:
            return self.walk(None, (*prefix.steps, ast.NameStep(name, prefix.span)), None)
        except Fault:
            return None

    def visible(self, scope: Scope | None) -> set[str]:
        """Every name that could have been meant in `scope`."""
        names = {name for section, name in self.lets if not section} | set(self.root.entries) | set(self.defs)
        while scope is not None:
            match scope:
                case Variable(variable, parent):
                    names.add(variable)
                case Names(slots, parent):
                    names |= {name for name in slots if name[:1] != " "}  # those of comprehensions cannot be written
                case Section(prefix, parent):
                    names |= {name for section, name in self.lets if section == section_key(prefix)}
                    try:
                        slot = self.walk(None, prefix.steps, None)
                        names |= set(_known_below(slot))
                    except Fault:
                        pass
            scope = parent
        return names

    def unknown(self, name: ast.Name, scope: Scope | None, home: Slot | None) -> Fault:
        python = {"True": "true", "False": "false", "None": "null", "none": "null", "nil": "null"}
        if name.id in python:
            help = f"write `{python[name.id]}`"
        elif home is not None and home.parent and home.parent.component and name.id in home.parent.component.args:
            help = f"an argument does not read its neighbours: write `let v ~ ...` before it, and `{name.id} = v`"
        elif name.id in self.defs:
            help = f"`{name.id}` is a `def`: it is stamped where a value is searched (`~ {name.id}`), not read"
        else:
            help = self.hints.did_you_mean(name.id, lambda: self.visible(scope))
            if name.id.lower() in _SWITCHES and not help.startswith("did"):
                help = f'write `{_SWITCHES[name.id.lower()]}`, or `"{name.id}"` for a text'
            elif not help.startswith("did"):
                help = (f"{help}; " if help else "") + f'a text is written `"{name.id}"`'
        return Fault("AM101", f"nothing is named `{name.id}` here", name.span, label="unknown name", help=help)

    # -- walking ------------------------------------------------------------------------------------------------------------

    def walk(self, start: Slot | None, steps: Sequence[ast.Step], create: int | None, span: Span = NOWHERE) -> Slot:
        """From `start` (None: the top) along `steps`.

        `create`: the layer that may make what is missing; None for reading. Fault AM110, AM112, AM113 or AM203.
        """
        slot, at = start, 0
        while at < len(steps):
            step, following = steps[at], steps[at + 1] if at + 1 < len(steps) else None
            index = _literal(following.index) if isinstance(following, ast.IndexStep) else None
            slot, used = self._step(slot, step, index if isinstance(index, int) else None, create)
            at += used
        if slot is None:
            raise Fault("AM110", "a path is missing here", span)
        return slot

    def _step(self, slot: Slot | None, step: ast.Step, index: int | None, create: int | None) -> tuple[Slot, int]:
        trees = [self.root] if slot is None else self._trees(slot, create)
        if slot is not None and slot.binding is None and create is not None:
            fresh = Map({}, slot.span, open=True)
            slot.binding = Binding(fresh, None, 0, None, None, slot.span, create)
            trees = [fresh]
        hits: list[tuple[Slot, int]] = []
        for tree in trees:
            hit = self._in_tree(tree, step, index)
            if hit is not None:
                hits.append(hit)
        if slot is not None and len(trees) > 1 and len(hits) > 1:
            classes = ", ".join(f"`{tree.short}`" for tree in trees if isinstance(tree, Comp))
            raise Fault(
                "AM113",
                f"`{_shown(step)}` is in several alternatives: {classes}",
                step.span,
                help="name the alternative's class before it",
            )
        if hits:
            return hits[0]
        if slot is not None:
            chosen = self._alternative(slot, step, index)
            if chosen is not None:
                return chosen
            if create is None and isinstance(step, ast.AttrStep) and step.name == "disabled" and trees:
                return _enabled(step.span), 1
        if create is not None and len(trees) == 1:
            made = self._create(trees[0], step)
            if made is not None:
                return made, 1
        raise _missing(slot, trees, step, self.hints)

    def _trees(self, slot: Slot, create: int | None) -> list[Tree]:
        """What stands at `slot`: its value, or every alternative of its search."""
        out: list[Tree] = []
        for binding in slot.chain():
            if binding.site is not None:
                out += [value for value in binding.alternatives() if isinstance(value, (Comp, Seq, Map))]
            elif isinstance(binding.value, Leaf):
                if create is None:
                    out += self._followed(binding.value)
            elif binding.value is not None:
                out.append(binding.value)
        return out

    def _followed(self, leaf: Leaf) -> list[Tree]:
        base, _ = chain(leaf.expr)
        if base is None:
            return []
        target = self.resolve(leaf.expr, leaf.scope, leaf.home)
        return self._trees(target, None) if isinstance(target, Slot) else []

    def _in_tree(self, tree: Tree, step: ast.Step, index: int | None) -> tuple[Slot, int] | None:
        match tree, step:
            case Map(entries=entries), ast.NameStep(name):
                found = entries.get(name)
            case Map(entries=entries), ast.IndexStep(ast.Lit(str() as name)):
                found = entries.get(name)
            case Comp(args=args, lets=lets), ast.NameStep(name):
                found = args.get(name) or lets.get(name)
            case Comp(args=args), ast.IndexStep(ast.Lit(str() as name)):
                found = args.get(name)
            case Comp(attrs=attrs), ast.AttrStep(name):
                found = attrs.get(name)
            case Seq(is_unknown=True), _:
                raise Echo(step.span)
            case Seq(items=items), ast.NameStep(name):
                return _by_class(items, name, step.span, index)
            case Seq(items=items), ast.IndexStep(expr):
                return _by_index(items, expr, index)
            case _:
                return None
        return None if found is None else (found, 1)

    def _alternative(self, slot: Slot, step: ast.Step, index: int | None) -> tuple[Slot, int] | None:
        """`model.UNet`, `model.UNet[1]`: the alternative of that class, as a place of its own, and how many steps that takes."""
        wanted = step.name if isinstance(step, ast.NameStep) else None
        if isinstance(step, ast.IndexStep):
            wanted = _class_index(step.index)
        if wanted is None:
            return None
        trees = [tree for tree in self._trees(slot, None) if isinstance(tree, Comp) and wanted in (tree.cls, tree.short)]
        bindings = list(slot.chain())
        if not trees or (len(bindings) < 2 and not any(binding.site for binding in bindings)):
            return None  # a component that stands fixed has no alternatives to name
        if index is None and len(trees) > 1:
            help = f"say which: `{wanted}[0]` is the first"
            raise Fault("AM112", f"{len(trees)} alternatives are called `{wanted}`", step.span, help=help)
        if index is not None and not 0 <= index < len(trees):
            raise Fault("AM112", f"there are {len(trees)} alternatives `{wanted}`, counted from 0", step.span)
        view = Slot(wanted, slot.span, Binding(trees[index or 0], None, 0, None, None, slot.span, -1), slot.path, slot.id)
        return view, (1 if index is None else 2)

    def _create(self, tree: Tree, step: ast.Step) -> Slot | None:
        match tree, step:
            case Map(entries=entries), ast.NameStep(name, span) if self.root.open:
                pass
            case Map(entries=entries), ast.IndexStep(ast.Lit(str() as name), span) if self.root.open:
                pass
            case Comp(attrs=entries), ast.AttrStep(name, span) if self.root.open or name in _ATTRIBUTES:
                pass
            case Comp(args=entries, cls=cls), ast.NameStep(name, span):
                known = self.has_argument(cls, name)
                if known is False or (known is None and not self.root.open):
                    return None
            case _:
                return None
        is_switch = isinstance(step, ast.AttrStep) and name == "disabled"
        entries[name] = _enabled(span) if is_switch else Slot(name, span)
        return entries[name]


# -- helpers ------------------------------------------------------------------------------------------------------------------


def chain(expr: ast.Expr) -> tuple[ast.Name | None, tuple[ast.Step, ...]]:
    """`a.b["c"].@d` as its first name and the steps after it; (None, ()) for anything else."""
    steps: list[ast.Step] = []
    while True:
        match expr:
            case ast.Name():
                return expr, tuple(reversed(steps))
            case ast.Attr(base, name, span):
                steps.append(ast.NameStep(name, Span(span.file, max(span.start, span.end - len(name)), span.end)))
            case ast.Meta(base, name, span):
                steps.append(ast.AttrStep(name, span))
            case ast.Index(base, index, span) if _literal(index) is not None or _class_index(index) is not None:
                steps.append(ast.IndexStep(index, span))
            case _:
                return None, ()
        expr = base


def _class_index(index: ast.Expr) -> str | None:
    """`m[UNet]`: the alternative of that class, as ids write it. A lower-case name is a value to index with."""
    return index.id if isinstance(index, ast.Name) and index.id[:1].isupper() else None


def section_key(prefix: ast.Path) -> tuple[str, ...]:
    """A section as a key: its steps as text."""
    return tuple(_shown(step) for step in prefix.steps)


def _literal(expr: ast.Expr) -> int | str | None:
    match expr:
        case ast.Lit(int() as value) if not isinstance(value, bool):
            return value
        case ast.Lit(str() as value):
            return value
        case ast.Unary("-", ast.Lit(int() as value)):
            return -value
        case _:
            return None


def _shown(step: ast.Step) -> str:
    match step:
        case ast.NameStep(name):
            return name
        case ast.AttrStep(name):
            return f"@{name}"
        case ast.IndexStep(ast.Name(name)):
            return f"[{name}]"
        case ast.IndexStep(index):
            value = _literal(index)
            return f'["{value}"]' if isinstance(value, str) else f"[{value}]"


def _enabled(span: Span) -> Slot:
    """What `x.@disabled` means where nothing is written: the baseline of a search of it."""
    slot = Slot("disabled", span)
    slot.binding = Binding(Leaf(ast.Lit(False, span), None, None), None, 0, None, None, span, -1)
    return slot


def component_of(slot: Slot) -> Comp | None:
    """The component that stands fixed at `slot`."""
    binding = slot.binding
    return binding.value if binding is not None and binding.site is None and isinstance(binding.value, Comp) else None


def _by_class(items: list[Slot], name: str, span: Span, index: int | None) -> tuple[Slot, int] | None:
    exact: list[Slot] = []
    short: list[Slot] = []
    for item in items:  # lists are long, and every search of a legacy file looks through one: `component_of`, written out
        binding = item.binding
        if binding is not None and binding.site is None and isinstance(value := binding.value, Comp):
            if value.cls == name:
                exact.append(item)
            elif value.cls.endswith(name) and value.short == name:
                short.append(item)
    found = exact or short
    if not found:
        return None
    if index is not None:
        if not 0 <= index < len(found):
            raise Fault(
                "AM112", f"there are {len(found)} `{name}` here, counted from 0", span, help=f"the last is [{len(found) - 1}]"
            )
        return found[index], 2
    if len(found) > 1:
        raise Fault("AM112", f"{len(found)} list items are called `{name}`", span, help=f"say which: `{name}[0]` is the first")
    return found[0], 1


def _by_index(items: list[Slot], expr: ast.Expr, index: int | None) -> tuple[Slot, int] | None:
    wanted = _literal(expr)
    if isinstance(wanted, int):
        if not 0 <= wanted < len(items):
            raise Fault("AM112", f"the list has {len(items)} items, counted from 0", expr.span)
        return items[wanted], 1
    if wanted is None:
        return None
    for item in items:
        comp = component_of(item)
        if comp is not None and comp.instance == wanted:
            return item, 1
    return _by_class(items, wanted, expr.span, index)


def _known_below(slot: Slot | None, trees: Sequence[Tree] = ()) -> Mapping[str, object]:
    out: dict[str, object] = {}
    if slot is not None and not trees:
        trees = [b.value for b in slot.chain() if b.value is not None]
    for tree in trees:
        match tree:
            case Map(entries=entries):
                out.update(entries)
            case Comp(args=args, attrs=attrs, lets=lets):
                out.update(args)
                out.update(lets)
                out.update({f"@{name}": item for name, item in attrs.items()})
            case Seq(items=items):
                out.update({comp.short: item for item in items if (comp := component_of(item)) is not None})
            case Leaf():
                pass
    return out


def _missing(slot: Slot | None, trees: Sequence[Tree], step: ast.Step, hints: Hints) -> Fault:
    name = _shown(step)
    known = _known_below(slot, trees)
    help = hints.did_you_mean(name, lambda: known)
    comp = next((tree for tree in trees if isinstance(tree, Comp)), None)
    if name == "args" and comp is not None:
        return Fault("AM110", "arguments are addressed without `args`", step.span, help="leave `.args` out")
    if slot is None and not help.startswith("did"):
        help = f"{help}; " if help else ""
        help += 'a new key is made in a file that uses nothing, used first: `use "keys.automl"`; a helper is a `let`'
    if comp is not None and len(trees) == 1:
        if f"@{name}" in known:
            help = f"did you mean `@{name}`?"
        message = f"`{name}` is not an argument of `{comp.cls}` in this config"
        return Fault("AM203", message, step.span, label="unknown argument", help=help)
    if slot is not None and not trees:
        return Fault(
            "AM110", f"`{slot.path or slot.name}` is a plain value here; it has no `{name}`", step.span, label="unknown name"
        )
    return Fault("AM110", f"nothing named `{name}` here", step.span, label="unknown name", help=help)
