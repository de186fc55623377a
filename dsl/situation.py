"""The place where a parse failed, as the rules of `mistakes.py` look at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from .diagnostics import Diagnostic
from .outline import Outline, Statement, Word
from .source import Source, Span
from .words import STATEMENTS, word_set

BINDS = word_set("= ~ +=")
OPENERS = word_set("( [ {")
CLOSERS = word_set(") ] }")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`regions` say what to leave out of the next round; without them it is the whole statement."""

    diagnostic: Diagnostic
    regions: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Situation:
    """The parse of `source` failed at the offset `at`, which lies in `statement` or at its end."""

    source: Source
    outline: Outline
    statement: Statement
    at: int
    is_file: bool

    @property
    def words(self) -> list[Word]:
        return self.statement.words

    @cached_property
    def index(self) -> int:
        """Of the word at fault; the number of words if it is the end of the statement."""
        return next((i for i, word in enumerate(self.words) if word.end > self.at), len(self.words))

    @property
    def word(self) -> Word | None:
        return self.words[self.index] if self.index < len(self.words) else None

    @property
    def text(self) -> str:
        return self.word.text if self.word and self.word.kind in ("sign", "name") else ""

    @property
    def previous(self) -> Word | None:
        return self.words[self.index - 1] if self.index else None

    @cached_property
    def brackets(self) -> list[int]:
        """Indices of the brackets open before the word at fault, outermost first."""
        stack: list[int] = []
        for i, word in enumerate(self.words[: self.index]):
            if word.kind == "sign" and word.text in OPENERS:
                stack.append(i)
            elif word.kind == "sign" and word.text in CLOSERS and stack:
                stack.pop()
        return stack

    @cached_property
    def segment(self) -> list[Word]:
        """The words of the same argument, item or statement before the word at fault, without what is in brackets."""
        out: list[Word] = []
        depth = 0
        for word in reversed(self.words[(self.brackets[-1] + 1 if self.brackets else 0) : self.index]):
            if word.kind == "sign" and word.text in CLOSERS:
                depth += 1
            elif word.kind == "sign" and word.text in OPENERS:
                depth -= 1
            elif depth == 0 and word.text == "," and self.brackets:
                break
            elif depth == 0:
                out.append(word)
        return out[::-1]

    @property
    def bracket(self) -> str:
        """The innermost open bracket: "", "(", "call(", "[" or "{"."""
        if not self.brackets:
            return ""
        opener = self.words[self.brackets[-1]]
        before = self.words[self.brackets[-1] - 1] if self.brackets[-1] else None
        is_call = opener.text == "(" and before is not None and before.kind == "name" and before.end == opener.start
        return "call(" if is_call else opener.text

    def signs(self) -> set[str]:
        return {word.text for word in self.segment if word.kind in ("sign", "name")}

    def name(self) -> str:
        """What stands before the first `=` or `~` of the segment."""
        out: list[str] = []
        words = self.segment
        if words and words[0].text in STATEMENTS and words[0] is self.words[0]:
            words = words[1:]
        for word in words:
            if (
                word.text in BINDS
                or word.kind not in ("name", "string", "sign")
                or (out and not (word.text == "." or out[-1] == "."))
            ):
                break
            out.append(word.text)
        return "".join(out).strip(".") or "x"

    def span(self, word: Word | None = None) -> Span:
        if word is None:
            word = self.word
        if word is not None:
            return Span(self.source.name, word.start, word.end)
        end = self.statement.end
        return Span(self.source.name, end, min(end + 1, len(self.source.text)))


Rule = Callable[[Situation], Verdict | None]


def say(s: Situation, code: str, message: str, word: Word | None = None, help: str = "", label: str = "") -> Verdict:
    return Verdict(Diagnostic(code, message, s.span(word), label, help))


def top_level_signs(statement: Statement) -> set[str]:
    depth, out = 0, set()
    for word in statement.words:
        if word.kind == "sign" and word.text in OPENERS:
            depth += 1
        elif word.kind == "sign" and word.text in CLOSERS:
            depth -= 1
        elif depth == 0 and word.kind == "sign":
            out.add(word.text)
    return out
