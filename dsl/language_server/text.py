"""Between offsets into a text and the positions of the protocol: lines, and code units within a line."""

from __future__ import annotations

import re
from bisect import bisect_right

from lsprotocol import types

_LINE_END = re.compile(r"\r\n|\n|\r")
_BOM = "\ufeff"


def _units(char: str, encoding: str) -> int:
    if encoding == types.PositionEncodingKind.Utf32:
        return 1
    if encoding == types.PositionEncodingKind.Utf8:
        return len(char.encode("utf-8", "surrogatepass"))
    return 2 if ord(char) > 0xFFFF else 1


class Lines:
    """One text. Offsets are those of a `Source`, which a leading BOM does not count in; positions are the editor's."""

    def __init__(self, text: str, encoding: str = types.PositionEncodingKind.Utf16) -> None:
        self._shift = len(_BOM) if text.startswith(_BOM) else 0
        self._text = text
        self._encoding = encoding
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    @property
    def text(self) -> str:
        """The text without its BOM."""
        return self._text[self._shift :]

    def position(self, offset: int) -> types.Position:
        """Where `offset` is; one beyond an end is moved to it."""
        at = max(0, min(offset + self._shift, len(self._text)))
        line = bisect_right(self._starts, at) - 1
        units = sum(_units(char, self._encoding) for char in self._text[self._starts[line] : at])
        return types.Position(line, units)

    def range(self, start: int, end: int) -> types.Range:
        return types.Range(self.position(start), self.position(max(start, end)))

    def offset(self, position: types.Position) -> int:
        """The offset of `position`; one behind the end of its line is moved there, as the protocol has it."""
        if position.line >= len(self._starts):
            return len(self.text)
        at = self._starts[max(0, position.line)]
        units = 0
        while at < len(self._text) and self._text[at] not in "\r\n":
            units += _units(self._text[at], self._encoding)
            if units > position.character:
                break
            at += 1
        return max(0, at - self._shift)

    def whole(self) -> types.Range:
        """From the first to the last position, the BOM included."""
        return types.Range(types.Position(0, 0), self.position(len(self.text)))
