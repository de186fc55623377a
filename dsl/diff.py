"""What two programs mean differently: parameters, fixed values, conditions, study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Literal

import msgspec

from . import ir
from .elaborate.domains import range_label, shown
from .spell import spell, spell_node

Area = Literal["parameter", "configuration", "study", "require"]


@dataclass(frozen=True, slots=True)
class Difference:
    """`before` and `after` are texts, None for nothing; `what`: of a parameter the part of it that changed, "" for all of it."""

    area: Area
    place: str
    what: str
    before: str | None
    after: str | None
    kind: Literal["added", "removed", "changed", ""] = ""

    def __post_init__(self) -> None:
        if not self.kind:
            kind = "added" if self.before is None else "removed" if self.after is None else "changed"
            object.__setattr__(self, "kind", kind)


def diff(before: ir.Program, after: ir.Program) -> tuple[Difference, ...]:
    """Everything that differs, in the order of the areas; () for two programs that do the same."""
    comparison = _Comparison(before, after)
    found = [*comparison.params(), *comparison.config(), *comparison.study(), *comparison.requires()]
    if not found and before.digest != after.digest:
        found = [Difference("configuration", "", "", before.digest, after.digest)]
    return tuple(found)


def document(before: ir.Program, after: ir.Program) -> dict[str, object]:
    """The differences as JSON."""
    found = diff(before, after)
    return {"equal": not found, "digests": [before.digest, after.digest], "differences": [asdict(each) for each in found]}


def render(found: tuple[Difference, ...]) -> str:
    """The differences for people: `-` what the first has, `+` what the second has, `~` what both have otherwise."""
    if not found:
        return "both mean the same"
    width = min(max(len(_title(each)) for each in found), 60)
    lines: list[str] = []
    area = ""
    for each in found:
        if each.area != area:
            area = each.area
            heading = {"parameter": "parameters", "require": "requirements"}.get(area, area)
            lines += ["", f"{heading}:"]
        sign = {"added": "+", "removed": "-"}.get(each.kind, "~")
        values = [value for value in (each.before, each.after) if value is not None]
        lines.append(f"  {sign} {_title(each):<{width}}  {'  ->  '.join(values)}".rstrip())
    return "\n".join(lines[1:])


def differences(before: ir.Program, after: ir.Program) -> str:
    """What `after` means otherwise, as text."""
    return render(diff(before, after))


def _title(each: Difference) -> str:
    return f"{each.place} {each.what}".strip()


class _Comparison:
    def __init__(self, before: ir.Program, after: ir.Program) -> None:
        self.before, self.after = before, after
        self.old = {param.id: param for param in before.params}
        self.new = {param.id: param for param in after.params}
        #: places whose difference is told with their parameter
        one_sided = self.old.keys() ^ self.new.keys()
        self.told = {target for id in one_sided for target in (id, *(self.old.get(id) or self.new[id]).targets)}

    # -- parameters -----------------------------------------------------------------------------------------------------------

    def params(self) -> Iterator[Difference]:
        for id, param in self.old.items():
            if id not in self.new:
                yield Difference("parameter", id, "", domain_text(param.domain), self._fixed(self.after, param), "removed")
        for id, param in self.new.items():
            if id not in self.old:
                yield Difference("parameter", id, "", self._fixed(self.before, param), domain_text(param.domain), "added")
        for id, param in self.old.items():
            if id in self.new:
                yield from self._param(param, self.new[id])

    def _param(self, old: ir.Param, new: ir.Param) -> Iterator[Difference]:
        if _domain_key(old.domain) != _domain_key(new.domain):
            yield Difference("parameter", old.id, "domain", domain_text(old.domain), domain_text(new.domain))
        if not _equal(old.baseline, new.baseline):
            yield Difference("parameter", old.id, "baseline", _values(old.baseline), _values(new.baseline))
        if old.active != new.active:
            before = "always" if old.active is None else spell(old.active, self.before)
            after = "always" if new.active is None else spell(new.active, self.after)
            yield Difference("parameter", old.id, "condition", before, after)
        if old.label != new.label:
            yield Difference("parameter", old.id, "label", old.label or "none", new.label or "none")
        if old.targets != new.targets:
            yield Difference("parameter", old.id, "targets", ", ".join(old.targets), ", ".join(new.targets))

    def _fixed(self, program: ir.Program, param: ir.Param) -> str | None:
        """What stands in `program` where `param` is searched in the other."""
        texts: list[str] = []
        for target in param.targets:
            node = _at(program.config, target)
            if node is None:
                return None
            texts.append(spell_node(node, program))
        return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"

    # -- configuration --------------------------------------------------------------------------------------------------------

    def config(self) -> Iterator[Difference]:
        yield from self._entries(self.before.config.entries, self.after.config.entries, "")

    def _entries(
        self, old: dict[str, ir.ConfigNode], new: dict[str, ir.ConfigNode], path: str, sign: str = ""
    ) -> Iterator[Difference]:
        for key in dict.fromkeys([*old, *new]):
            at = f"{path}.{sign}{key}" if path else f"{sign}{key}"
            yield from self._node(old.get(key), new.get(key), at)

    def _node(self, old: ir.ConfigNode | None, new: ir.ConfigNode | None, path: str) -> Iterator[Difference]:
        if (old is None) == (new is None) and _equal(old, new):
            return
        if path in self.told and (_is_search(old) or _is_search(new)):
            return
        match old, new:
            case ir.Component() as a, ir.Component() as b if (a.cls, a.instance) == (b.cls, b.instance):
                yield from self._entries(a.args, b.args, path)
                yield from self._entries(a.attrs, b.attrs, path, "@")
                return
            case ir.ChoiceNode() as a, ir.ChoiceNode() as b if a.param == b.param and len(a.nodes) == len(b.nodes):
                for at, (x, y) in enumerate(zip(a.nodes, b.nodes, strict=True)):
                    yield from self._node(x, y, f"{path}[{_class(x) or at}]")
                yield from self._node(a.baseline, b.baseline, f"{path} baseline")
                return
            case ir.ChoiceNode(p), ir.ChoiceNode(q) if p == q:
                return  # the domain says it
        a_map, b_map = _map(old), _map(new)
        if a_map is not None and b_map is not None:
            yield from self._entries(a_map, b_map, path)
            return
        a_list, b_list = _list(old), _list(new)
        if a_list is not None and b_list is not None and any(_class(item) for item in (*a_list, *b_list)):
            yield from self._items(a_list, b_list, path)
            return
        before = None if old is None else spell_node(old, self.before)
        after = None if new is None else spell_node(new, self.after)
        yield Difference("configuration", path, "", before, after)

    def _items(self, old: list[ir.ConfigNode], new: list[ir.ConfigNode], path: str) -> Iterator[Difference]:
        sides = ((old, self.before), (new, self.after))
        names = [[_class(item) or spell_node(item, program) for item in found] for found, program in sides]
        for kind, i, j, k, m in SequenceMatcher(None, names[0], names[1], autojunk=False).get_opcodes():
            if kind == "equal" or (kind == "replace" and j - i == m - k):
                for x, y, name in zip(old[i:j], new[k:m], names[1][k:m], strict=True):
                    yield from self._node(x, y, f"{path}.{name}" if _class(y) else f"{path}[{k}]")
                continue
            for item in old[i:j]:
                yield Difference("configuration", path, "item", spell_node(item, self.before), None)
            for item in new[k:m]:
                yield Difference("configuration", path, "item", None, spell_node(item, self.after))

    # -- the rest -------------------------------------------------------------------------------------------------------------

    def study(self) -> Iterator[Difference]:
        for field in msgspec.structs.fields(ir.Study):
            old, new = getattr(self.before.study, field.name), getattr(self.after.study, field.name)
            if field.name == "budget":
                for limit in msgspec.structs.fields(ir.Budget):
                    a, b = getattr(old, limit.name), getattr(new, limit.name)
                    if a != b:
                        yield Difference("study", "budget", limit.name, _said(a), _said(b))
            elif field.name in ("executor", "handlers"):
                # Clara's own say nothing that keep, out and budget do not.
                olds, news = _own(old), _own(new)
                if not _equal(olds, news):
                    yield Difference("study", field.name, "", _said(olds), _said(news))
            elif not _equal(old, new):
                yield Difference("study", field.name, "", _said(old), _said(new))
        if self.before.edition != self.after.edition:
            yield Difference("study", "edition", "", str(self.before.edition), str(self.after.edition))

    def requires(self) -> Iterator[Difference]:
        old = {msgspec.json.encode(each.condition): each for each in self.before.requires}
        new = {msgspec.json.encode(each.condition): each for each in self.after.requires}
        for key, each in old.items():
            if key not in new:
                yield Difference("require", "", "", spell(each.condition, self.before), None)
            elif each.reason != new[key].reason:
                text = spell(each.condition, self.before)
                yield Difference("require", text, "reason", shown(each.reason), shown(new[key].reason))
        for key, each in new.items():
            if key not in old:
                yield Difference("require", "", "", None, spell(each.condition, self.after))


# -- helpers ------------------------------------------------------------------------------------------------------------------


def domain_text(domain: ir.Domain) -> str:
    """`log 0.0001..0.01`, `1 | 2 | 4`."""
    if isinstance(domain, ir.Choice):
        return " | ".join(_values(alt.values) if len(alt.values) > 1 else alt.label for alt in domain.alts)
    text = range_label(domain)
    if domain.step is not None:
        text += f" step {'*' if domain.step.kind == 'mul' else ''}{domain.step.size:g}"
    return text


def _domain_key(domain: ir.Domain) -> bytes:
    """Without the names of alternatives, which mean nothing."""
    if isinstance(domain, ir.Choice):
        return msgspec.json.encode([domain.ordered, [alt.values for alt in domain.alts]])
    return msgspec.json.encode(domain)


def _equal(a: object, b: object) -> bool:
    """Equal as data: True and 1 are two, and the order of keys means nothing."""
    return msgspec.json.encode(a, order="deterministic") == msgspec.json.encode(b, order="deterministic")


def _values(values: tuple[ir.Value, ...]) -> str:
    return shown(values[0]) if len(values) == 1 else f"({', '.join(map(shown, values))})"


def _said(value: object) -> str | None:
    match value:
        case None | ():
            return None
        case ir.Spec(name, args):
            return f"{name}({', '.join(f'{key} = {shown(item)}' for key, item in args.items())})"
        case ir.Objective(metric, direction):
            return f"{direction} {metric}"
        case ir.Worker(gpus, threads):
            return str(list(gpus)) if gpus else f"cpu({threads})"
        case tuple():
            return ", ".join(text for item in value if (text := _said(item)) is not None)
        case bool():
            return "true" if value else "false"
        case msgspec.Struct():
            return msgspec.json.encode(value).decode()
        case _:
            return str(value)


def _own(value: ir.Spec | tuple[ir.Spec, ...] | None) -> tuple[ir.Spec, ...]:
    """Executors and handlers that are the user's."""
    specs = () if value is None else (value,) if isinstance(value, ir.Spec) else value
    return tuple(spec for spec in specs if "." in spec.name)


