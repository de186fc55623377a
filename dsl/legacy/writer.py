"""Program -> Clara's JSON, as far as it can say it. What it cannot is listed, each with the place it concerns.

A search becomes an item of `search` beside the component that has the argument, or at the first level; a `let` becomes a virtual
tag, or an alias where its baseline is not the first alternative, and every reader of it an `apply`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

from .. import ir
from ..ast import AttrStep, NameStep
from ..elaborate.constants import equal
from ..elaborate.domains import middle
from ..ir import Value
from ..to_automl_places import Group, Homes, Place, argument, attribute, child, items
from ..variables import names_in
from .words import COMPONENT_KEYS, DOMAINS

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that Clara's JSON has no words for. `place`: the id of a parameter or place, `require N` or `study.KEY`."""

    message: str
    place: str
    help: str = ""


@dataclass(slots=True)
class _Owner:
    """An object that may carry `search` and `apply`: a component, or an object of settings outside arguments."""

    search: list[Value] = field(default_factory=list)
    apply: dict[str, Value] = field(default_factory=dict)


def training_config(program: ir.Program) -> tuple[dict[str, Value], list[Loss]]:
    """The training config; with losses it lacks what they name."""
    return _Writer(program).write()


class _Writer:
    def __init__(self, program: ir.Program) -> None:
        self.program = program
        self.homes = Homes(program)
        self.losses: list[Loss] = []
        self.owners: dict[str, _Owner] = defaultdict(_Owner)
        self.variables = frozenset(_names(program.config))
        #: let -> slot -> places that read it and have no baseline of their own
        self.readers: dict[str, dict[int, list[Place]]] = defaultdict(lambda: defaultdict(list))
        #: let -> slot -> the first-level key that takes it, and whether that has a baseline of its own
        self.keys: dict[str, dict[int, tuple[str, bool]]] = defaultdict(dict)
        #: lets with a reader that has a baseline of its own
        self.others: set[str] = set()
        self.said: set[str] = set()
        self.objects: dict[str, dict[str, Value]] = {}

    def write(self) -> tuple[dict[str, Value], list[Loss]]:
        for id in self.homes.unplaced:
            self.lose("this search stands at no place of the configuration", id)
        for number, require in enumerate(self.program.requires):
            self.lose(f"`require`: {require.reason or require.text}", f"require {number}", "Clara has no conditions on values")
        body: dict[str, Value] = {}
        for key, node in self.program.config.entries.items():
            self._key(key, key)
            place = child(Place("", "", "", ()), key)
            body[key] = self._node(node, place, "", key, is_argument=False)
        for group in self.homes.lets.values():
            self._let(group)
        self.objects[""] = body
        for id, owner in self.owners.items():
            if owner.search:
                self.objects[id]["search"] = owner.search
            if owner.apply:
                self.objects[id]["apply"] = owner.apply
        return body, self.losses

    def lose(self, message: str, place: str, help: str = "") -> None:
        loss = Loss(message, place, help)
        if loss not in self.losses:
            self.losses.append(loss)

    # -- the configuration ----------------------------------------------------------------------------------------------------

    def _node(self, node: ir.ConfigNode, place: Place, owner: str | None, key: str, *, is_argument: bool) -> Value:
        """The JSON at `place`. `owner`: the id of what a `search` for it stands in, where it would be called `key`."""
        match node:
            case ir.Const(value):
                if not is_argument:
                    self._keys(value, place.id)
                return value
            case ir.Read():
                return self._read(node, place, owner, key)
            case ir.ChoiceNode(param, nodes):
                home = self.homes.homes.get(param)
                if home is None or not any(at.id == place.id for at in home):
                    return self._taken(node, place, owner, key)
                if any(_searches(inside) for inside in nodes):
                    self.lose("alternatives that have searches of their own", param, "Clara's choices are fixed values")
                    return None
                self._searched(param, place, owner, key)
                return self._baseline(node, place)
            case ir.Component():
                return self._component(node, place, is_argument)
            case ir.ListNode(nodes):
                found = zip(nodes, items(place, nodes), strict=True)
                return [self._node(inside, at, None, key, is_argument=is_argument) for inside, at in found]
            case ir.MapNode(entries):
                out: dict[str, Value] = {}
                for name, inside in entries.items():
                    at = child(place, name)
                    self._key(name, at.id)
                    out[name] = self._node(inside, at, None if is_argument else place.id, name, is_argument=is_argument)
                self.objects[place.id] = out
                return out
            case ir.Derived():
                self.lose("a value that is computed from others", place.id)
            case ir.Guarded():
                self.lose("a condition (`when`)", place.id)
        return None

    def _component(self, node: ir.Component, place: Place, is_argument: bool) -> Value:
        dotted = "." in node.cls
        name = node.cls if node.instance is None else f"{node.cls}#{node.instance}"
        out: dict[str, Value] = {"path" if dotted else "name": name}
        for key, inside in node.attrs.items():
            if key in COMPONENT_KEYS or (is_argument and key != "disabled"):
                self.lose(f"the attribute `@{key}` of a component in this place", f"{place.id}.@{key}")
            else:
                at = attribute(place, key)
                self._key(key, at.id)
                value = self._node(inside, at, place.id, f"@{key}", is_argument=True)
                if not (key == "disabled" and value is False and not isinstance(inside, ir.Const)):  # so it is without the key
                    out[key] = value
        args: dict[str, Value] = {}
        for key, inside in node.args.items():
            at = argument(place, key)
            self._key(key, at.id)
            args[key] = self._node(inside, at, place.id, key, is_argument=True)
        if args or is_argument or not (dotted or node.cls[:1].isupper()):
            out["args"] = args
        self.objects[place.id] = out
        return out

    def _keys(self, value: Value, id: str) -> None:
        match value:
            case dict():
                for key, item in value.items():
                    self._key(key, f"{id}.{key}")
                    self._keys(item, f"{id}.{key}")
            case list():
                for item in value:
                    self._keys(item, id)

    def _key(self, key: str, id: str) -> None:
        if key.startswith("_"):
            self.lose(f"the key `{key}`: Clara ignores what starts with `_`", id)

    # -- searches -------------------------------------------------------------------------------------------------------------

    def _read(self, node: ir.Read, place: Place, owner: str | None, key: str) -> Value:
        param = self.homes.params.get(node.param)
        if param is None:
            return None
        value = param.baseline[node.slot] if node.baseline is None else node.baseline.value
        home = self.homes.homes.get(node.param)
        if home is not None and node.baseline is None and any(at.id == place.id for at in home):
            self._searched(node.param, place, owner, key)
            return value
        group = self.homes.lets.get(node.param)
        source: str | None = None
        if group is not None and not group.section and group.owner is None:
            source = group.names[node.slot]
        elif home is not None and len(home) == 1 and node.param in self.program.config.entries:
            source = node.param
        if source is None or owner is None:
            what = "a value that follows a search elsewhere" if source is None else "a search in this place"
            self.lose(what, place.id, "Clara applies first-level searches and aliases, to arguments of components")
        elif owner == "":
            if home is not None or node.slot in self.keys[node.param]:
                self.lose("a first-level key that follows another", place.id)
            self.keys[node.param][node.slot] = (key, node.baseline is not None)
        else:
            if node.baseline is None:
                self.readers[node.param][node.slot].append(place)
            else:
                self.others.add(node.param)
            self.owners[owner].apply[key] = source
        return value

    def _taken(self, node: ir.ChoiceNode, place: Place, owner: str | None, key: str) -> Value:
        """A component that a `let` chooses."""
        group = self.homes.lets.get(node.param)
        slot = None if group is None else next((at for at, tree in group.trees.items() if tree == node), None)
        if group is None or slot is None or not owner or group.section or group.owner is not None:
            self.lose("a component that is built in several places from one search", place.id)
            return None
        self.others.add(node.param)
        self.owners[owner].apply[key] = group.names[slot]
        return self._baseline(node, place)

    def _searched(self, id: str, place: Place, owner: str | None, key: str) -> None:
        """Notes the search of `place`; a group is written when its first place is met."""
        if id in self.said:
            return
        self.said.add(id)
        param, home = self.homes.params[id], self.homes.homes[id]
        if owner is None:
            self.lose("a search in this place", id, "Clara searches arguments of components, `@disabled` and first-level keys")
            return
        if key.startswith("@") and key != "@disabled":
            self.lose(f"a search of `{key}`", id, "of a component's attributes only `@disabled` can be searched")
            return
        names = [_arg(at, place, owner) for at in home]
        if None in names:
            self.lose("values of several components in one search", id, "bind them to names of one `let`")
            return
        if id != home[0].id and len(home) == 1:
            self.lose("a second search of this place", id)
            return
        self._item(param, [name for name in names if name is not None], self.owners[owner])

    def _item(self, param: ir.Param, names: list[str], owner: _Owner) -> None:
        kind_and_targets = self._targets(param)
        if kind_and_targets is None:
            return
        kind, targets = kind_and_targets
        domain = param.label if param.label in DOMAINS else "transform"
        owner.search.append({"domain": domain, "type": kind, "args": list(names), "targets": targets})

    def _targets(self, param: ir.Param) -> tuple[str, Value] | None:
        if param.active is not None:
            self.lose("a search that is there under a condition only", param.id)
            return None
        match param.domain:
            case ir.Real(lo, hi, "linear", None):
                return "float", [lo, hi]
            case ir.Choice(alts):
                if param.id in self.homes.ranges:
                    self.lose("a range among other alternatives", param.id)
                    return None
                node = self._choice_node(param)
                if node is None:
                    return "enum", [list(alt.values) for alt in alts]
                rows: list[Value] = []
                for number, alt in enumerate(alts):
                    rows.append([self._plain(node[s].nodes[number]) if s in node else value for s, value in enumerate(alt.values)])
                return "enum", rows
            case ir.Int():
                self.lose("a range of integers", param.id, "Clara draws floats only; `--legacy=lower` lists the integers")
            case ir.Real(step=None):
                self.lose("a log scale", param.id, "`--legacy=lower` makes a grid of it")
            case ir.Real():
                self.lose("a range with steps", param.id, "`--legacy=lower` lists the values")
        return None

    def _choice_node(self, param: ir.Param) -> dict[int, ir.ChoiceNode] | None:
        home = self.homes.homes.get(param.id)
        if home is None:
            group = self.homes.lets.get(param.id)
            return dict(group.trees) if group is not None and group.trees else None
        found = {slot: node for slot, at in enumerate(home) if (node := self.homes.choices.get(at.id)) is not None}
        return found or None

    def _plain(self, node: ir.ConfigNode) -> Value:
        """An alternative: fixed, and read as an argument is."""
        return self._node(node, Place("", "", "", None), None, "", is_argument=True)

    def _baseline(self, node: ir.ChoiceNode, place: Place) -> Value:
        param = self.homes.params[node.param]
        if node.baseline is not None:
            return self._node(node.baseline, Place(place.path, place.id + "[baseline]", "", None), None, "", is_argument=True)
        if not isinstance(param.domain, ir.Choice):
            return None
        at = next((n for n, alt in enumerate(param.domain.alts) if equal(list(alt.values), list(param.baseline))), 0)
        return self._plain(node.nodes[at])

    # -- lets -----------------------------------------------------------------------------------------------------------------

    def _let(self, group: Group) -> None:
        param = group.param
        if group.section or group.owner is not None:
            self.lose("a `let` inside a section or a constructor", param.id, "declare it at the top")
            return
        if any(_searches(inside) for tree in group.trees.values() for inside in tree.nodes):
            self.lose("alternatives that have searches of their own", param.id, "Clara's choices are fixed values")
            return
        taken = [name for name in group.names if name in self.program.config.entries]
        if taken or not all(_PLAIN.fullmatch(name) for name in group.names):
            self.lose(f"the name `{(taken or list(group.names))[0]}` of a `let`", param.id)
            return
        keys = self.keys.get(param.id, {})
        by_key = len(keys) == len(group.names) and not any(own for _, own in keys.values())
        if by_key or equal(list(param.baseline), list(_usual(param))) or self._switches(group):
            names = [f"@{name}" if name in self.variables else name for name in group.names]
            for slot, (key, _) in keys.items():
                names[slot] = f"{key}#{group.names[slot]}"
            self._item(param, names, self.owners[""])
            return
        found = self._declared(group)
        if found is None:
            help = "one place must take it as it is, without a baseline of its own"
            self.lose("the baseline of a `let` that no component has", param.id, help)
            return
        owner, places = found
        for place in places:
            self.owners[owner].apply.pop(_key(place), None)
        self._item(param, [f"{_key(place)}#{name}" for place, name in zip(places, group.names, strict=True)], self.owners[owner])

    def _switches(self, group: Group) -> bool:
        """Whether all it does is to switch components, each of which stands in the file as its baseline has it."""
        readers = self.readers.get(group.param.id, {})
        alone = all(readers.get(slot) and all(_key(at) == "@disabled" for at in readers[slot]) for slot in range(len(group.names)))
        return alone and not self.keys.get(group.param.id) and group.param.id not in self.others

    def _declared(self, group: Group) -> tuple[str, list[Place]] | None:
        """Arguments of one component that take all names of the `let` and have its baseline: where its aliases are written."""
        readers = self.readers.get(group.param.id, {})
        columns = [{place.base: place for place in readers.get(slot, [])} for slot in range(len(group.names))]
        for base in columns[0] if columns else ():
            if all(base in column for column in columns):
                return base, [column[base] for column in columns]
        return None


