"""A text in its standard layout, as an edit of the lines that differ."""

from __future__ import annotations

from lsprotocol import types

from ..format import format_source
from ..source import Source
from .text import Lines


def format_edits(lines: Lines) -> list[types.TextEdit]:
    """None needed or possible: []. A text with syntax errors is left alone. Line ends stay as they are."""
    text = lines.text
    formatted = format_source(Source("", text.replace("\r\n", "\n"))).text
    if formatted is None:
        return []
    if "\r\n" in text:
        formatted = formatted.replace("\n", "\r\n")
    if formatted == text:
        return []
    old, new = text.splitlines(keepends=True), formatted.splitlines(keepends=True)
    same = min(len(old), len(new))
    first = next((at for at in range(same) if old[at] != new[at]), same)
    last = next((at for at in range(same - first) if old[-1 - at] != new[-1 - at]), same - first)
    start = sum(map(len, old[:first]))
    end = len(text) - sum(map(len, old[len(old) - last :]))
    return [types.TextEdit(lines.range(start, end), "".join(new[first : len(new) - last]))]
