"""The post-lexer of `.automl`: which line ends end a statement.

They do not inside ( ), [ ] and dict { }, nor after an operator; a comma directly inside a block is the same as one, and one
is supplied before a `}` and at the end of the text. A brace opens a block when it follows the end of a path or a label
(`train {`, `study "name" {`), otherwise it opens a dict literal.

The limits on nesting and on the number of tokens are kept here, before the parser builds anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lark import Token

from .words import word_set

#: After one of these the statement goes on in the next line.
CONTINUES = word_set(
    "EQUAL TILDE VBAR ADDTO ADD SUB MUL DIV FLOORDIV MOD POW DOTDOT AND OR NOT IN IS IF ELSE WHEN STEP LOG BEFORE "
    "EQEQ NOTEQ ATMOST ATLEAST LESSTHAN MORETHAN"
)
#: A brace after one of these opens a block.
_ENDS_LABEL = word_set("NAME ATTR STRING INT FLOAT QUANTITY RPAR RSQB TRUE FALSE NULL")

MAX_NESTING = 64
MAX_TOKENS = 200_000


@dataclass
class LimitExceeded(Exception):
    """A limit of the language was met at `token`; caught by the parser, which makes a diagnostic of it."""

    code: str
    message: str
    token: Token


class Newlines:
    """Stateless between texts: one object serves every parse."""

    # A comma and a `}` may end any statement: the lexer must know them even where the grammar waits for the line end.
    always_accept = ("_NL", "COMMA", "RBRACE")

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        open_brackets: list[str] = []
        last = ""
        at_start = True
        for count, token in enumerate(stream):
            if count >= MAX_TOKENS:
                raise LimitExceeded("AM302", f"a file holds at most {MAX_TOKENS} words and signs", token)
            kind = token.type
            in_block = not open_brackets or open_brackets[-1] == "block"
            if kind == "COMMA" and in_block:
                kind, token = "_NL", Token.new_borrow_pos("_NL", ",", token)
                last = ""
            if kind == "_NL":
                if in_block and not at_start and last not in CONTINUES:
                    at_start = True
                    yield token
                continue
            if kind in ("LPAR", "LSQB", "LBRACE"):
                is_block = kind == "LBRACE" and in_block and last in _ENDS_LABEL
                open_brackets.append("block" if is_block else "bracket")
                if len(open_brackets) > MAX_NESTING:
                    raise LimitExceeded("AM303", f"brackets are nested more than {MAX_NESTING} deep", token)
            elif kind in ("RPAR", "RSQB", "RBRACE") and open_brackets:
                closes_block = open_brackets.pop() == "block"
                if closes_block and not at_start:
                    yield Token.new_borrow_pos("_NL", "", token)
            yield token
            at_start = kind == "LBRACE" and open_brackets[-1] == "block"
            last = kind
        if not at_start:
            yield Token("_NL", "")
