"""Colours for programs: rules that need no parser, made from the terminals of the grammar.

An editor colours line by line and knows no grammar, so the words that are keywords only in their place (`step`, `log`, `in`)
are told from names by what stands beside them. `kind_of` says what the grammar itself takes a word for; the tests compare.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Literal, TypeAlias, get_args

from .parser import terminals
from .words import STATEMENTS, word_set

Kind: TypeAlias = Literal[
    "comment", "string", "open_string", "quantity", "float", "integer", "statement", "word", "constant",
    "attribute", "component", "function", "name", "operator", "bracket", "punctuation", "blank",
]  # fmt: skip

_STATEMENTS = ("automl", *STATEMENTS)
_WORDS = ("and", "or", "not", "in", "is", "if", "else", "when", "for", "step", "because", "before", "log")
_CONSTANTS = ("true", "false", "null")
#: Words that may follow a name, and so never begin what a statement word is followed by.
_BETWEEN = "and|or|in|is|if|else|when|for|step|because|before"
_BRACKETS = word_set("LPAR RPAR LSQB RSQB LBRACE RBRACE")
_PUNCTUATION = word_set("COMMA DOT COLON")
#: Terminals that are blanks or line ends.
BLANK = word_set("WS _NL _CONT")

_BY_TERMINAL: dict[str, Kind] = {
    "COMMENT": "comment", "STRING": "string", "QUANTITY": "quantity", "FLOAT": "float", "INT": "integer", "ATTR": "attribute",
    "NAME": "name",
}  # fmt: skip


def kind_of(terminal: str, text: str) -> Kind:
    """What a word is, given what the grammar took it for."""
    if terminal == "CALLEE":
        return "component" if is_component(text) else "function"
    if terminal in _BY_TERMINAL:
        return _BY_TERMINAL[terminal]
    if terminal in _BRACKETS:
        return "bracket"
    if terminal in _PUNCTUATION:
        return "punctuation"
    if text in _STATEMENTS:
        return "statement"
    if text in _CONSTANTS:
        return "constant"
    return "word" if text[0].isalpha() else "operator"


def is_component(callee: str) -> bool:
    """Upper-case or dotted is a class, lower-case a function."""
    return "." in callee or callee[:1].isupper()


@cache
def rules() -> tuple[tuple[Kind, str], ...]:
    """Kind and regular expression, the first that matches counts. They are the same for Python and for Oniguruma."""
    known = terminals()
    signs = [known[name] for name in known if name not in _BY_TERMINAL and name not in BLANK and not name.startswith("CALLEE")]
    operators = [sign for sign in signs if not re.match(r"[A-Za-z]", sign) and sign not in _signs(_BRACKETS | _PUNCTUATION)]
    dotted = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+(?=\()"
    return (
        ("comment", known["COMMENT"]),
        ("string", known["STRING"]),
        ("open_string", r'"[^\n]*'),
        ("attribute", known["ATTR"]),
        ("statement", _statement()),
        ("component", rf"(?!(?:{'|'.join(_WORDS)})\b){dotted}|[A-Z][A-Za-z0-9_]*(?=\()"),
        ("function", known["CALLEE"]),
        ("constant", rf"(?<![.@A-Za-z0-9_])(?:{'|'.join(_CONSTANTS)})\b(?![ \t]*(?:=(?!=)|~))"),
        ("word", _alone(_WORDS)),
        ("name", known["NAME"]),
        ("quantity", known["QUANTITY"]),
        ("float", known["FLOAT"]),
        ("integer", known["INT"]),
        ("operator", "|".join(sorted(operators, key=len, reverse=True))),
        ("bracket", r"[()\[\]{}]"),
        ("punctuation", r"[,.:]"),
    )


def scan(text: str) -> Iterator[tuple[int, Kind, str]]:
    """Offset, kind and text of every piece of `text`, what nothing matches included."""
    position = 0
    for match in _scanner().finditer(text):
        if match.start() > position:
            yield position, "blank", text[position : match.start()]
        for kind in get_args(Kind):
            if match.lastgroup == kind:
                yield match.start(), kind, match[0]
        position = match.end()
    if position < len(text):
        yield position, "blank", text[position:]


@cache
def _scanner() -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in rules()))


def _signs(names: frozenset[str]) -> set[str]:
    known = terminals()
    return {known[name] for name in names}


def _statement() -> str:
    """A word that begins a statement: the beginning of something else follows, which never follows a name."""
    words = "|".join(_STATEMENTS)
    values = "|".join(word for word in _STATEMENTS if word in ("require", "ensure", "maximize", "minimize"))
    follows = rf'[ \t]+(?!(?:{_BETWEEN})\b)["A-Za-z_@(0-9]'
    return rf"(?<![.@A-Za-z0-9_])(?:(?:{words})(?={follows})|(?:{values})(?=[ \t]*[-(\[]))"


def _alone(words: tuple[str, ...]) -> str:
    """A word that is neither part of a path nor the name of an argument."""
    return rf"(?<![.@A-Za-z0-9_])(?:{'|'.join(words)})\b(?![ \t]*(?:=(?!=)|~|:|\+=|[.,)\]}}]))"
