"""Where the parameters of a program live: every place of the configuration with its id, and the `let`s that remain.

The IR says what each place reads, not where a search was written. A search stands at a place when the parameter has that place's id
(`elaborate/paths.py` gives both); a parameter that lives at no place was a `let`.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice, product
from typing import TypeAlias

from . import ast, ir
from .elaborate.domains import range_label
from .elaborate.paths import key_text
from .source import NOWHERE

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ID_STEP = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_]*)|\[(\"(?:[^\"\\]|\\.)*\")\]")
_COMBINATIONS = 256


@dataclass(frozen=True, slots=True)
class Place:
    """A key, an argument, an attribute, an item or a `let`.

    `steps` address it from the top, None where nothing does. `owner`: the id of the component it is an argument of. `local`: the
    name of a constructor's own `let`.
    """

    path: str
    id: str
    base: str
    steps: tuple[ast.Step, ...] | None
    owner: str | None = None
    local: str | None = None


@dataclass(slots=True)
class Group:
    """The `let` of one parameter. `trees`: the node of each of its names that holds components."""

    param: ir.Param
    section: tuple[str, ...]
    names: tuple[str, ...]
    owner: str | None = None
    trees: dict[int, ir.ChoiceNode] = field(default_factory=dict)


#: A search written at these places, one for each target.
Home: TypeAlias = tuple[Place, ...]


def name_step(name: str) -> ast.NameStep:
    return ast.NameStep(name, NOWHERE)


def index_step(at: int) -> ast.IndexStep:
    return ast.IndexStep(ast.Lit(at, NOWHERE), NOWHERE)


def short(cls: str) -> str:
    return cls.rpartition(".")[2]


def top(node: ir.ConfigNode) -> ir.ConfigNode:
    """What the highest binding puts there."""
    while isinstance(node, ir.Guarded):
        node = node.then
    return node


def child(place: Place, key: str) -> Place:
    """The entry `key` of a dict."""
    text = key_text(place.id, key)
    steps = None if place.steps is None else (*place.steps, name_step(key))
    return Place(place.path + key_text(place.path, key), place.id + text, place.id, steps)


def argument(place: Place, name: str) -> Place:
    return replace(child(place, name), owner=place.id)


def attribute(place: Place, name: str) -> Place:
    steps = None if place.steps is None else (*place.steps, ast.AttrStep(name, NOWHERE))
    return Place(f"{place.path}.@{name}", f"{place.id}.@{name}", place.id, steps, place.id)


def items(place: Place, nodes: tuple[ir.ConfigNode, ...]) -> list[Place]:
    """The items of a list, each called by its class while that says which."""
    components = [found if isinstance(found := top(node), ir.Component) else None for node in nodes]
    exact = Counter(comp.cls for comp in components if comp is not None)
    shorts = Counter(short(comp.cls) for comp in components if comp is not None)
    seen: Counter[str] = Counter()
    out: list[Place] = []
    for at, comp in enumerate(components):
        step: tuple[ast.Step, ...] = (index_step(at),)
        if comp is None:
            text = f"[{at}]"
        elif comp.instance is not None:
            text = f"[{json.dumps(comp.instance)}]"
        elif comp.cls == short(comp.cls) and exact[comp.cls] > 1:
            text = f".{comp.cls}[{seen[comp.cls]}]"
            step = (name_step(comp.cls), index_step(seen[comp.cls]))
        elif shorts[short(comp.cls)] == 1 or comp.cls == short(comp.cls):
            text = f".{short(comp.cls)}"
            step = (name_step(short(comp.cls)),)
        else:
            text = f"[{at}]"
        if comp is not None:
            seen[comp.cls] += 1
        steps = None if place.steps is None else (*place.steps, *step)
        out.append(Place(place.path + text, place.id + text, place.id, steps))
    return out


def labels(nodes: tuple[ir.ConfigNode, ...]) -> list[str]:
    """What the alternatives are called in ids."""
    classes = [short(node.cls) if isinstance(node, ir.Component) else None for node in nodes]
    counts, seen = Counter(classes), Counter[str | None]()
    out: list[str] = []
    for at, cls in enumerate(classes):
        out.append(str(at) if cls is None else cls if counts[cls] == 1 else f"{cls}[{seen[cls]}]")
        seen[cls] += 1
    return out


def alternatives(place: Place, param: str, nodes: tuple[ir.ConfigNode, ...]) -> list[Place]:
    """The alternatives of a search at `place`, as places."""
    branch = place.id + param[len(place.id) :] if param.startswith(place.id + "[") else place.id
    out: list[Place] = []
    for label, node in zip(labels(nodes), nodes, strict=True):
        steps = place.steps
        if steps is not None and isinstance(node, ir.Component):
            cls, _, index = label.partition("[")
            steps = (*steps, name_step(cls))
            if index:
                steps = (*steps, index_step(int(index.rstrip("]"))))
        out.append(Place(place.path, f"{branch}[{label}]", place.id, steps))
    return out


def group_id(places: Home) -> str:
    if len(places) == 1:
        return places[0].id
    bases = {place.base for place in places}
    if len(bases) > 1:
        return f"({','.join(place.id for place in places)})"
    base = bases.pop()
    names = ",".join(place.id[len(base) :].removeprefix(".") for place in places)
    return f"{base}.({names})" if base else f"({names})"


class Homes:
    """All of it for one program.

    `homes`: parameter -> its places. `lets`: parameter -> its `let`. `ranges`: choice -> alternative -> the parameter of the range.
    """

    def __init__(self, program: ir.Program) -> None:
        self.params = {param.id: param for param in program.params}
        self.ranges = _ranges(self.params)
        self.owned = {owned.id for found in self.ranges.values() for owned in found.values()}
        self.homes: dict[str, Home] = {}
        self.lets: dict[str, Group] = {}
        #: id of each component -> its place
        self.components: dict[str, Place] = {}
        #: id of each place whose search has components or ranges among its alternatives -> what stands there
        self.choices: dict[str, ir.ChoiceNode] = {}
        self._candidates: dict[str, dict[int, list[Place]]] = defaultdict(lambda: defaultdict(list))
        self._foreign: dict[str, list[ir.ChoiceNode]] = defaultdict(list)
        for key, node in program.config.entries.items():
            self._visit(node, Place(key_text("", key), key_text("", key), "", (name_step(key),)))
        self._settle()

    # -- walking --------------------------------------------------------------------------------------------------------------

    def _visit(self, node: ir.ConfigNode, place: Place) -> None:
        match node:
            case ir.Read(param, slot, None):
                self._note(param, slot, place)
            case ir.Guarded(_, then, otherwise):
                self._visit(then, place)
                if otherwise is not None:
                    self._visit(otherwise, place)
            case ir.Component(_, args, attrs):
                self.components.setdefault(place.id, place)
                for name, inside in args.items():
                    self._visit(inside, argument(place, name))
                for name, inside in attrs.items():
                    self._visit(inside, attribute(place, name))
            case ir.ListNode(nodes):
                for inside, at in zip(nodes, items(place, nodes), strict=True):
                    self._visit(inside, at)
            case ir.MapNode(entries):
                for key, inside in entries.items():
                    self._visit(inside, child(place, key))
            case ir.ChoiceNode(param, nodes):
                targets = self.params[param].targets if param in self.params else ()
                if place.path in targets and self._fits(param, place):
                    self._note(param, targets.index(place.path), place)
                    self.choices[place.id] = node
                    for inside, at in zip(nodes, alternatives(place, param, nodes), strict=True):
                        self._visit(inside, at)
                else:
                    self._foreign[param].append(node)
            case _:
                pass

    def _fits(self, param: str, place: Place) -> bool:
        if len(self.params[param].targets) > 1:
            return True
        return param == place.id or re.fullmatch(re.escape(place.id) + r"\[[0-9]+\]", param) is not None

    def _note(self, param: str, slot: int, place: Place) -> None:
        found = self.params.get(param)
        if found is not None and slot < len(found.targets) and found.targets[slot] == place.path:
            self._candidates[param][slot].append(place)

    # -- deciding -------------------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        waiting = [id for id in self.params if id not in self.owned]
        while waiting:
            left: list[str] = []
            for id in waiting:
                home = self._home(id)
                if home is not None:
                    self.homes[id] = home
                else:
                    left.append(id)
            fresh = [id for id in left if id in self._foreign or self._simple(id) is not None]
            for id in fresh:
                self._let(id)
            waiting = [id for id in left if id not in fresh]
            if not fresh:
                break
        self.unplaced = waiting

    def _home(self, id: str) -> Home | None:
        targets = self.params[id].targets
        found = self._candidates.get(id, {})
        columns = [found.get(slot, []) for slot in range(len(targets))]
        for home in islice(product(*columns), _COMBINATIONS):
            text = group_id(home)
            if id == text or re.fullmatch(re.escape(text) + r"\[[0-9]+\]", id):
                return home
        return None

    def _simple(self, id: str) -> tuple[tuple[str, ...], tuple[str, ...], str | None] | None:
        """Section, names and component of a `let`, from what it is called; None for one inside alternatives."""
        targets = self.params[id].targets
        last = targets[0].rpartition(".")[2]
        owner = None
        if len(targets) == 1:
            if id.endswith(f".{last}") and id[: -len(last) - 1] in self.components:
                return (), (last,), id[: -len(last) - 1]
            steps = parse_id(id)
            return None if steps is None else (steps[:-1], steps[-1:], owner)
        base, mark, inside = id.rpartition("(")
        names = tuple(inside.removesuffix(")").split(","))
        base = base.removesuffix(".")
        if not mark or len(names) != len(targets):
            return None
        if base in self.components:
            return (), names, base
        steps = parse_id(base) if base else ()
        return None if steps is None else (steps, names, owner)

    def _let(self, id: str) -> None:
        simple = self._simple(id)
        if simple is None:
            return
        section, names, owner = simple
        group = Group(self.params[id], section, names, owner)
        self.lets[id] = group
        for node in self._foreign.get(id, []):
            slot = slot_of(node, self.params[id])
            if slot in group.trees:
                continue
            group.trees[slot] = node
            place = self.let_place(group, slot)
            for inside, at in zip(node.nodes, alternatives(place, id, node.nodes), strict=True):
                self._visit(inside, at)

    def let_place(self, group: Group, slot: int) -> Place:
        """A `let` as the place it is read from."""
        name = group.names[slot]
        if group.owner is not None:
            component = self.components[group.owner]
            return replace(argument(component, name), local=name)
        steps = tuple(name_step(step) for step in (*group.section, name))
        return Place(group.param.targets[slot], ".".join((*group.section, name)), ".".join(group.section), steps)

    def places(self) -> Iterator[tuple[ir.Param, int, Place]]:
        """Every parameter and slot with the place that it is read from."""
        for id, home in self.homes.items():
            for slot, place in enumerate(home):
                yield self.params[id], slot, place
        for id, group in self.lets.items():
            for slot in range(len(group.names)):
                yield self.params[id], slot, self.let_place(group, slot)


def parse_id(id: str) -> tuple[str, ...] | None:
    """The names of `a.b["c"]`; None where alternatives or indices stand in it."""
    out: list[str] = []
    at = 0
    while at < len(id):
        match = _ID_STEP.match(id, at)
        if match is None:
            return None
        out.append(match[1] if match[1] is not None else str(json.loads(match[2])))
        at = match.end()
    return tuple(out)


def _ranges(params: dict[str, ir.Param]) -> dict[str, dict[int, ir.Param]]:
    """The ranges among the alternatives of each choice: each is a parameter of its own."""
    out: dict[str, dict[int, ir.Param]] = {}
    for param in params.values():
        if not isinstance(param.domain, ir.Choice):
            continue
        for number, alt in enumerate(param.domain.alts):
            label = alt.values[0]
            inner = params.get(f"{param.id}[{label}]") if isinstance(label, str) else None
            if inner is None or isinstance(inner.domain, ir.Choice) or inner.targets != param.targets:
                continue
            if range_label(inner.domain) == label:
                out.setdefault(param.id, {})[number] = inner
    return out


def slot_of(node: ir.ChoiceNode, param: ir.Param) -> int:
    """Which of the names of a grouped `let` this is: the one whose values are called like the alternatives."""
    if not isinstance(param.domain, ir.Choice):
        return 0
    called = labels(node.nodes)
    for slot in range(len(param.targets)):
        values = [alt.values[slot] for alt in param.domain.alts]
        hits = [
            value == label
            for value, label, inside in zip(values, called, node.nodes, strict=True)
            if isinstance(inside, ir.Component)
        ]
        if hits and all(hits):
            return slot
    return 0
