"""A tolerant reading of a text: its words, its statements, and the brackets that do not match.

It never fails, so that the explanation of a mistake has something to stand on where the grammar has given up. Which line
ends end a statement is decided as in `newlines.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .words import CONTINUES_AFTER, CONTINUES_BEFORE, OPERATOR_WORDS

_WORDS = re.compile(
    r"""(?P<comment>\#[^\n]*) | (?P<newline>\r?\n) | (?P<blank>[ \t]+)
      | (?P<string>"[^"\\\n]*(?:\\.[^"\\\n]*)*") | (?P<open_string>"[^\r\n]*)
      | (?P<name>@?[A-Za-z_][A-Za-z0-9_]*|@"[^"\\\n]*(?:\\.[^"\\\n]*)*")
      | (?P<number>[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<sign>\*\*|//|\+=|\.\.|==|!=|<=|>=|[][(){}=~|,.:<>+*/%-]) | (?P<strange>.)""",
    re.VERBOSE | re.DOTALL,
)
_OPENS = {"(": ")", "[": "]", "{": "}"}
_CLOSES = {close: open for open, close in _OPENS.items()}


@dataclass(frozen=True, slots=True)
class Word:
    """kind: name, number, string, open_string, sign, strange, comment, newline."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(slots=True)
class Statement:
    """`separator` is the comma before it, if it is one; `closing` the brace that ends the block its last word opens."""

    words: list[Word] = field(default_factory=list)
    separator: Word | None = None
    closing: Word | None = None

    @property
    def start(self) -> int:
        return self.words[0].start

    @property
    def end(self) -> int:
        return self.words[-1].end

    def opens_block(self) -> bool:
        return self.closing is not None


@dataclass(frozen=True, slots=True)
class BracketProblem:
    """kind: "unclosed" (at `word`), "stray" (`word` closes nothing), "mismatch" (`word` cannot close `opener`)."""

    kind: str
    word: Word
    opener: Word | None
    statement_start: int


@dataclass(slots=True)
class _Open:
    word: Word
    statement: Statement
    is_block: bool


@dataclass(frozen=True, slots=True)
class Outline:
    words: list[Word]
    statements: list[Statement]
    problems: list[BracketProblem]

    def statement_at(self, offset: int) -> Statement | None:
        """The statement that holds `offset`, else the last that begins before it."""
        best: Statement | None = None
        for statement in self.statements:
            if statement.start <= offset and (best is None or statement.start >= best.start):
                best = statement
        return best

    def paragraph(self, text: str, start: int) -> tuple[int, int]:
        """From a statement to the end of the lines that are indented more than it, where brackets say nothing sure."""
        indent = indent_of(text, start)
        end = _line_end(text, start)
        while end < len(text):
            line = text[end + 1 : _line_end(text, end + 1)]
            content = line.lstrip(" \t")
            own = len(line) - len(content)
            if content.strip() and own <= indent and (content[0] not in ")]}|~" or own < indent):
                break
            end = _line_end(text, end + 1)
        depth = 0
        for word in self.words:
            if start <= word.start < end and word.kind == "sign" and word.text in "{}":
                depth += 1 if word.text == "{" else -1
                if depth < 0:
                    return start, word.start
        return start, end

    def before(self, statement: Statement) -> Statement | None:
        position = next(i for i, each in enumerate(self.statements) if each is statement)
        return self.statements[position - 1] if position else None


def indent_of(text: str, offset: int) -> int:
    """How far from the start of its line `offset` is."""
    return offset - (text.rfind("\n", 0, offset) + 1)


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def words_of(text: str) -> Iterator[Word]:
    """Every word but blanks; comments and line ends are among them."""
    for match in _WORDS.finditer(text):
        kind = match.lastgroup or "strange"
        text, start = match[0], match.start()
        if kind == "open_string" and len(text) > 1 and text.rstrip().endswith("{"):
            # `study "name {`: the brace was meant as one, and its partner is further down.
            brace = start + len(text.rstrip()) - 1
            yield Word(kind, text[: brace - start], start, brace)
            kind, text, start = "sign", "{", brace
        if kind != "blank":
            yield Word(kind, text, start, start + len(text))


def outline(text: str) -> Outline:
    return _Outliner(list(words_of(text))).run()


class _Outliner:
    def __init__(self, words: list[Word]) -> None:
        self.words = words
        self.statements: list[Statement] = []
        self.problems: list[BracketProblem] = []
        self.stack: list[_Open] = []
        self.current = Statement()

    def run(self) -> Outline:
        significant = [word for word in self.words if word.kind not in ("comment", "newline")]
        position = 0
        for word in self.words:
            if word.kind == "comment":
                continue
            if word.kind == "newline":
                following = significant[position] if position < len(significant) else None
                if self.in_block() and not self.goes_on(following):
                    self.flush()
                continue
            position += 1
            if word.text == "," and self.in_block():
                self.flush()
                self.current.separator = word
            elif word.kind == "sign" and word.text in _OPENS:
                self.open(word)
            elif word.kind == "sign" and word.text in _CLOSES:
                self.close(word)
            else:
                self.current.words.append(word)
        self.flush()
        self.unclosed(self.stack)
        self.problems.sort(key=lambda problem: problem.word.start)
        self.statements.sort(key=lambda statement: statement.start)
        return Outline(significant, self.statements, self.problems)

    def in_block(self) -> bool:
        return not self.stack or self.stack[-1].is_block

    def goes_on(self, following: Word | None) -> bool:
        words = self.current.words
        if words and words[-1].kind in ("sign", "name") and words[-1].text in CONTINUES_AFTER:
            # A word such as `step` is an operator only between operands, and never behind a point.
            return words[-1].kind == "sign" or (len(words) > 1 and words[-2].text != ".")
        return following is not None and following.kind in ("sign", "name") and following.text in CONTINUES_BEFORE

    def flush(self) -> None:
        """An empty statement stays, with the comma before it."""
        if self.current.words:
            self.statements.append(self.current)
            self.current = Statement()

    def open(self, word: Word) -> None:
        words = self.current.words
        is_block = word.text == "{" and self.in_block() and bool(words) and _ends_label(words[-1])
        words.append(word)
        self.stack.append(_Open(word, self.current, is_block))
        if is_block:
            self.flush()

    def close(self, word: Word) -> None:
        opener = _CLOSES[word.text]
        if self.stack and self.stack[-1].word.text == opener:
            self.finish(self.stack.pop(), word)
        elif any(each.word.text == opener for each in self.stack):
            above = len(self.stack)
            while self.stack[above - 1].word.text != opener:
                above -= 1
            self.unclosed(self.stack[above:])
            del self.stack[above:]
            self.finish(self.stack.pop(), word)
        elif self.stack and not self.stack[-1].is_block:
            top = self.stack.pop()
            self.problems.append(BracketProblem("mismatch", word, top.word, top.statement.start))
            self.current.words.append(word)
        else:
            self.current.words.append(word)
            self.problems.append(BracketProblem("stray", word, None, self.current.start))

    def finish(self, opened: _Open, word: Word) -> None:
        if opened.is_block:
            self.flush()
            opened.statement.closing = word
        else:
            self.current.words.append(word)

    def unclosed(self, opened: list[_Open]) -> None:
        for each in opened:
            self.problems.append(BracketProblem("unclosed", each.word, None, each.statement.start))


def _ends_label(word: Word) -> bool:
    if word.kind == "name":
        return word.text not in OPERATOR_WORDS
    return word.kind in ("string", "open_string", "number") or word.text in (")", "]")
