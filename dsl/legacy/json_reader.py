"""Text -> positioned JSON (RFC 8259), with one clear diagnostic for what is not JSON.

The standard library's reader was not used: it keeps no places, lets a second key win silently and accepts NaN.

Codes: AM200 not JSON, AM212 a key stands twice, AM301 too large, AM303 nested too deeply, AM305 and AM306 a string or number
out of limits, AM307 not UTF-8.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from importlib.resources import files

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from ..diagnostics import Diagnostic, Secondary
from ..source import Source, Span
from .json_errors import depth_problem, syntax_problem
from .json_scanner import NotUnderstood, scan
from .json_tree import JsonArray, JsonEntry, JsonNode, JsonObject, JsonScalar

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_STRING = 64 << 10
_INT_LIMIT = 1 << 63


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = files("automl_run.grammars").joinpath("legacy_json.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", propagate_positions=False)


def decode(name: str, data: bytes) -> tuple[Source, list[Diagnostic]]:
    """The bytes of a file as a source; a BOM is dropped. Too many bytes or bytes that are no UTF-8 are diagnostics."""
    if len(data) > MAX_BYTES:
        message = f"`{name}` has {len(data)} bytes; a configuration may have {MAX_BYTES}"
        return Source(name, ""), [Diagnostic("AM301", message, Span(name, 0, 0))]
    try:
        return Source(name, data.decode("utf-8-sig")), []
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8-sig", errors="replace")
        place = Span(name, len(good), len(good) + 1)
        source = Source(name, data.decode("utf-8-sig", errors="replace"))
        label = f"byte 0x{data[error.start]:02x}"
        return source, [Diagnostic("AM307", "the file is not UTF-8 text", place, label, "save it with the encoding UTF-8")]


def read_json(source: Source) -> tuple[JsonNode | None, list[Diagnostic]]:
    """The tree of `source`, None when it is not JSON.

    Duplicate keys and numbers out of limits are reported, and the tree still made.
    """
    if len(source.text) > MAX_BYTES:
        message = f"`{source.name}` has more than {MAX_BYTES} characters"
        return None, [Diagnostic("AM301", message, Span(source.name, 0, 0), "too large for a configuration")]
    problem = depth_problem(source, MAX_DEPTH)
    if problem is not None:
        return None, [problem]
    text = source.text
    if text.startswith("\ufeff"):  # keeps the places
        text = " " + text[1:]
    try:
        return scan(text, source.name, MAX_STRING), []
    except NotUnderstood:
        return _read_slowly(source, text)


def _read_slowly(source: Source, text: str) -> tuple[JsonNode | None, list[Diagnostic]]:
    """As `read_json`, with the grammar, which knows what was expected."""
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        return None, [syntax_problem(source, error)]
    builder = _Builder(source)
    child = tree.children[0]
    assert isinstance(child, (Token, Tree))
    return builder.node(child), builder.diagnostics


class _Builder:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []

    def _error(self, code: str, message: str, span: Span, label: str, help: str = "") -> None:
        self.diagnostics.append(Diagnostic(code, message, span, label, help))

    def _span(self, token: Token) -> Span:
        start = token.start_pos or 0
        return Span(self.source.name, start, token.end_pos or start)

    def node(self, item: Token | Tree[Token]) -> JsonNode:
        if isinstance(item, Token):
            return JsonScalar(self._scalar(item), self._span(item))
        first, last = item.children[0], item.children[-1]
        assert isinstance(first, Token)
        assert isinstance(last, Token)
        span = self._span(first).to(self._span(last))
        inner = [child for child in item.children[1:-1] if child is not None]
        if item.data == "array":
            return JsonArray(tuple(self.node(child) for child in inner), span)
        return JsonObject(self._entries([child for child in inner if isinstance(child, Tree)]), span)

    def _entries(self, pairs: list[Tree[Token]]) -> tuple[JsonEntry, ...]:
        entries: dict[str, JsonEntry] = {}
        for pair in pairs:
            name, value = pair.children
            assert isinstance(name, Token)
            key, key_span = self._string(name), self._span(name)
            if key in entries:
                other = Secondary(entries[key].key_span, "first here")
                self.diagnostics.append(
                    Diagnostic(
                        "AM212", f"the key `{key}` stands twice", key_span, "again here", "keep one of them", secondary=(other,)
                    )
                )
                continue
            entries[key] = JsonEntry(key, key_span, self.node(value))
        return tuple(entries.values())

    def _scalar(self, token: Token) -> None | bool | int | float | str:
        match token.type:
            case "STRING":
                return self._string(token)
            case "NUMBER":
                return self._number(token)
            case "NULL":
                return None
            case kind:
                return kind == "TRUE"

    def _string(self, token: Token) -> str:
        text = str(json.loads(token))
        if len(text) > MAX_STRING:
            self._error("AM305", f"a string may have {MAX_STRING} characters", self._span(token), f"{len(text)} characters")
            return ""
        if any("\ud800" <= char <= "\udfff" for char in text):
            self._error("AM305", "this string holds half of a surrogate pair", self._span(token), "not text")
            return text.encode("utf-8", errors="replace").decode("utf-8")
        return text

    def _number(self, token: Token) -> int | float:
        if not any(mark in token for mark in ".eE"):
            value = int(token) if len(token) < 24 else _INT_LIMIT
            if -_INT_LIMIT <= value < _INT_LIMIT:
                return value
            self._error("AM306", "this integer needs more than 64 bits", self._span(token), "out of range")
            return 0
        number = float(token)
        if math.isinf(number):
            self._error("AM306", "this number is too large for a 64-bit float", self._span(token), "out of range")
            return 0.0
        return number
