"""Where the parts of a program are written, by the ids that the IR gives them."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ast
from ..elaborate.layers import Layer, Layered, build
from ..elaborate.paths import assign, branch_suffix, group_id
from ..elaborate.tree import Comp, Map, RangeTree, Seq, Slot, Tree
from ..source import Span


def written_at(layers: Sequence[Layer]) -> dict[str, Span]:
    """Ids of places and parameters, `require N` and `study.KEY` -> the statement of the highest layer that says it."""
    layered = build(layers, lambda cls, name: None)
    assign(layered.places)
    out: dict[str, Span] = {}
    for slot in (*layered.places.lets.values(), *layered.places.root.entries.values()):
        _slot(slot, out)
    requires = [placed.statement for placed in layered.requires if isinstance(placed.statement, ast.Require)]
    out.update({f"require {number}": statement.span for number, statement in enumerate(requires)})
    _study(layered, out)
    return out


def _study(layered: Layered, out: dict[str, Span]) -> None:
    for key in layered.study:
        match key.statement:
            case ast.Objective(direction, span=span):
                out[f"study.{direction}"] = span
            case ast.Section(path, span=span) | ast.Bind(targets=(path, *_), span=span):
                step = path.steps[0]
                if isinstance(step, ast.NameStep):
                    out[f"study.{step.name}"] = span
            case _:
                pass


def _slot(slot: Slot, out: dict[str, Span]) -> None:
    out.setdefault(slot.id, slot.span)
    for binding in slot.chain():
        site = binding.site
        out[slot.id] = binding.span if binding is slot.binding else out[slot.id]
        if site is None:
            if binding.value is not None:
                _tree(binding.value, out)
            continue
        slots = [each for _, each in site.attached()]
        out[group_id(slots) + branch_suffix(slots[0], site.binding_of(slots[0]))] = site.span
        for tree in binding.alternatives():
            if not isinstance(tree, RangeTree):
                _tree(tree, out)


def _tree(tree: Tree, out: dict[str, Span]) -> None:
    match tree:
        case Comp(args=args, attrs=attrs, lets=lets):
            for slot in (*args.values(), *attrs.values(), *lets.values()):
                _slot(slot, out)
        case Seq(items=items):
            for slot in items:
                _slot(slot, out)
        case Map(entries=entries):
            for slot in entries.values():
                _slot(slot, out)
        case _:
            pass
