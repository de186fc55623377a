"""Diagnostics: one format for every mistake, with a code, a place, a caret and a help line.

Codes: AM0xx syntax, AM1xx names, types and ranges, AM2xx legacy JSON, AM3xx limits, AM4xx study and resources, AM9xx lints.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from .source import Source, Span

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Secondary:
    """Another place that explains the mistake."""

    span: Span
    label: str


@dataclass(frozen=True, slots=True)
class Fix:
    """An edit that removes the mistake: `span` becomes `replacement`. Several fixes of one mistake are made together.

    `safe`: what the program means stays as it is or was plainly meant; without it somebody has to look.
    """

    span: Span
    replacement: str
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake or remark.

    `message` stands alone; `label` is short and printed beside the caret; `help` says what to write instead.
    """

    code: str
    message: str
    span: Span
    label: str = ""
    help: str = ""
    severity: Severity = "error"
    secondary: tuple[Secondary, ...] = ()
    fixes: tuple[Fix, ...] = ()


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word that `word` was probably meant to be, or None. `cutoff`: how like it is, 1 being the same."""
    names = list(known)
    lowered = {name.lower(): name for name in reversed(names)}
    if word.lower() in lowered:
        return lowered[word.lower()]
    found = difflib.get_close_matches(word, names, n=1, cutoff=cutoff)
    if not found:
        found = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=cutoff)
        found = [lowered[name] for name in found]
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A help sentence naming the nearest known word, or listing all when they are few, or ""."""
    names = sorted(set(known))
    best = nearest(word, names)
    if best is not None:
        return f"did you mean `{best}`?"
    return f"known here: {', '.join(names)}" if 0 < len(names) <= 12 else ""


@dataclass(slots=True)
class Hints:
    """`did_you_mean` for the first few dozen names of a program: to compare thousands takes seconds, and nobody reads them."""

    most: int = 40
    _asked: dict[str, None] = field(default_factory=dict)

    def allows(self, word: str) -> bool:
        """Whether a suggestion for `word` may still be looked for."""
        if word not in self._asked:
            if len(self._asked) >= self.most:
                return False
            self._asked[word] = None
        return True

    def did_you_mean(self, word: str, known: Callable[[], Iterable[str]]) -> str:
        return did_you_mean(word, known()) if self.allows(word) else ""


#: Of a longer line, such as data written without line ends, only what is around the place is shown.
_LONGEST_LINE = 240
_AROUND = 80


def _window(text: str, column: int) -> tuple[str, int]:
    """The part of a long line around `column`, and that column in it."""
    start = max(0, column - 1 - _AROUND)
    before = "..." if start > 0 else ""
    after = "..." if start + 2 * _AROUND < len(text) else ""
    return f"{before}{text[start : start + 2 * _AROUND]}{after}", column - start + len(before)


def _excerpt(source: Source, span: Span, label: str, width: int) -> list[str]:
    line, column = source.position(span.start)
    start = max(0, min(span.start, len(source.text))) - (column - 1)
    end = source.text.find("\n", start)
    text = source.text[start : len(source.text) if end < 0 else end].rstrip("\r").replace("\t", " ")
    length = max(1, min(span.end - span.start, len(text) - column + 1))
    if len(text) > _LONGEST_LINE:
        text, column = _window(text, column)
        length = min(length, len(text) - column + 1)
    caret = " " * (column - 1) + "^" * length + (f" {label}" if label else "")
    return [f"{line:>{width}} | {text}", f"{'':>{width}} | {caret}".rstrip()]


def render(diagnostic: Diagnostic, sources: Mapping[str, Source]) -> str:
    """`diagnostic` as plain text: header, place, source line with carets, help."""
    return "\n".join([f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}", *placed(diagnostic, sources)])


def placed(diagnostic: Diagnostic, sources: Mapping[str, Source]) -> list[str]:
    """The lines that follow the message: place, source line with carets, help."""
    source = sources.get(diagnostic.span.file)
    out: list[str] = []
    if source is None:
        if diagnostic.span.file:
            out.append(f" --> {diagnostic.span.file}")
        width = 1
    else:
        line, column = source.position(diagnostic.span.start)
        width = len(str(line))
        out.append(f"{'':>{width}}--> {source.name}:{line}:{column}")
        out.append(f"{'':>{width}} |")
        out += _excerpt(source, diagnostic.span, diagnostic.label, width)
    for other in diagnostic.secondary:
        place = sources.get(other.span.file)
        if place is not None:
            line, column = place.position(other.span.start)
            out.append(f"{'':>{width}}::: {place.name}:{line}:{column}")
            out += _excerpt(place, other.span, other.label, max(width, len(str(line))))
    if diagnostic.help:
        out.append(f"{'':>{width}} = help: {diagnostic.help}")
    return out


def render_all(diagnostics: Iterable[Diagnostic], sources: Mapping[str, Source]) -> str:
    """All of them, a blank line between two."""
    return "\n\n".join(render(diagnostic, sources) for diagnostic in diagnostics)