def _is_search(node: ir.ConfigNode | None) -> bool:
    return isinstance(node, (ir.Read, ir.ChoiceNode))


def _class(node: ir.ConfigNode) -> str | None:
    while isinstance(node, ir.Guarded):
        node = node.then
    if not isinstance(node, ir.Component):
        return None
    return node.cls.rpartition(".")[2] + ("" if node.instance is None else f"#{node.instance}")


def _map(node: ir.ConfigNode | None) -> dict[str, ir.ConfigNode] | None:
    match node:
        case ir.MapNode(entries):
            return entries
        case ir.Const(dict() as value):
            return {key: ir.Const(item) for key, item in value.items()}
        case _:
            return None


def _list(node: ir.ConfigNode | None) -> list[ir.ConfigNode] | None:
    match node:
        case ir.ListNode(items):
            return list(items)
        case ir.Const(list() as value):
            return [ir.Const(item) for item in value]
        case _:
            return None


def _at(config: ir.MapNode, path: str) -> ir.ConfigNode | None:
    """What stands at a parameter's target, as far as plain names lead there."""
    node: ir.ConfigNode | None = config
    for name in path.split("."):
        match node:
            case ir.Component(args=args, attrs=attrs):
                node = attrs.get(name[1:]) if name.startswith("@") else args.get(name)
            case ir.ListNode(items):
                node = next((item for item in items if _class(item) == name), None)
            case _:
                entries = _map(node)
                node = None if entries is None else entries.get(name)
    return node
