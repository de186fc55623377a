"""Where the value of a path comes from: every layer that touched it, low to high.

It is worked out from the layers that stand beside the program, when somebody asks; the program itself, and its digest, are free
of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from automl_run.errors import InputError

from . import ast, ir
from .diff import domain_text
from .elaborate import Request
from .elaborate.layers import Layer, Layered, build
from .elaborate.paths import assign
from .elaborate.program import is_checked, known_arguments
from .elaborate.tree import Fault, Slot
from .load import Checked
from .parser import parse_path
from .source import Source, Span
from .spell import spell, spell_node
from .to_automl_places import Place, alternatives, argument, attribute, child, items

_NAME = "PATH"
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Touch:
    """What one layer says. `place` is FILE:LINE:COLUMN; `gone`: the layer took the place away."""

    layer: str
    place: str
    text: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Provenance:
    """`kind`: parameter, value, derived, absent. `value`: its domain, its value or its expression."""

    path: str
    touches: tuple[Touch, ...]
    kind: str
    value: str
    baseline: str | None = None
    active: str | None = None


def provenance(checked: Checked, path: str) -> Provenance:
    """InputError if no layer knows `path`; ProgramError (AM0xx) if it is none."""
    program = checked.unwrap()
    source = Source(_NAME, path)
    steps = parse_path(source).steps
    known = known_arguments(is_checked(Request(checked.layers)))
    touches: list[Touch] = []
    before: object = None
    slot: Slot | None = None
    fault: Fault | None = None
    for count in range(1, len(checked.layers) + 1):
        layered = build(checked.layers[:count], known)
        assign(layered.places)
        try:
            slot, fault = _find(layered, steps, program, path), None
        except Fault as missing:
            if before is not None:
                touches.append(_taken_away(layered, steps, checked, count - 1))
            slot, before, fault = None, None, missing
            continue
        now = [(binding.span, binding.layer, binding.guard) for binding in slot.chain()]
        if now and now != before:
            new = [binding for binding in slot.chain() if before is None or binding.layer == count - 1]
            touches += [_touch(checked, binding.layer, binding.span) for binding in reversed(new)]
        before = now
    if slot is None or (not touches and slot.binding is None):
        help = f": {fault.diagnostic.help}" if fault is not None and fault.diagnostic.help else ""
        if not touches:
            raise InputError(f"nothing stands at `{path}`{help}")
        return Provenance(path, tuple(touches), "absent", "")
    return _outcome(program, slot, tuple(touches))


def _find(layered: Layered, steps: Sequence[ast.Step], program: ir.Program, path: str) -> Slot:
    places = layered.places
    first = steps[0]
    if isinstance(first, ast.NameStep):
        let = places.lets.get(((), first.name))
        if let is not None and first.name not in places.root.entries:
            return places.walk(let, steps[1:], None) if len(steps) > 1 else let
    slot = places.walk(None, steps, None)
    # A view of one alternative has no binding of its own below a search: what stands there is told with its search.
    return slot


def _taken_away(layered: Layered, steps: Sequence[ast.Step], checked: Checked, layer: int) -> Touch:
    """The binding above `steps` that left nothing there."""
    for length in range(len(steps) - 1, 0, -1):
        try:
            slot = layered.places.walk(None, steps[:length], None)
        except Fault:
            continue
        if slot.binding is not None:
            found = _touch(checked, layer, slot.binding.span)
            return Touch(found.layer, found.place, found.text, gone=True)
    return Touch(_layer_name(checked.layers[layer]), "", "", gone=True)


def _touch(checked: Checked, layer: int, span: Span) -> Touch:
    source = checked.sources.get(span.file)
    name = _layer_name(checked.layers[layer]) if 0 <= layer < len(checked.layers) else span.file
    if source is None:
        return Touch(name, span.file, "")
    line, column = source.position(span.start)
    text = " ".join(source.text[span.start : span.end].split())
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return Touch(name, f"{source.name}:{line}:{column}", text)


def _layer_name(layer: Layer) -> str:
    return layer.module.file


# -- what it came to ------------------------------------------------------------------------------------------------------------


def _outcome(program: ir.Program, slot: Slot, touches: tuple[Touch, ...]) -> Provenance:
    for param in program.params:
        if slot.path in param.targets and param.id in (slot.id, *_ids_of(param, slot)):
            at = param.targets.index(slot.path)
            active = None if param.active is None else spell(param.active, program)
            baseline = spell(ir.Lit(param.baseline[at]), program)
            return Provenance(slot.path, touches, "parameter", domain_text(param.domain), baseline, active)
    for place, node in _nodes(program):
        if place.id == slot.id and place.path == slot.path:
            kind = "value" if isinstance(node, (ir.Const, ir.Component, ir.ListNode, ir.MapNode)) else "derived"
            return Provenance(slot.path, touches, kind, spell_node(node, program))
    return Provenance(slot.path, touches, "value" if slot.is_let else "absent", touches[-1].text if touches else "")


def _ids_of(param: ir.Param, slot: Slot) -> tuple[str, ...]:
    """A search of several targets, or one branch of a place, is called after all of them."""
    return (param.id,) if param.id.startswith("(") or "(" in param.id or param.id.startswith(slot.id) else ()


def _nodes(program: ir.Program) -> Iterator[tuple[Place, ir.ConfigNode]]:
    for key, node in program.config.entries.items():
        yield from _below(child(Place("", "", "", ()), key), node)


def _below(place: Place, node: ir.ConfigNode) -> Iterator[tuple[Place, ir.ConfigNode]]:
    yield place, node
    match node:
        case ir.Const(dict() as value):
            for key, item in value.items():
                yield from _below(child(place, key), ir.Const(item))
        case ir.Const(list() as value):
            nodes: tuple[ir.ConfigNode, ...] = tuple(ir.Const(item) for item in value)
            for at, inside in zip(items(place, nodes), nodes, strict=True):
                yield from _below(at, inside)
        case ir.Component(_, args, attrs):
            for key, inside in args.items():
                yield from _below(argument(place, key), inside)
            for key, inside in attrs.items():
                yield from _below(attribute(place, key), inside)
        case ir.ListNode(nodes):
            for at, inside in zip(items(place, nodes), nodes, strict=True):
                yield from _below(at, inside)
        case ir.MapNode(entries):
            for key, inside in entries.items():
                yield from _below(child(place, key), inside)
        case ir.ChoiceNode(param, nodes):
            for at, inside in zip(alternatives(place, param, nodes), nodes, strict=True):
                yield from list(_below(at, inside))[1:]
        case ir.Guarded(_, then, otherwise):
            for branch in (then, otherwise):
                if branch is not None:
                    yield from list(_below(place, branch))[1:]
        case _:
            return


# -- for people -------------------------------------------------------------------------------------------------------------------


def render(found: Provenance) -> str:
    """The layers, one a line, and what they come to."""
    width = max((len(touch.place) for touch in found.touches), default=0)
    lines = [found.path]
    for touch in found.touches:
        text = f"gone: {touch.text}" if touch.gone else touch.text
        lines.append(f"  {touch.place:<{width}}  {text}".rstrip())
    match found.kind:
        case "parameter":
            now = f"searched: {found.value}  (baseline {found.baseline})"
        case "absent":
            now = "nothing stands there"
        case _:
            now = f"{found.kind}: {found.value}"
    lines.append(f"  = {now}")
    if found.active is not None:
        lines.append(f"    when {found.active}")
    return "\n".join(lines)
