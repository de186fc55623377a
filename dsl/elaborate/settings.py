"""`--set PATH=VALUE`: the value is compared with the one it takes the place of, since a slip there is seen by nobody else.

A file may change what kind of value stands at a path; a setting changes the value only. Lists are left alone: many an argument
takes one value or one for each axis.

Codes: AM101 a text without quotes, AM104 a value of another kind.
"""

from __future__ import annotations

import json
from typing import TypeAlias

from .. import ast
from ..diagnostics import Diagnostic, Secondary
from .places import Places
from .tree import Comp, Fault, Leaf, Scope, Slot, Tree

#: A text that begins so may stand for anything.
_REFERENCES = ("@", "$", "%", "#", "lambda", "{")
_NAMES = {"bool": "true or false", "number": "a number", "text": "a text", "component": "a component"}
Kind: TypeAlias = str | None


def compare(slot: Slot, new: ast.Expr, scope: Scope | None, places: Places) -> Diagnostic | None:
    """Fault if `new` is another kind of value than the inherited one; a warning for a fraction where a whole number stood."""
    binding = slot.binding
    old = binding.value if binding is not None else None
    before, after = _of_tree(old), _of_expr(new)
    if before is None or binding is None:
        return None
    was = Secondary(binding.span, "the inherited value")
    if isinstance(new, ast.Name) and places.name(new.id, scope, slot) is None and new.id not in places.defs:
        if before == "text":
            help = f"a text stands in double quotes: `--set '{slot.name}=\"{new.id}\"'`"
            raise Fault("AM101", f"nothing is named `{new.id}` here", new.span, label="unknown name", help=help)
        after = "text"
    if after is None or after == before:
        if after == "number" and _is_whole(old) and _is_fraction(new):
            message = f"`{slot.name}` is a whole number, {_shown(old)}, and is set to a fraction"
            return Diagnostic("AM104", message, new.span, severity="warning", secondary=(was,))
        return None
    message = f"`{slot.name}` is {_NAMES[before]}{_shown(old, ', ')}, and is set to {_NAMES[after]}"
    raise Fault("AM104", message, new.span, label=f"{_NAMES[before]} was expected", secondary=(was,))


def _of_tree(tree: Tree | None) -> Kind:
    match tree:
        case Comp():
            return "component"
        case Leaf(expr):
            return _of_expr(expr)
        case _:
            return None


def _of_expr(expr: ast.Expr) -> Kind:
    """None where it may be anything."""
    match expr:
        case ast.Lit(bool()):
            return "bool"
        case ast.Lit(int() | float()) | ast.Unary("-", ast.Lit(int() | float())) | ast.Quantity():
            return "number"
        case ast.Lit(str() as text) if not text.startswith(_REFERENCES):
            return "text"
        case ast.Call(callee) if callee[:1].isupper() or "." in callee or callee == "component":
            return "component"
        case _:
            return None


def _is_whole(tree: Tree | None) -> bool:
    return isinstance(tree, Leaf) and isinstance(tree.expr, ast.Lit) and type(tree.expr.value) is int


def _is_fraction(expr: ast.Expr) -> bool:
    return isinstance(expr, ast.Lit) and isinstance(expr.value, float) and not expr.value.is_integer()


def _shown(tree: Tree | None, before: str = "") -> str:
    return f"{before}{json.dumps(tree.expr.value)}" if isinstance(tree, Leaf) and isinstance(tree.expr, ast.Lit) else ""
