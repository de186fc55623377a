"""The quick way to positioned JSON: one regular expression a token, no grammar.

Lark's reader (`json_reader.py`) takes seven times as long and stays the one that says what is wrong: whatever this one does not
understand it leaves alone. A test holds both to the same trees.
"""

from __future__ import annotations

import json
import re
from typing import TypeAlias

from ..source import Span
from .json_tree import JsonArray, JsonEntry, JsonNode, JsonObject, JsonScalar

_TOKEN = re.compile(
    r"[ \t\n\r]*(?:"
    r'"(?P<string>[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*)"'
    r"|(?P<mark>[{}\[\],:])"
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>true|false|null)"
    r"|(?P<end>\Z))"
)
_WORDS = {"true": True, "false": False, "null": None}
_SURROGATE = re.compile("[\ud800-\udfff]")

Match: TypeAlias = "re.Match[str]"


class NotUnderstood(Exception):
    """Not JSON, or JSON with something to be said about it: a key twice, a number or string out of limits."""


def scan(text: str, file: str, longest_string: int) -> JsonNode:
    """The tree of `text`, nested no deeper than Python can. Raises NotUnderstood."""
    scanner = _Scanner(text, file, longest_string)
    node = scanner.value(scanner.next())
    if scanner.next().lastgroup != "end":
        raise NotUnderstood
    return node


class _Scanner:
    def __init__(self, text: str, file: str, longest_string: int) -> None:
        self._text = text
        self._file = file
        self._longest = longest_string
        self._at = 0

    def next(self) -> Match:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            raise NotUnderstood
        self._at = match.end()
        return match

    def value(self, match: Match) -> JsonNode:
        kind = match.lastgroup
        if kind == "string":
            return JsonScalar(self._string(match), Span(self._file, match.start(kind) - 1, match.end()))
        if kind == "number":
            text = match[kind]
            return JsonScalar(self._number(text), Span(self._file, match.end() - len(text), match.end()))
        if kind == "word":
            word = match[kind]
            return JsonScalar(_WORDS[word], Span(self._file, match.end() - len(word), match.end()))
        mark = match["mark"]
        if mark == "{":
            return self._object(match.end() - 1)
        if mark == "[":
            return self._array(match.end() - 1)
        raise NotUnderstood

    def _array(self, start: int) -> JsonArray:
        items: list[JsonNode] = []
        match = self.next()
        if match["mark"] != "]":
            while True:
                items.append(self.value(match))
                mark = self.next()["mark"]
                if mark == "]":
                    break
                if mark != ",":
                    raise NotUnderstood
                match = self.next()
        return JsonArray(tuple(items), Span(self._file, start, self._at))

    def _object(self, start: int) -> JsonObject:
        entries: dict[str, JsonEntry] = {}
        match = self.next()
        if match["mark"] != "}":
            while True:
                if match.lastgroup != "string":
                    raise NotUnderstood
                key, span = self._string(match), Span(self._file, match.start("string") - 1, match.end())
                if key in entries or self.next()["mark"] != ":":
                    raise NotUnderstood
                entries[key] = JsonEntry(key, span, self.value(self.next()))
                mark = self.next()["mark"]
                if mark == "}":
                    break
                if mark != ",":
                    raise NotUnderstood
                match = self.next()
        return JsonObject(tuple(entries.values()), Span(self._file, start, self._at))

    def _string(self, match: Match) -> str:
        text = match["string"]
        if "\\" in text:
            text = json.loads(match[0].lstrip())
        if len(text) > self._longest or (not text.isascii() and _SURROGATE.search(text) is not None):
            raise NotUnderstood
        return text

    def _number(self, text: str) -> int | float:
        if len(text) > 18 or "." in text or "e" in text or "E" in text:
            number = float(text)
            if number in (float("inf"), float("-inf")) or not ("." in text or "e" in text or "E" in text):
                raise NotUnderstood
            return number
        return int(text)
