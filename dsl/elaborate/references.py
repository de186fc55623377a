"""`{"ref": "X"}` of a Clara config: the component that it follows must stand somewhere, whichever layer put it there.

Codes: AM222 a reference to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import ast
from ..diagnostics import Hints
from .tree import Comp, Fault, Leaf, Map, Seq, Slot, Tree


def dangling(root: Map) -> Iterator[Fault]:
    """A fault for each reference below `root` that names no component there, by its class or the name of its instance."""
    names: set[str] = set()
    found: list[ast.Lit] = []
    for tree in _trees(root):
        match tree:
            case Comp(cls=cls, instance=instance):
                names |= {cls, tree.short}
                if instance is not None:
                    names.add(instance)
            case Map(entries=entries) if set(entries) == {"ref"}:
                found += [
                    binding.value.expr
                    for binding in entries["ref"].chain()
                    if binding.site is None and isinstance(binding.value, Leaf) and isinstance(binding.value.expr, ast.Lit)
                ]
    hints = Hints()
    for literal in found:
        name = literal.value
        if isinstance(name, str) and name not in names and not name.startswith(("@", "#")) and "{" not in name:
            message = f"`ref` to `{name}`, which is no component of this config"
            yield Fault("AM222", message, literal.span, label="refers to nothing", help=hints.did_you_mean(name, lambda: names))


def _trees(tree: Tree) -> Iterator[Tree]:
    """`tree` and everything below it, in all alternatives."""
    waiting = [tree]
    while waiting:
        tree = waiting.pop()
        yield tree
        slots: list[Slot] = []
        match tree:
            case Comp(args=args, attrs=attrs, lets=lets):
                slots = [*args.values(), *attrs.values(), *lets.values()]
            case Seq(items=items):
                slots = items
            case Map(entries=entries):
                slots = list(entries.values())
        for slot in slots:
            waiting += slot.standing()
