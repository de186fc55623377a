"""Tree values that are known before the search."""

from __future__ import annotations

from .. import ir
from .expressions import Expressions
from .tree import Comp, Echo, Fault, Leaf, Map, RangeTree, Seq, Slot, Tree


def constant(expressions: Expressions, tree: Tree) -> ir.Value:
    """The value of a tree that reads no parameter. Fault AM104 or AM120."""
    match tree:
        case Leaf(expr, scope, home):
            return expressions.constant(expr, scope, home)
        case Seq(is_unknown=True, span=span):
            raise Echo(span)
        case Seq(items=items):
            return [_slot(expressions, item) for item in items]
        case Map(entries=entries):
            return {key: _slot(expressions, item) for key, item in entries.items()}
        case Comp(cls=cls, span=span):
            raise Fault("AM104", f"`{cls}(...)` is a component; a value is needed here", span)


def _slot(expressions: Expressions, slot: Slot) -> ir.Value:
    binding = slot.binding
    if binding is None or binding.site is not None or binding.guard is not None or binding.value is None:
        raise Fault("AM120", "this must be known before the search", slot.span)
    return constant(expressions, binding.value)


def has_structure(tree: Tree | RangeTree) -> bool:
    """Whether `tree` is more than a constant: a component, a range, or a list or dict with a search in it."""
    match tree:
        case Comp() | RangeTree():
            return True
        case Seq(items=items):
            return any(_slot_has_structure(item) for item in items)
        case Map(entries=entries):
            return any(_slot_has_structure(item) for item in entries.values())
        case Leaf():
            return False


def _slot_has_structure(slot: Slot) -> bool:
    return any(
        binding.site is not None or binding.guard is not None or (binding.value is not None and has_structure(binding.value))
        for binding in slot.chain()
    )


def equal(a: ir.Value, b: ir.Value) -> bool:
    """Equal as data: 1 and 1.0 are, 1 and true are not."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return isinstance(a, bool) == isinstance(b, bool) and a == b
