"""Diagnostics for the editor, and which files they are shown in: a program's mistakes may lie in the files it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lsprotocol import types

from ..diagnostics import Diagnostic
from .analysis import Analysis
from .documents import Snapshot, uri_of
from .navigate import lines_of

_SEVERITY = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}
#: Lints about what nothing reads: editors show the text pale.
_UNUSED = ("AM903",)


def to_protocol(diagnostic: Diagnostic, analysis: Analysis, documents: Snapshot, encoding: str) -> types.Diagnostic | None:
    """None if it points into no file that was read."""
    source = analysis.checked.sources.get(diagnostic.span.file)
    if source is None:
        return None
    related: list[types.DiagnosticRelatedInformation] = []
    for other in diagnostic.secondary:
        place = analysis.checked.sources.get(other.span.file)
        if place is not None:
            range = lines_of(place, documents, encoding).range(other.span.start, other.span.end)
            location = types.Location(uri_of(Path(other.span.file), documents), range)
            related.append(types.DiagnosticRelatedInformation(location, other.label))
    # `check` is silent about lints, so an editor is quieter about them than about warnings.
    is_advice = diagnostic.severity == "warning" and diagnostic not in analysis.checked.diagnostics
    return types.Diagnostic(
        range=lines_of(source, documents, encoding).range(diagnostic.span.start, diagnostic.span.end),
        message=diagnostic.message + (f"\nhelp: {diagnostic.help}" if diagnostic.help else ""),
        severity=types.DiagnosticSeverity.Information if is_advice else _SEVERITY[diagnostic.severity],
        code=diagnostic.code,
        source="automl-run",
        related_information=related or None,
        tags=[types.DiagnosticTag.Unnecessary] if diagnostic.code in _UNUSED else None,
    )


def by_file(analysis: Analysis, documents: Snapshot, encoding: str) -> dict[Path, list[types.Diagnostic]]:
    """Everything that `analysis` found, by the file it is in; the program's own file is always there."""
    out: dict[Path, list[types.Diagnostic]] = {analysis.document.path: []}
    for diagnostic in analysis.diagnostics:
        shown = to_protocol(diagnostic, analysis, documents, encoding)
        if shown is not None:
            out.setdefault(Path(diagnostic.span.file).resolve(), []).append(shown)
        elif not diagnostic.span.file:
            # It belongs to no place: it is shown at the top of the program.
            start = types.Range(types.Position(0, 0), types.Position(0, 0))
            note = types.Diagnostic(start, diagnostic.message, severity=_SEVERITY[diagnostic.severity], code=diagnostic.code)
            note.source = "automl-run"
            out[analysis.document.path].append(note)
    return out


@dataclass(slots=True)
class Board:
    """What each open program says about each file. Several programs may use one file; it shows what any of them says."""

    _found: dict[Path, Mapping[Path, list[types.Diagnostic]]] = field(default_factory=dict)

    def put(self, program: Path, found: Mapping[Path, list[types.Diagnostic]]) -> set[Path]:
        """The files whose diagnostics may have changed."""
        old = self._found.get(program, {})
        self._found[program] = found
        return {*old, *found}

    def drop(self, program: Path) -> set[Path]:
        return set(self._found.pop(program, {}))

    def of(self, file: Path) -> list[types.Diagnostic]:
        out: list[types.Diagnostic] = []
        for found in self._found.values():
            out += [each for each in found.get(file, []) if each not in out]
        return out
