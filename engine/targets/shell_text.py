"""How a shell reads on in the middle of a line: what a value that is put there must look like to be one word."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

#: Bare words, single or double quotes, a comment; `$(` or `(` until `)`, a backtick until the next one.
_Place: TypeAlias = Literal["'", '"', "#", "(", "`"]

_SPECIAL: Final = re.compile(r"\\.|['\"\n`()]|\$\(|#", re.DOTALL)
#: A `#` begins a comment after one of these, or at the very beginning.
_BEFORE_COMMENT: Final = frozenset("\n\t ;&|()`")


class ShellText:
    """A line that is written from its beginning to its end. Here-documents are read as if they were commands."""

    def __init__(self) -> None:
        self.text = ""
        #: the places that it stands in, the innermost last
        self._places: list[_Place] = []

    def add(self, text: str) -> None:
        """`text` is the shell's own."""
        before = len(self.text)
        self.text += text
        for match in _SPECIAL.finditer(self.text, before):
            self._read(match[0], self.text[match.start() - 1 : match.start()])

    def add_words(self, words: Sequence[str]) -> None:
        """Each is one word there, or a part of the one that it stands in."""
        self.text += " ".join(map(self._quoted, words))

    def _quoted(self, word: str) -> str:
        match self._within:
            case "'":
                quoted = word.replace("'", "'\\''")
            case '"':
                quoted = re.sub(r'([\\"$`])', r"\\\1", word)
            case "#":
                quoted = word.replace("\n", " ")
            case _:
                quoted = shlex.quote(word)
        for place in self._places:
            if place == "`":
                # Between backticks these are read once more.
                quoted = re.sub(r"([\\$`])", r"\\\1", quoted)
        return quoted

    @property
    def _within(self) -> _Place | None:
        return self._places[-1] if self._places else None

    def _read(self, sign: str, before: str) -> None:
        within = self._within
        match within:
            case "'":
                # A backslash is none here; what it seems to hide may be the end of the quotes.
                if "'" in sign:
                    self._places.pop()
            case "#":
                if "\n" in sign:
                    self._places.pop()
                elif sign == "`" and sign in self._places:
                    self._open_or_close(sign)
            case '"':
                if sign == '"':
                    self._places.pop()
                elif sign in ("$(", "`"):
                    self._open_or_close(sign)
            case _:
                if sign in ("'", '"'):
                    self._places.append("'" if sign == "'" else '"')
                elif sign == "#":
                    if not before or before in _BEFORE_COMMENT:
                        self._places.append("#")
                elif sign in ("$(", "(", ")", "`"):
                    self._open_or_close(sign)

    def _open_or_close(self, sign: str) -> None:
        match sign:
            case "`" if "`" in self._places:
                del self._places[len(self._places) - 1 - self._places[::-1].index("`") :]
            case "`":
                self._places.append("`")
            case ")":
                if self._within == "(":
                    self._places.pop()
            case _:
                self._places.append("(")
