"""What may stand where a parse failed, in words that people know."""

from __future__ import annotations

import lark

from .words import STATEMENTS, word_set

_VALUE = frozenset({"NAME", "INT", "FLOAT", "QUANTITY", "STRING", "CALLEE"})
_OPERATORS = word_set("ADD SUB MUL DIV FLOORDIV MOD POW EQEQ NOTEQ ATMOST ATLEAST LESSTHAN MORETHAN IN IS NOT AND OR IF DOT LSQB")
_STATEMENT = frozenset(word.upper() for word in STATEMENTS)
#: Terminals of the grammar as people know them; keywords are their own names.
SHOWN = {
    "NAME": "a name",
    "INT": "a whole number",
    "FLOAT": "a number",
    "QUANTITY": "a number with a unit",
    "STRING": "a string",
    "CALLEE": "a call",
    "ATTR": "an @attribute",
    "_NL": "end of line",
    "$END": "end of text",
    "ADD": "`+`",
    "ADDTO": "`+=`",
    "ATLEAST": "`>=`",
    "ATMOST": "`<=`",
    "COLON": "`:`",
    "COMMA": "`,`",
    "DIV": "`/`",
    "DOT": "`.`",
    "DOTDOT": "`..`",
    "EQEQ": "`==`",
    "EQUAL": "`=`",
    "FLOORDIV": "`//`",
    "LBRACE": "`{`",
    "LESSTHAN": "`<`",
    "LPAR": "`(`",
    "LSQB": "`[`",
    "MOD": "`%`",
    "MORETHAN": "`>`",
    "MUL": "`*`",
    "NOTEQ": "`!=`",
    "POW": "`**`",
    "RBRACE": "`}`",
    "RPAR": "`)`",
    "RSQB": "`]`",
    "SUB": "`-`",
    "TILDE": "`~`",
    "VBAR": "`|`",
}
#: Longer lists help nobody.
_MOST_SHOWN = 6


def expectation(error: lark.UnexpectedInput) -> str:
    """ "a value", "`,` or `)`", ...; "" when nothing useful can be said."""
    names = _accepted(error)
    shown: list[str] = []
    if names >= _STATEMENT:
        return "a statement"
    if len(names & _VALUE) >= 4:
        shown.append("a value")
        names -= _VALUE | {"SUB", "NOT", "LPAR", "LSQB", "LBRACE", "TRUE", "FALSE", "NULL", "LOG", "ATTR", "LET"}
    elif len(names & _OPERATORS) >= 4:
        shown.append("an operator")
        names -= _OPERATORS
    names -= {"_CONT", "COMMENT", "WS"}
    shown += sorted({SHOWN.get(name, f"`{name.lower()}`") for name in names})
    if not shown or len(shown) > _MOST_SHOWN:
        return shown[0] if shown and shown[0].startswith("a") and len(shown) > _MOST_SHOWN else ""
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def _accepted(error: lark.UnexpectedInput) -> set[str]:
    if not isinstance(error, lark.UnexpectedToken):
        return set()
    # `accepts` is exact but may be unknown; `expected` has a few words too many.
    accepts = error.accepts if isinstance(error.accepts, (set, frozenset)) else None
    return set(accepts if accepts else error.expected)
