"""Text -> statements of words with their comments, which is what the formatter lays out.

A comment belongs to a word: it trails the last one of its line, or stands above the first one of the next. Brackets whose
content is separated by commas are groups; all others (`(a + b)`, `x[0]`, a comprehension) are words among words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from .parser import words
from .words import word_set

#: After one of these a value has ended: `[` is an index, `-` stands between two values, `{` opens a block.
_ENDS_VALUE = word_set("NAME STRING RPAR RSQB RBRACE ATTR INT FLOAT QUANTITY TRUE FALSE NULL")
_ENDS_LABEL = word_set("NAME STRING RSQB ATTR")
_TIGHT_BEFORE = word_set("COMMA RPAR RSQB DOT DOTDOT COLON")
_TIGHT_AFTER = word_set("LPAR LSQB DOT DOTDOT")
_CLOSES = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}

_GAP = re.compile(r"#[^\n]*|\n")


@dataclass(eq=False, slots=True)
class Comment:
    text: str
    blank_before: bool


@dataclass(eq=False, slots=True)
class Word:
    """`kind`: the grammar's terminal. `space`: a blank stands before it, wherever it is not the first of its line."""

    kind: str
    text: str
    above: list[Comment] = field(default_factory=list)
    trailing: str = ""
    blank_before: bool = False
    on_new_line: bool = False
    space: bool = True
    is_block: bool = False

    @property
    def has_comment(self) -> bool:
        return bool(self.above or self.trailing)


@dataclass(eq=False, slots=True)
class Group:
    """Elements between brackets, separated by commas. `must_break`: it holds a comment, or a comma after its last element."""

    open: Word
    elements: list[list[Node]]
    close: Word
    must_break: bool
    width: int


Node: TypeAlias = "Word | Group"


@dataclass(eq=False, slots=True)
class Statement:
    """`body` is None unless it opens a block; then `nodes` end with the brace, and `close` is its partner."""

    nodes: list[Node]
    body: list[Statement] | None = None
    close: Word | None = None
    on_one_line: bool = False


COMMA = Word("COMMA", ",", space=False)


def read(text: str) -> tuple[list[Statement], list[Comment]]:
    """The statements of a file that parses, and the comments after the last of them."""
    found, end = _words(text)
    return _Reader(found).statements(), end


def spelled(statements: Sequence[Statement]) -> list[tuple[str, str]]:
    """What the grammar makes of them: their words, without the commas that only end a broken list."""
    return [each for statement in statements for each in _spelled(statement)]


def _spelled(statement: Statement) -> Iterator[tuple[str, str]]:
    yield from ((word.kind, word.text) for word in flat(statement.nodes))
    yield ("_NL", "")
    if statement.close is not None:
        for inner in statement.body or []:
            yield from _spelled(inner)
        yield ("RBRACE", "}")


def flat(nodes: Sequence[Node]) -> Iterator[Word]:
    """The words of `nodes` on one line."""
    for node in nodes:
        if isinstance(node, Word):
            yield node
            continue
        yield node.open
        for number, element in enumerate(node.elements):
            if number:
                yield COMMA
            yield from flat(element)
        yield node.close


def first_word(nodes: Sequence[Node]) -> Word:
    return nodes[0] if isinstance(nodes[0], Word) else nodes[0].open


def last_word(nodes: Sequence[Node]) -> Word:
    return nodes[-1] if isinstance(nodes[-1], Word) else nodes[-1].close


def joined(found: Sequence[Word]) -> str:
    return "".join(f" {word.text}" if word.space and number else word.text for number, word in enumerate(found))


# -- words with their comments ----------------------------------------------------------------------------------------------


def _words(text: str) -> tuple[list[Word], list[Comment]]:
    out: list[Word] = []
    last: Word | None = None
    position = 1 if text.startswith("\ufeff") else 0
    for token in words(text):
        if token.type == "_NL":
            out.append(Word("_NL", ""))
            continue
        word = Word(token.type, str(token))
        start = token.start_pos or 0
        word.above = _comments(text[position:start], last, word)
        _space(word, out)
        out.append(word)
        last, position = word, token.end_pos or start
    return out, _comments(text[position:], last, Word("END", ""))


def _comments(gap: str, last: Word | None, word: Word) -> list[Comment]:
    """The comments above `word`; one in the line of `last` becomes its own."""
    above: list[Comment] = []
    lines = 1 if last is None else 0
    for match in _GAP.finditer(gap):
        if match[0] == "\n":
            lines += 1
            word.on_new_line = True
        elif lines == 0 and last is not None and not above and not last.trailing:
            last.trailing = match[0].rstrip()
        else:
            above.append(Comment(match[0].rstrip(), lines > 1))
            lines = 0
    word.blank_before = lines > 1
    return above


