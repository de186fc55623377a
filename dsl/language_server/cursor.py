"""The place in a text where something is being typed: the word so far, what encloses it, and what the grammar accepts there.

Only the heads of the open blocks and the statement at the cursor are parsed, so a mistake elsewhere in the file does no harm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import lark

from ..newlines import LimitExceeded
from ..outline import Statement, Word, outline, words_of
from ..parser import language

_PARTIAL = re.compile(r"@?[A-Za-z_][A-Za-z0-9_]*\Z|@\Z")
_CHAIN = re.compile(
    r'(?:^|[^A-Za-z0-9_.@"\]])((?:[A-Za-z_][A-Za-z0-9_]*|"[^"\\\n]*")'
    r'(?:\.@?[A-Za-z_][A-Za-z0-9_]*|\[[0-9A-Za-z_]+\]|\["[^"\\\n]*"\])*)\.\Z'
)
_STATEMENT = frozenset({"LET", "REQUIRE"})
#: Statements whose words are no targets.
_NO_TARGET = frozenset({"require", "ensure", "maximize", "minimize", "use", "def", "automl"})


@dataclass(frozen=True, slots=True)
class Bracket:
    """An open bracket. `head`: the words directly before it, a callee or the path and label of a block."""

    sign: str
    head: str
    is_block: bool
    #: names of the arguments that are already given in it
    given: tuple[str, ...] = ()
    #: whether nothing but a separator stands between it, or its last comma, and the cursor
    fresh: bool = False
    #: the argument whose value is being typed, "" at its name
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """`start` is where the word being typed begins; `chain` is the dotted path before it without the last point."""

    offset: int
    start: int
    partial: str
    chain: str
    #: words of the statement before `chain` and `partial`
    before: tuple[str, ...]
    brackets: tuple[Bracket, ...]
    within: str
    accepted: frozenset[str]
    first: bool = False

    @property
    def at_statement(self) -> bool:
        return not self.before and not self.chain and self.accepted >= _STATEMENT

    @property
    def blocks(self) -> tuple[str, ...]:
        return tuple(bracket.head for bracket in self.brackets if bracket.is_block)

    @property
    def call(self) -> Bracket | None:
        """The innermost call whose arguments the cursor is among."""
        last = self.brackets[-1] if self.brackets else None
        return last if last is not None and last.sign == "(" and last.head else None

    def is_target(self) -> bool:
        """Whether a path that is being bound stands here: no sign but those of a tuple has come yet."""
        words = self.before[1:] if self.before[:1] == ("(",) else self.before
        if self.before[:1] and self.before[0] in _NO_TARGET:
            return False
        return self.call is None and all(
            word == "," or word[0].isalpha() or word[0] in '_"@.[]' or word.isdigit() for word in words
        )


def cursor_at(text: str, offset: int) -> Cursor:
    """What is being typed at `offset`. Never fails."""
    head = text[:offset]
    within = _within(head)
    if within != "code":
        word = _last_word(head)
        start = word.start + 1 if word is not None else offset
        found = outline(text[: word.start] + "x" if word is not None else "x")
        statement = found.statement_at(start - 1)
        before = tuple(each.text for each in statement.words[:-1]) if statement is not None else ()
        return Cursor(offset, start, head[start:], "", before, (), within, frozenset())
    match = _PARTIAL.search(head)
    start = match.start() if match else offset
    chained = _CHAIN.search(head[:start])
    chain = chained[1] if chained else ""
    begin = chained.start(1) if chained else start
    found = outline(head[:start] + "x")
    statement = found.statement_at(start)
    if statement is None:
        return Cursor(offset, start, head[start:], chain, (), (), within, frozenset())
    opened = [
        (problem.word, found.statement_at(problem.statement_start)) for problem in found.problems if problem.kind == "unclosed"
    ]
    brackets = [_bracket(word, home or statement, statement) for word, home in opened]
    heads = [head[home.start : word.end] for word, home in opened if home is not None and home is not statement]
    first = not heads and all(each is statement for each in found.statements)
    piece = "\n".join([*heads, head[statement.start : start]])
    before = tuple(word.text for word in statement.words[:-1] if word.start < begin)
    accepted = accepted_after(piece)
    if not first:
        accepted -= {"AUTOML"}
    return Cursor(offset, start, head[start:], chain, before, tuple(brackets), within, accepted, first)


def accepted_after(text: str) -> frozenset[str]:
    """The terminals that may follow `text`; none if it is no beginning of a program."""
    parser: Any = language().parse_interactive(text, start="start")  # lark types only half of it
    try:
        for token in parser.lexer_thread.lex(parser.parser_state):
            if token.start_pos is None:  # the line end that the post-lexer supplies
                break
            parser.feed_token(token)
        return frozenset(parser.accepts())
    except (lark.UnexpectedInput, LimitExceeded):
        return frozenset()


def _within(head: str) -> str:
    word = _last_word(head)
    if word is None or word.end < len(head):
        return "code"
    return {"comment": "comment", "open_string": "string"}.get(word.kind, "code")


def _last_word(head: str) -> Word | None:
    # Strings and comments end with their line, so the line says it all.
    begin = head.rfind("\n") + 1
    words = list(words_of(head[begin:]))
    return Word(words[-1].kind, words[-1].text, words[-1].start + begin, words[-1].end + begin) if words else None


def _bracket(word: Word, home: Statement, current: Statement) -> Bracket:
    at = next((number for number, each in enumerate(home.words) if each.start == word.start), len(home.words))
    if home is not current:
        return Bracket(word.text, "".join(_spaced(home.words[:at])), True)
    callee = ""
    number = at
    while number > 0 and home.words[number - 1].end == home.words[number].start:
        before = home.words[number - 1]
        if before.kind != "name" and before.text != ".":
            break
        callee, number = before.text + callee, number - 1
    inside = home.words[at + 1 : -1]
    given, argument, fresh = _arguments(inside)
    return Bracket(word.text, callee, False, given, fresh, argument)


def _arguments(words: list[Word]) -> tuple[tuple[str, ...], str, bool]:
    """The named arguments among `words`, the one whose value comes last, and whether a new one begins behind them."""
    given: list[str] = []
    depth, begin, argument = 0, 0, ""
    for at, word in enumerate(words):
        if word.text in ("(", "[", "{"):
            depth += 1
        elif word.text in (")", "]", "}"):
            depth -= 1
        elif depth == 0 and word.text == ",":
            begin, argument = at + 1, ""
        elif depth == 0 and word.text in ("=", "~") and not argument:
            names = [each.text for each in words[begin:at] if each.kind == "name" and each.text != "let"]
            given += names
            argument = names[0] if names else ""
    rest = [word.text for word in words[begin:]]
    return tuple(given), argument, rest in ([], ["let"])


def _spaced(words: list[Word]) -> list[str]:
    """The words of a block's head: parts of a path together, a label after a blank."""
    out: list[str] = []
    for at, word in enumerate(words):
        glued = at == 0 or words[at - 1].end == word.start
        out.append(word.text if glued else f" {word.text}")
    return out
