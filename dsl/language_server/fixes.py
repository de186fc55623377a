"""Quick fixes: the edits that a diagnostic carries, and those that its help spells out word for word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lsprotocol import types

from ..diagnostics import Diagnostic, Fix
from .analysis import Analysis
from .documents import Snapshot, uri_of
from .navigate import lines_of
from .publish import to_protocol

_MEANT = re.compile(r"did you mean `([^`\s]+)`\?")
_WRITE = re.compile(r"write (?:a plain )?`([^`\s]+)`")
FIX_ALL = "source.fixAll.automl-run"


def actions(
    analysis: Analysis, span: tuple[int, int], only: Sequence[str] | None, documents: Snapshot, encoding: str
) -> list[types.CodeAction]:
    """The fixes for what is wrong within `span`, offsets into the open text, and one that makes all safe ones at once."""
    out: list[types.CodeAction] = []
    found = [each for each in analysis.diagnostics if each.span.file == analysis.name]
    if _wanted(types.CodeActionKind.QuickFix, only):
        for diagnostic in found:
            if diagnostic.span.start > span[1] or diagnostic.span.end < span[0]:
                continue
            fixes = fixes_of(diagnostic, analysis)
            edit = _edit(fixes, analysis, documents, encoding)
            shown = to_protocol(diagnostic, analysis, documents, encoding)
            if edit is not None and shown is not None:
                safe = all(fix.safe for fix in fixes)
                kind = types.CodeActionKind.QuickFix
                title = _title(diagnostic, fixes, analysis)
                out.append(types.CodeAction(title, kind=kind, diagnostics=[shown], edit=edit, is_preferred=safe or None))
    if _wanted(FIX_ALL, only):
        safe_fixes = [fixes for each in found if (fixes := each.fixes) and all(fix.safe for fix in fixes)]
        edit = _edit(_apart(safe_fixes), analysis, documents, encoding)
        if edit is not None:
            out.append(types.CodeAction("Fix all that can be fixed safely", kind=FIX_ALL, edit=edit))
    return out


def fixes_of(diagnostic: Diagnostic, analysis: Analysis) -> tuple[Fix, ...]:
    """The edits that are made together for one mistake."""
    if diagnostic.fixes:
        return diagnostic.fixes
    # A syntax error has the edits that are known to mend it; without them its help shows only a part of what has to be written.
    is_syntax = diagnostic.code < "AM1"
    match = _MEANT.search(diagnostic.help) or (None if is_syntax else _WRITE.fullmatch(diagnostic.help))
    written = analysis.text_of(diagnostic.span)
    if match is None or "..." in match[1] or not written or "\n" in written or written == match[1]:
        return ()
    replacement = match[1]
    if written.startswith('"') and not replacement.startswith('"'):
        replacement = f'"{replacement}"'
    return (Fix(diagnostic.span, replacement),)


def _wanted(kind: str, only: Sequence[str] | None) -> bool:
    return only is None or any(kind == each or kind.startswith(f"{each}.") for each in only)


def _title(diagnostic: Diagnostic, fixes: Sequence[Fix], analysis: Analysis) -> str:
    if len(fixes) == 1:
        old, new = analysis.text_of(fixes[0].span), fixes[0].replacement
        if "\n" not in old + new.rstrip("\n") and len(old) + len(new) <= 80:
            new = new.strip() or new
            return f"Write `{new}`" if not old else f"Remove `{old}`" if not new else f"Replace `{old}` with `{new}`"
    return f"Fix {diagnostic.code}: {diagnostic.help or diagnostic.message}"


def _apart(groups: Iterable[Sequence[Fix]]) -> list[Fix]:
    """The groups of edits that do not touch one another, earlier ones first."""
    out: list[Fix] = []
    for group in groups:
        if all(fix.span.end < other.span.start or other.span.end < fix.span.start for fix in group for other in out):
            out += group
    return out


def _edit(fixes: Sequence[Fix], analysis: Analysis, documents: Snapshot, encoding: str) -> types.WorkspaceEdit | None:
    changes: dict[str, list[types.TextEdit]] = {}
    for fix in fixes:
        source = analysis.checked.sources.get(fix.span.file)
        if source is None:
            return None
        lines = lines_of(source, documents, encoding)
        edit = types.TextEdit(lines.range(fix.span.start, fix.span.end), fix.replacement)
        changes.setdefault(uri_of(Path(fix.span.file), documents), []).append(edit)
    return types.WorkspaceEdit(changes) if changes else None
