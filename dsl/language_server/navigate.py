"""Go to definition, and the outline of a file."""

from __future__ import annotations

import re
from pathlib import Path

from lsprotocol import types

from .. import ast
from ..elaborate.places import chain
from ..source import Source, Span
from .analysis import Analysis
from .documents import Snapshot, uri_of
from .locate import CalleeSpot, DefSpot, NameSpot, OwnSpot, PathSpot, UseSpot, resolve, spot_at
from .text import Lines


def definition(analysis: Analysis, offset: int) -> Span | Path | None:
    """Where the thing at `offset` is made: a place in a file, or a whole file."""
    spot = spot_at(analysis.module, offset)
    match spot:
        case UseSpot(path=path):
            target = (analysis.document.path.parent / path).resolve()
            return target if target in analysis.files or target.is_file() else None
        case CalleeSpot(call=call):
            return _def(analysis, call.callee)
        case DefSpot(name=name):
            return _def(analysis, name)
        case NameSpot(expr=ast.Name(name)) if name in analysis.places.defs and spot.local is None:
            return _def(analysis, name)
        case PathSpot() | NameSpot() | OwnSpot():
            slot = resolve(analysis, spot)
            if slot is not None and slot.span.file:
                return slot.span
            return _narrowed(analysis, spot) if isinstance(spot, NameSpot) else None
        case _:
            return None


def _narrowed(analysis: Analysis, spot: NameSpot) -> Span | None:
    """The variable of a loop or the parameter of a `def`, within the whole that the tree keeps the place of."""
    name, span = chain(spot.expr)[0], spot.local
    if name is None or span is None:
        return span
    match = re.search(rf"(?:\bfor\s+|[(,]\s*)({name.id})\b", analysis.text_of(span))
    return span if match is None else Span(span.file, span.start + match.start(1), span.start + match.end(1))


def _def(analysis: Analysis, name: str) -> Span | None:
    found = analysis.places.defs.get(name)
    if found is None:
        return None
    span = found[0].span
    return Span(span.file, span.start, span.start + len("def ") + len(name))


def location(analysis: Analysis, target: Span | Path, documents: Snapshot, encoding: str) -> types.Location | None:
    """`target` for the editor; None if its file was not read."""
    if isinstance(target, Path):
        return types.Location(uri_of(target, documents), types.Range(types.Position(0, 0), types.Position(0, 0)))
    source = analysis.checked.sources.get(target.file)
    if source is None:
        return None
    lines = lines_of(source, documents, encoding)
    return types.Location(uri_of(Path(target.file), documents), lines.range(target.start, target.end))


def lines_of(source: Source, documents: Snapshot, encoding: str) -> Lines:
    """The positions of a source as the editor counts them: its own text may begin with a BOM."""
    document = documents.get(Path(source.name).resolve()) if source.name else None
    same = document is not None and document.text.removeprefix("\ufeff") == source.text
    return Lines(document.text if document is not None and same else source.text, encoding)


# -- symbols ----------------------------------------------------------------------------------------------------------------------


def symbols(analysis: Analysis, lines: Lines) -> list[types.DocumentSymbol]:
    """Sections with what they hold, searches, fixed values, helpers, objectives."""
    return [symbol for statement in analysis.module.body for symbol in _symbols(analysis, lines, statement)]


def _symbols(analysis: Analysis, lines: Lines, statement: ast.Statement) -> list[types.DocumentSymbol]:
    kind = types.SymbolKind
    match statement:
        case ast.Section(path, label, body, span):
            inner = [symbol for item in body for symbol in _symbols(analysis, lines, item)]
            # The outline must nest: a child lies in its parent.
            name = analysis.text_of(path.span) + (f" {label}" if label else "")
            found = _symbol(lines, name, kind.Namespace, span, path.span)
            found.children = inner
            return [found]
        case ast.Bind():
            return [_bind(analysis, lines, statement, target) for target in statement.targets]
        case ast.Let(bind):
            return [
                _symbol(
                    lines,
                    f"let {analysis.text_of(target.span)}",
                    kind.Variable,
                    statement.span,
                    target.span,
                    _detail(analysis, bind),
                )
                for target in bind.targets
            ]
        case ast.Def(name, _, _, span):
            return [_symbol(lines, f"def {name}", kind.Function, span, span)]
        case ast.Use(path, span):
            return [_symbol(lines, f"use {path}", kind.File, span, span)]
        case ast.Objective(direction, value, span):
            return [_symbol(lines, f"{direction} {analysis.text_of(value.span)}", kind.Event, span, value.span)]
        case ast.Require(condition, _, span):
            return [_symbol(lines, f"require {analysis.text_of(condition.span)}", kind.Boolean, span, condition.span)]
        case ast.Ensure(condition, _, span):
            return [_symbol(lines, f"ensure {analysis.text_of(condition.span)}", kind.Boolean, span, condition.span)]


def _bind(analysis: Analysis, lines: Lines, bind: ast.Bind, target: ast.Path) -> types.DocumentSymbol:
    searched = bind.search is not None
    kind = types.SymbolKind.Property if searched else types.SymbolKind.Constant
    name = analysis.text_of(target.span).strip('"')
    return _symbol(lines, name, kind, bind.span, target.span, _detail(analysis, bind))


def _detail(analysis: Analysis, bind: ast.Bind) -> str:
    part = bind.search if bind.search is not None else bind.given
    if part is None:
        return ""
    text = " ".join(analysis.text_of(part.span).split())
    return f"{'~' if bind.search is not None else '='} {text if len(text) <= 60 else text[:59] + '…'}"


def _symbol(lines: Lines, name: str, kind: types.SymbolKind, span: Span, selection: Span, detail: str = "") -> types.DocumentSymbol:
    whole = Span(span.file, min(span.start, selection.start), max(span.end, selection.end))
    shown = " ".join(name.split()) or "(empty)"
    return types.DocumentSymbol(
        name=shown if len(shown) <= 100 else shown[:99] + "…",
        kind=kind,
        range=lines.range(whole.start, whole.end),
        selection_range=lines.range(selection.start, selection.end),
        detail=detail or None,
    )
