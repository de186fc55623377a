"""AM905, AM906, AM908: found by the elaborator, which knows what every alternative is; here they get their fixes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .. import ast
from ..diagnostics import Diagnostic, Fix
from ..source import Span
from .subject import Subject
from .walk import every

_CODES = ("AM905", "AM906", "AM908")


def from_the_elaborator(subject: Subject) -> Iterator[Diagnostic]:
    for diagnostic in subject.checked.diagnostics:
        if diagnostic.span.file == subject.module.file and diagnostic.code.startswith("AM9"):
            yield diagnostic if subject.legacy else replace(diagnostic, fixes=tuple(_fixes(diagnostic, subject)))


def _fixes(diagnostic: Diagnostic, subject: Subject) -> Iterator[Fix]:
    if diagnostic.code == "AM906":
        for bind in every(subject.module, ast.Bind):
            if bind.search is not None and bind.search.span == diagnostic.span and bind.given is None and not bind.tags:
                yield from _fixed(bind, bind.search, subject)
    elif diagnostic.code == "AM908":
        for domain in every(subject.module, ast.Domain):
            for before, alternative in zip(domain.alternatives, domain.alternatives[1:], strict=False):
                if alternative.span == diagnostic.span:
                    removed = Span(diagnostic.span.file, before.span.end, alternative.span.end)
                    if "#" not in subject.text(Span(removed.file, removed.start, alternative.span.start)):
                        yield Fix(removed, "")


def _fixed(bind: ast.Bind, domain: ast.Domain, subject: Subject) -> Iterator[Fix]:
    """`x ~ 3` as `x = 3`."""
    between = Span(bind.span.file, bind.targets[-1].span.end, domain.span.start)
    at = between.start + subject.text(between).rfind("~")
    if at >= between.start and "#" not in subject.text(between) and not isinstance(domain.alternatives[0], ast.Range):
        yield Fix(Span(bind.span.file, at, at + 1), "=")
