"""All nodes of a syntax tree, without recursion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import TypeVar

from ..source import Span

T = TypeVar("T")


def walk(node: object, into: Callable[[object], bool] = lambda node: True) -> Iterator[object]:
    """`node` and every syntax node below it, in source order; what `into` refuses is yielded and not entered."""
    pending = [node]
    while pending:
        here = pending.pop()
        if isinstance(here, tuple):
            pending += reversed(here)
        elif is_dataclass(here) and not isinstance(here, Span):
            yield here
            if into(here):
                pending += reversed([getattr(here, each.name) for each in fields(here)])


def every(node: object, kind: type[T]) -> Iterator[T]:
    """All nodes of one kind."""
    for each in walk(node):
        if isinstance(each, kind):
            yield each
