"""Conditions, computed values and nested alternatives, made into grouped choices: every combination that is allowed, written out.

Parameters that are entangled - one computes with another, is there under its condition, a `require` reads both - become one choice
over the places that they decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from msgspec.structs import replace

from .. import ir
from ..elaborate.domains import shown
from ..elaborate.logic import reads
from ..evaluate import infeasible_because, next_unassigned, resolve
from ..ir import Value
from ..resolved import Resolved, ResolvedComponent
from ..to_automl_places import Place, argument, attribute, child, group_id, items, labels
from .lower_values import is_exact, range_text, values_of
from .writer import Loss

#: Written out, and looked at.
MOST_COMBINATIONS = 4096
MOST_POINTS = 20_000


@dataclass(slots=True)
class _Cluster:
    params: set[str]
    places: list[tuple[Place, ir.ConfigNode, bool]] = field(default_factory=list)


def combine(program: ir.Program, grid: int) -> tuple[ir.Program, list[Loss]]:
    """The program without conditions, computed values and nesting, as far as that can be; what could not is left as it was."""
    return _Combiner(program, grid).run()


class _Combiner:
    def __init__(self, program: ir.Program, grid: int) -> None:
        self.program, self.grid = program, grid
        self.params = {param.id: param for param in program.params}
        self.group = {id: id for id in self.params}
        self.entangled: set[str] = set()
        self.losses: list[Loss] = []
        self.replaced: dict[str, ir.ConfigNode] = {}

    def run(self) -> tuple[ir.Program, list[Loss]]:
        self._entangle()
        clusters: dict[str, _Cluster] = {}
        for id in self.params:
            if self._root(id) in self.entangled:
                clusters.setdefault(self._root(id), _Cluster(set())).params.add(id)
        entries = self.program.config.entries
        for key, node in entries.items():
            self._places(node, child(Place("", "", "", ()), key), clusters)
        added: list[ir.Param] = []
        gone: set[str] = set()
        for number, cluster in enumerate(clusters.values(), 1):
            param = self._combined(cluster, number)
            if param is not None:
                gone |= cluster.params
                added.append(param)
        kept = [param for param in self.program.params if param.id not in gone]
        requires = tuple(r for r in self.program.requires if not set(reads(r.condition)) <= gone)
        config = ir.MapNode({key: self._rebuilt(node, child(Place("", "", "", ()), key)) for key, node in entries.items()})
        return replace(self.program, params=(*kept, *added), config=config, requires=requires), self.losses

    # -- who belongs together -------------------------------------------------------------------------------------------------

    def _root(self, id: str) -> str:
        while self.group[id] != id:
            id = self.group[id]
        return id

    def _join(self, ids: list[str]) -> None:
        known = [id for id in ids if id in self.group]
        was = any(self._root(id) in self.entangled for id in known)
        for id in known[1:]:
            self.group[self._root(id)] = self._root(known[0])
        if known and was:
            self.entangled.add(self._root(known[0]))

    def _tie(self, ids: list[str]) -> None:
        self._join(ids)
        self.entangled.update(self._root(id) for id in ids if id in self.group)

    def _entangle(self) -> None:
        for require in self.program.requires:
            self._tie(reads(require.condition))
        for param in self.program.params:
            if param.active is not None:
                self._tie([param.id, *reads(param.active)])
        self._look(self.program.config)

    def _look(self, node: ir.ConfigNode) -> None:
        match node:
            case ir.Derived(expr):
                self._tie(reads(expr))
            case ir.Guarded(guard, then, otherwise):
                direct = [inside.param for inside in (then, otherwise) if isinstance(inside, (ir.Read, ir.ChoiceNode))]
                self._tie([*reads(guard), *direct])
                self._look(then)
                if otherwise is not None:
                    self._look(otherwise)
            case ir.ChoiceNode(param, nodes):
                inner = [id for inside in nodes for id in depends(inside)]
                if inner:
                    self._tie([param, *inner])
                for inside in nodes:
                    self._look(inside)
            case _:
                for inside in _children(node):
                    self._look(inside)

    # -- what they decide -----------------------------------------------------------------------------------------------------

    def _places(self, node: ir.ConfigNode, place: Place, clusters: dict[str, _Cluster], in_list: bool = False) -> None:
        ids = _own(node)
        cluster = next((clusters[self._root(id)] for id in ids if id in self.group and self._root(id) in clusters), None)
        if cluster is not None:
            if in_list and isinstance(node, ir.Guarded) and node.otherwise is None and isinstance(node.then, ir.Component):
                switch = ir.Derived(ir.Unary("not", node.guard))
                cluster.places.append((attribute(place, "disabled"), switch, False))
                self._places(node.then, place, clusters)
                return
            cluster.places.append((place, node, in_list))
            return
        if isinstance(node, ir.ListNode):
            for inside, at in zip(node.items, items(place, node.items), strict=True):
                self._places(inside, at, clusters, True)
            return
        for inside, at in _below(node, place):
            self._places(inside, at, clusters)

    def _combined(self, cluster: _Cluster, number: int) -> ir.Param | None:
        places = cluster.places
        if not places:
            return None
        for place, _, in_list in places:
            if in_list:
                self.losses.append(Loss("a choice among the items of a list", place.id, "Clara can only disable an item"))
                return None
        keys = [str(at) for at in range(len(places))]
        mini = replace(
            self.program,
            params=tuple(param for param in self.program.params if param.id in cluster.params),
            config=ir.MapNode({key: node for key, (_, node, _) in zip(keys, places, strict=True)}),
            requires=tuple(r for r in self.program.requires if set(reads(r.condition)) <= cluster.params),
        )
        rows: dict[str, list[Resolved]] = {}
        points = list(islice(self._points(mini, {}), MOST_POINTS + 1))
        if len(points) > MOST_POINTS:
            self.losses.append(Loss(f"more than {MOST_POINTS} combinations of {_named(cluster.params)}", places[0][0].id))
            return None
        for row in self._rows(mini, points, places[0][0].id):
            if any(key not in row for key in keys):
                missing = places[next(at for at, key in enumerate(keys) if key not in row)][0]
                self.losses.append(Loss("a key that is there under a condition only", missing.id))
                return None
            values = [row[key] for key in keys]
            rows.setdefault(_text(values), values)
            if len(rows) > MOST_COMBINATIONS:
                message = f"more than {MOST_COMBINATIONS} combinations of {_named(cluster.params)}"
                self.losses.append(Loss(message, places[0][0].id))
                return None
        if len(rows) < 2:
            return None
        label = next(param.label for param in mini.params)
        return replace(self._choice(number, places, list(rows.values())), label=label)

    def _rows(self, mini: ir.Program, points: list[dict[str, int | float]], place: str) -> Iterator[dict[str, Resolved]]:
        """The baseline first, if it is one of the combinations; Clara starts with the first."""
        start = resolve(mini, None) if infeasible_because(mini, None) is None else None
        found = [resolve(mini, point) for point in points if infeasible_because(mini, point) is None]
        if start is not None and start in found:
            yield start
        elif found:
            self.losses.append(Loss("the baseline is none of the combinations: they start with another", place))
        yield from found

    def _points(self, mini: ir.Program, point: dict[str, int | float]) -> Iterator[dict[str, int | float]]:
        param = next_unassigned(mini, point)
        if param is None:
            yield point
            return
        values: list[int] | list[int | float]
        if isinstance(param.domain, ir.Choice):
            values = list(range(len(param.domain.alts)))
        else:
            values = values_of(param, self.grid)
            if not is_exact(param, self.grid):
                loss = Loss(f"a grid of {len(values)} values instead of the {range_text(param.domain)}", param.id)
                if loss not in self.losses:
                    self.losses.append(loss)
        for value in values:
            yield from self._points(mini, {**point, param.id: value})

    def _choice(self, number: int, places: list[tuple[Place, ir.ConfigNode, bool]], rows: list[list[Resolved]]) -> ir.Param:
        """One choice over `places`, written there if one component has them all, else a `let` that they read."""
        found = [place for place, _, _ in places]
        together = len({place.base for place in found}) == 1 and len({place.owner for place in found}) == 1
        together = together and (len(found) == 1 or all(".@" not in place.id[len(place.base) :] for place in found))
        columns = [[node_of(row[at]) for row in rows] for at in range(len(found))]
        called = [labels(tuple(column)) for column in columns]
        alts: list[ir.Alt] = []
        for at in range(len(rows)):
            values = tuple(_shown(column[at], names[at]) for column, names in zip(columns, called, strict=True))
            alts.append(ir.Alt(shown(list(values)), values))
        if together:
            id, targets = group_id(tuple(found)), tuple(place.path for place in found)
        else:
            targets = tuple(f"combined_{number}_{at}" for at in range(1, len(found) + 1))
            id = f"({','.join(targets)})" if len(targets) > 1 else targets[0]
        for slot, (place, column) in enumerate(zip(found, columns, strict=True)):
            plain = all(isinstance(node, ir.Const) for node in column)
            self.replaced[place.id] = ir.Read(id, slot) if plain else ir.ChoiceNode(id, tuple(column))
        return ir.Param(id, ir.Choice(tuple(alts)), targets, alts[0].values)

    # -- the configuration that reads it --------------------------------------------------------------------------------------

    def _rebuilt(self, node: ir.ConfigNode, place: Place) -> ir.ConfigNode:
        if place.id in self.replaced:
            return self.replaced[place.id]
        switch = self.replaced.get(f"{place.id}.@disabled")
        if switch is not None and isinstance(node, ir.Guarded) and isinstance(node.then, ir.Component):
            node = replace(node.then, attrs={**node.then.attrs, "disabled": switch})
        match node:
            case ir.Component(args=args, attrs=attrs):
                return replace(
                    node,
                    args={key: self._rebuilt(inside, argument(place, key)) for key, inside in args.items()},
                    attrs={key: self._rebuilt(inside, attribute(place, key)) for key, inside in attrs.items()},
                )
            case ir.ListNode(nodes):
                found = zip(nodes, items(place, nodes), strict=True)
                return ir.ListNode(tuple(self._rebuilt(inside, at) for inside, at in found))
            case ir.MapNode(entries):
                return ir.MapNode({key: self._rebuilt(inside, child(place, key)) for key, inside in entries.items()})
            case _:
                return node


# -- helpers ------------------------------------------------------------------------------------------------------------------


def node_of(value: Resolved) -> ir.ConfigNode:
    """A concrete value as configuration."""
    match value:
        case ResolvedComponent(cls, args, attrs, instance):
            inside = {key: node_of(item) for key, item in args.items()}
            return ir.Component(cls, inside, {key: node_of(item) for key, item in attrs.items()}, instance)
        case list():
            nodes = [node_of(item) for item in value]
            if all(isinstance(node, ir.Const) for node in nodes):
                return ir.Const([node.value for node in nodes if isinstance(node, ir.Const)])
            return ir.ListNode(tuple(nodes))
        case dict():
            entries = {key: node_of(item) for key, item in value.items()}
            if all(isinstance(node, ir.Const) for node in entries.values()):
                return ir.Const({key: node.value for key, node in entries.items() if isinstance(node, ir.Const)})
            return ir.MapNode(entries)
        case _:
            return ir.Const(value)


def _named(params: set[str]) -> str:
    return ", ".join(f"`{id}`" for id in sorted(params))


def _shown(node: ir.ConfigNode, label: str) -> Value:
    return node.value if isinstance(node, ir.Const) else label


def depends(node: ir.ConfigNode) -> list[str]:
    """The parameters that anything below `node` reads."""
    out = list(_own(node))
    if isinstance(node, ir.ChoiceNode):
        for inside in node.nodes:
            out += depends(inside)
    for inside in _children(node):
        out += depends(inside)
    return list(dict.fromkeys(out))


def _own(node: ir.ConfigNode) -> list[str]:
    """The parameters that decide `node` itself."""
    match node:
        case ir.Read(param) | ir.ChoiceNode(param):
            return [param]
        case ir.Derived(expr):
            return reads(expr)
        case ir.Guarded(guard):
            return reads(guard)
        case _:
            return []


def _children(node: ir.ConfigNode) -> list[ir.ConfigNode]:
    match node:
        case ir.Component(_, args, attrs):
            return [*args.values(), *attrs.values()]
        case ir.ListNode(nodes):
            return list(nodes)
        case ir.MapNode(entries):
            return list(entries.values())
        case ir.Guarded(_, then, otherwise):
            return [then] if otherwise is None else [then, otherwise]
        case _:
            return []


def _below(node: ir.ConfigNode, place: Place) -> list[tuple[ir.ConfigNode, Place]]:
    match node:
        case ir.Component(_, args, attrs):
            found = [(inside, argument(place, key)) for key, inside in args.items()]
            return found + [(inside, attribute(place, key)) for key, inside in attrs.items()]
        case ir.MapNode(entries):
            return [(inside, child(place, key)) for key, inside in entries.items()]
        case _:
            return []


def _text(values: list[Resolved]) -> str:
    return repr(values)