def _space(word: Word, before: Sequence[Word]) -> None:
    """Sets `space` and `is_block` of `word`."""
    previous = before[-1] if before else Word("_NL", "")
    second = before[-2].kind if len(before) > 1 else ""
    if word.kind == "LBRACE":
        word.is_block = previous.kind in _ENDS_LABEL
    elif word.kind == "LSQB":
        word.space = previous.kind not in _ENDS_VALUE
    elif word.kind == "LPAR":
        word.space = previous.kind != "CALLEE"
    elif word.kind == "RBRACE":
        word.space = False
    if word.kind in _TIGHT_BEFORE or previous.kind in _TIGHT_AFTER or (previous.kind == "LBRACE" and not previous.is_block):
        word.space = False
    if previous.kind == "SUB" and second not in _ENDS_VALUE:
        word.space = False
    if previous.kind == "MUL" and second == "STEP":
        word.space = False


# -- statements and groups --------------------------------------------------------------------------------------------------


class _Reader:
    def __init__(self, found: list[Word]) -> None:
        self.words = found
        self.at = 0

    def next(self) -> Word:
        self.at += 1
        return self.words[self.at - 1]

    def statements(self) -> list[Statement]:
        """Up to the end, or to the brace that closes this block."""
        out: list[Statement] = []
        while self.at < len(self.words) and self.words[self.at].kind != "RBRACE":
            if self.words[self.at].kind == "_NL":
                self.at += 1
            else:
                out.append(self.statement())
        return out

    def statement(self) -> Statement:
        nodes: list[Node] = []
        while self.at < len(self.words) and self.words[self.at].kind not in ("_NL", "RBRACE"):
            word = self.next()
            if word.is_block:
                body = self.statements()
                close = self.next()
                starts = [first_word(inner.nodes) for inner in body]
                return Statement([*nodes, word], body, close, not any(each.on_new_line for each in (*starts, close)))
            nodes += self.opened(word, nodes) if word.kind in _CLOSES else [word]
        return Statement(nodes)

    def opened(self, open: Word, before: Sequence[Node]) -> list[Node]:
        """What begins with the bracket `open`: a group, or the words as they are."""
        previous = before[-1] if before and isinstance(before[-1], Word) else None
        elements: list[list[Node]] = [[]]
        commas: list[Word] = []
        while (word := self.next()).kind != _CLOSES[open.kind]:
            if word.kind == "COMMA":
                commas.append(word)
                elements.append([])
            elif word.kind in _CLOSES:
                elements[-1] += self.opened(word, elements[-1])
            else:
                elements[-1].append(word)
        is_call = previous is not None and previous.kind == "CALLEE"
        is_comprehension = any(isinstance(node, Word) and node.kind == "FOR" for node in elements[0])
        is_index = open.kind == "LSQB" and not open.space and bool(before) and last_word(before).kind in _ENDS_VALUE
        count = len(elements) - (not elements[-1])
        if is_comprehension or is_index or (open.kind == "LPAR" and not is_call and count < 2):
            out: list[Node] = [open, *elements[0]]
            for comma, element in zip(commas, elements[1:], strict=True):
                out += [comma, *element]
            return [*out, word]
        return [_group(open, elements, commas, word)]


def _group(open: Word, elements: list[list[Node]], commas: list[Word], close: Word) -> Group:
    for number, comma in enumerate(commas):
        following = elements[number + 1]
        _rehome(comma, last_word(elements[number]), first_word(following) if following else close)
    ends_with_comma = bool(commas) and not elements[-1]
    if not elements[-1]:
        del elements[-1]
    inside = [word for element in elements for word in flat(element)]
    must_break = (
        ends_with_comma
        or bool(open.trailing or close.above)
        or any(word.has_comment for word in inside)
        or any(isinstance(node, Group) and node.must_break for element in elements for node in element)
    )
    group = Group(open, elements, close, must_break, 0)
    group.width = len(joined(list(flat([group]))))
    return group


def _rehome(comma: Word, before: Word, after: Word) -> None:
    """Commas come and go, so their comments are given to the words beside them, in order."""
    moved = comma.above
    if comma.trailing:
        if moved or before.trailing:
            moved = [*moved, Comment(comma.trailing, False)]
        else:
            before.trailing = comma.trailing
    after.above = [*moved, *after.above]
    comma.above, comma.trailing = [], ""
