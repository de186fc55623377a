"""AM911: `"1e-4"` is a text, and no component that wants a number takes it for one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import ast
from ..diagnostics import Diagnostic, Fix
from .subject import Subject, found
from .walk import walk

_NUMBER = re.compile(r"\s*(-?[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*")


def quoted_number(subject: Subject) -> Iterator[Diagnostic]:
    if subject.legacy:
        return
    for node in walk(subject.module, _may_hold_numbers):
        if isinstance(node, ast.Lit) and isinstance(node.value, str) and (match := _NUMBER.fullmatch(node.value)):
            yield found(
                "AM911",
                f"this is the text {subject.text(node.span)}, not a number",
                node.span,
                help=f"write `{match[1]}`",
                fixes=[Fix(node.span, match[1])],
            )


def _may_hold_numbers(node: object) -> bool:
    """Whether a text below `node` may stand for a value: not one that is a key or the name of a component."""
    match node:
        case ast.IndexStep() | ast.Path() | ast.Index(index=ast.Lit()):
            return False
        case ast.Call(callee="component"):
            return False
        case _:
            return True
