"""What is wrong with a text that is not JSON, said in the reader's words and never in the grammar's."""

from __future__ import annotations

import re

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from ..diagnostics import Diagnostic, Secondary
from ..source import Source, Span

_STRING = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
_BRACKETS = re.compile(_STRING + r"|[\[\]{}]")
_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.]*|[^\s]")
_PYTHON_WORDS = {"True": "true", "False": "false", "None": "null", "TRUE": "true", "FALSE": "false", "NULL": "null", "Null": "null"}
_VALUE_STARTS = frozenset({"STRING", "NUMBER", "TRUE", "FALSE", "NULL", "LBRACE", "LSQB"})
_TRUTH_WORDS = {
    **dict.fromkeys(("yes", "Yes", "on", "On"), "true"),
    **dict.fromkeys(("no", "No", "off", "Off"), "false"),
    **dict.fromkeys(("undefined", "nil", "none"), "null"),
}
#: message, label, help
_MARKS = {
    **dict.fromkeys("\u201c\u201d\u2018\u2019`", ("a string stands in double quotes", "another kind of quote", 'write `"..."`')),
    "(": ("JSON has no round brackets", "a tuple", "a list is written `[1, 2]`"),
    "=": ("a key is followed by `:` and its value", "not `=`", "write `:`"),
    ";": ("entries are separated by `,`", "not `;`", "write `,`, and none after the last"),
    "%": ("a percentage is written as a fraction", "not a number", "write `0.5` for 50 %"),
    "|": ("JSON has no alternatives", "not expected here", 'a search has `"type": "enum"` and `"targets": [[1], [2]]`'),
    "~": ("JSON has no `~`", "not expected here", 'a search is an item of `"search"`; `~` belongs to a file `.automl`'),
}
_CLOSING = {"{": "}", "[": "]"}


def depth_problem(source: Source, limit: int) -> Diagnostic | None:
    """The first bracket that is nested more than `limit` deep."""
    depth = 0
    for match in _BRACKETS.finditer(source.text):
        mark = match.group()
        if mark in "[{":
            depth += 1
            if depth > limit:
                place = Span(source.name, match.start(), match.end())
                return Diagnostic("AM303", f"lists and objects may be nested {limit} deep", place, "one level too deep")
        elif mark in "]}":
            depth -= 1
    return None


def syntax_problem(source: Source, error: UnexpectedInput) -> Diagnostic:
    """One diagnostic for the first thing that is not JSON."""
    if isinstance(error, UnexpectedToken):
        return _unexpected_token(source, error)
    start = error.pos_in_stream or 0
    if isinstance(error, UnexpectedCharacters) and start < len(source.text):
        return _unexpected_text(source, start)
    return _unfinished(source)


def _problem(source: Source, start: int, end: int, message: str, label: str, help: str = "", *other: Secondary) -> Diagnostic:
    return Diagnostic("AM200", message, Span(source.name, start, max(end, start + 1)), label, help, secondary=other)


def _before(text: str, offset: int) -> int:
    """The offset of the last character before `offset` that is no space, -1 if there is none."""
    return len(text[:offset].rstrip()) - 1


def _open_bracket(text: str, offset: int) -> int | None:
    """The innermost bracket that is still open at `offset`."""
    stack: list[int] = []
    for match in _BRACKETS.finditer(text, 0, offset):
        mark = match.group()
        if mark in "[{":
            stack.append(match.start())
        elif mark in "]}" and stack:
            stack.pop()
    return stack[-1] if stack else None


def _unfinished(source: Source) -> Diagnostic:
    text = source.text
    last = _before(text, len(text))
    if last < 0:
        return _problem(source, 0, 0, "the file is empty", "a JSON object was expected here", 'the smallest one is `{"train": {}}`')
    opened = _open_bracket(text, len(text))
    if opened is None:
        return _problem(source, last, last + 1, "the file ends too early", "something is missing after this")
    mark = text[opened]
    other = Secondary(Span(source.name, opened, opened + 1), f"this `{mark}` is never closed")
    label = f"a `{_CLOSING[mark]}` is missing after this"
    return _problem(source, last, last + 1, "the file ends in the middle of a value", label, "", other)


def _unexpected_token(source: Source, error: UnexpectedToken) -> Diagnostic:
    token, expected = error.token, frozenset(error.accepts or error.expected)
    text = source.text
    if token.type == "$END":
        return _unfinished(source)
    start, end = token.start_pos or 0, token.end_pos or 0
    last = _before(text, start)
    opened = _open_bracket(text, start)
    if "COMMA" in expected:
        return _missing_comma(source, token, last, opened)
    if expected <= {"$END"}:
        return _problem(
            source, start, end, "there is text after the end of the JSON value", "not expected here", "a file holds one value"
        )
    if token.type in ("RBRACE", "RSQB") and last >= 0 and text[last] == ",":
        return _problem(source, last, last + 1, "a `,` must not stand before a closing bracket", "remove this comma")
    if "COLON" in expected:
        return _problem(source, start, end, "a key is followed by `:` and its value", "a `:` is missing before this")
    if token.type == "COMMA":
        return _problem(source, start, end, "there is nothing before this `,`", "a value is missing here")
    if "STRING" in expected and not expected & {"NUMBER", "LBRACE"}:
        help = f'write `"{token}": ...`' if token.type == "NUMBER" else ""
        return _problem(source, start, end, "an object's key is a string in double quotes", "a key was expected here", help)
    return _problem(source, start, end, "a value was expected here", "a value is missing before this")