# -- helpers ------------------------------------------------------------------------------------------------------------------


def _key(place: Place) -> str:
    """What a search or `apply` calls a place."""
    match place.steps[-1] if place.steps else None:
        case AttrStep(name):
            return f"@{name}"
        case NameStep(name):
            return name
        case _:
            return ""


def _arg(at: Place, place: Place, owner: str) -> str | None:
    return _key(at) or None if at.base == place.base == owner else None


def _usual(param: ir.Param) -> tuple[Value, ...]:
    """The baseline of a tag."""
    if isinstance(param.domain, ir.Choice):
        return param.domain.alts[0].values
    return (middle(param.domain),) * len(param.targets)


def _searches(node: ir.ConfigNode) -> bool:
    """Whether anything below `node` depends on a parameter."""
    match node:
        case ir.Const():
            return False
        case ir.Component(_, args, attrs):
            return any(_searches(inside) for inside in (*args.values(), *attrs.values()))
        case ir.ListNode(nodes):
            return any(_searches(inside) for inside in nodes)
        case ir.MapNode(entries):
            return any(_searches(inside) for inside in entries.values())
        case _:
            return True


def _names(node: ir.ConfigNode | Value) -> set[str]:
    """The names of every `{x}` below `node`."""
    match node:
        case str():
            return set(names_in(node))
        case list():
            return {name for item in node for name in _names(item)}
        case dict():
            return {name for item in node.values() for name in _names(item)}
        case ir.Const(value):
            return _names(value)
        case ir.Component(_, args, attrs):
            return {name for inside in (*args.values(), *attrs.values()) for name in _names(inside)}
        case ir.ListNode(nodes):
            return {name for inside in nodes for name in _names(inside)}
        case ir.MapNode(entries):
            return {name for inside in entries.values() for name in _names(inside)}
        case _:
            return set()
