"""The formatter: one layout for every program, without options.

It looks at words, not at trees, so that comments stay where they were; what it writes has the same words in the same order
as what it read, and so the same meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

from automl_run.errors import AutoMLError

from .diagnostics import Diagnostic
from .format_layout import lay_out
from .format_tokens import read, spelled
from .parser import parse_module
from .source import Source

_MAX_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Formatted:
    """`text` is None if the source has syntax errors, which are among `diagnostics` then."""

    text: str | None
    diagnostics: tuple[Diagnostic, ...] = ()


def format_source(source: Source) -> Formatted:
    """`source` in the one layout. A missing edition line is no obstacle."""
    _, diagnostics = parse_module(source, require_edition=False)
    errors = tuple(found for found in diagnostics if found.severity == "error")
    return Formatted(None, errors) if errors else Formatted(format_text(source.text))


def format_text(text: str) -> str:
    """As `format_source`, for a text that is known to parse."""
    statements, end = read(text)
    meant = spelled(statements)
    # Nearly always the first layout is the last. What it opened may leave room for another choice, which is then final.
    for _ in range(_MAX_ROUNDS):
        before, text = text, lay_out(statements, end)
        if text == before:
            break
        statements, end = read(text)
        if spelled(statements) != meant:
            raise AutoMLError("the formatted text would mean something else, so nothing was changed; please report this file")
    return text