def _missing_comma(source: Source, token: Token, last: int, opened: int | None) -> Diagnostic:
    start, end = token.start_pos or 0, token.end_pos or 0
    text = source.text
    if token.type in ("RBRACE", "RSQB") and opened is not None:
        mark = text[opened]
        other = Secondary(Span(source.name, opened, opened + 1), f"this `{mark}` is still open")
        label = f"`{_CLOSING[mark]}` was expected"
        return _problem(source, start, end, f"`{token}` cannot close `{mark}`", label, "", other)
    if token.type == "NUMBER" and last >= 0 and last == start - 1 and text[last] == "0":
        return _problem(source, last, end, "a number has no leading zeros", "write it without the zero")
    if token.type == "COLON":
        return _problem(source, start, end, "a `:` stands after a key of an object only", "not expected here")
    if token.type in _VALUE_STARTS:
        return _problem(source, start, end, "a `,` separates two entries", "a `,` is missing before this")
    return _problem(source, start, end, f"`{token}` was not expected here", "not expected here")


def _unexpected_text(source: Source, start: int) -> Diagnostic:
    text = source.text
    match = _WORD.match(text, start)
    word = match.group() if match else text[start]
    if text.startswith("-Infinity", start):
        word = "-Infinity"
    end = start + len(word)
    if _before(text, start) >= 0 and _open_bracket(text, start) is None:
        return _problem(
            source, start, end, "there is text after the end of the JSON value", "not expected here", "a file holds one value"
        )
    if word in ("NaN", "Infinity", "-Infinity", "inf", "nan"):
        return _problem(source, start, end, f"`{word}` is not a JSON number", "not a number", "write a finite number, or null")
    if word in _PYTHON_WORDS:
        return _problem(source, start, end, f"`{word}` is not JSON", "unknown word", f"write `{_PYTHON_WORDS[word]}`")
    if word == '"':
        return _bad_string(source, start)
    if word == "'":
        return _problem(source, start, end, "a string stands in double quotes", "single quotes", 'write `"..."`')
    if word in _MARKS:
        return _problem(source, start, end, *_MARKS[word])
    if word == "." and text[start - 1 : start].isdigit():
        if text.startswith("..", start):
            help = 'write `"search": [{"domain": "lr", "type": "float", "args": ["learning_rate"], "targets": [0.0001, 0.01]}]`'
            return _problem(source, start, start + 2, "JSON has no ranges", "a range", help)
        return _problem(source, start, end, "a digit follows the point of a number", "not a number", "write `5.0`, or `5`")
    if word in _TRUTH_WORDS:
        help = f'write `{_TRUTH_WORDS[word]}`; as text it stands in double quotes: `"{word}"`'
        return _problem(source, start, end, f"`{word}` is not JSON", "unknown word", help)
    if text[start - 1 : start].isdigit() and (word[0].isalpha() or word[0] == "_"):
        help = "numbers are decimal, without `_` and units: `1000`, `0.5`, `1e-4`"
        return _problem(source, start, end, f"`{word}` does not belong to a number", "not a number", help)
    if len(word) == 1 and word.isspace():
        return _problem(source, start, end, f"U+{ord(word):04X} is not a plain blank", "a strange blank", "write a plain blank")
    if _before(text, start) < 0 and re.match(r"[A-Za-z_][A-Za-z0-9_]*[ \t]*[:=~]|automl\b", text[start:]):
        help = "a JSON file begins with `{`; a search in this program's own language is kept in a file `.automl`"
        return _problem(source, start, end, "this is not JSON", "not expected here", help)
    if word in "/#":
        return _problem(source, start, end, "JSON has no comments", "a comment", "rename a key with a leading `_` to switch it off")
    if word in "+.":
        return _problem(source, start, end, f"a number does not start with `{word}`", "not a number", "write `0.5`, or `5`")
    if word == "-":
        return _problem(source, start, end, "this is not a number", "not a number")
    if word[0].isalpha() or word[0] in "_$":
        return _problem(
            source, start, end, f"`{word}` is not JSON", "unknown word", f'a string or a key stands in double quotes: `"{word}"`'
        )
    return _problem(source, start, end, f"`{word}` is not JSON", "not expected here")


def _bad_string(source: Source, start: int) -> Diagnostic:
    """A string that does not end, or holds a bad escape or a control character."""
    text = source.text
    position = start + 1
    while position < len(text):
        char = text[position]
        if char == "\\":
            if not re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})').match(text, position):
                help = "write `\\\\` for a backslash"
                return _problem(source, position, position + 2, "this escape is not known in JSON", "bad escape", help)
            position += 2
            continue
        if char == '"':
            break
        if char < " ":
            if char in "\r\n":
                return _problem(source, start, position, "this string does not end on its line", 'a `"` is missing')
            return _problem(
                source, position, position + 1, "a control character stands in a string", "write it as `\\t` or `\\u0000`"
            )
        position += 1
    return _problem(source, start, len(text), "this string does not end", 'a `"` is missing')
