"""AM913: `[~ A() | null]` puts a null into the list; an item that may be absent has a `when`."""

from __future__ import annotations

from collections.abc import Iterator

from .. import ast
from ..diagnostics import Diagnostic
from .subject import Subject, found
from .walk import every


def null_in_a_list(subject: Subject) -> Iterator[Diagnostic]:
    if subject.legacy:
        return
    for items in every(subject.module, ast.ListExpr):
        for item in items.items:
            if not isinstance(item.value, ast.Domain):
                continue
            others = [each for each in item.value.alternatives if not (isinstance(each, ast.Lit) and each.value is None)]
            calls = [each for each in others if isinstance(each, ast.Call)]
            if len(others) == len(item.value.alternatives) or not calls or len(calls) < len(others):
                continue
            shown = f"{calls[0].callee}(...)" if len(calls) == 1 else "~ A(...) | B(...)"
            null = next(each for each in item.value.alternatives if each not in others)
            help = f"`let on ~ true | false` and `{shown} when on` leave the item out"
            yield found("AM913", "a `null` stays in the list", null.span, help=help)
