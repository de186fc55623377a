"""JSON as a tree in which every value and every key knows its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ..ir import Value
from ..source import Span


@dataclass(frozen=True, slots=True)
class JsonScalar:
    value: None | bool | int | float | str
    span: Span


@dataclass(frozen=True, slots=True)
class JsonArray:
    items: tuple[JsonNode, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class JsonEntry:
    key: str
    key_span: Span
    value: JsonNode


#: Most objects are small, and looked through faster than a dict of them is made.
_MANY = 16


@dataclass(frozen=True, slots=True)
class JsonObject:
    """Keys are unique: the reader reports a second one and drops it."""

    entries: tuple[JsonEntry, ...]
    span: Span
    _by_key: dict[str, JsonEntry] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __iter__(self) -> Iterator[JsonEntry]:
        return iter(self.entries)

    def __contains__(self, key: str) -> bool:
        return self.entry(key) is not None

    def entry(self, key: str) -> JsonEntry | None:
        if len(self.entries) > _MANY:
            if not self._by_key:
                self._by_key.update((entry.key, entry) for entry in self.entries)
            return self._by_key.get(key)
        for entry in self.entries:
            if entry.key == key:
                return entry
        return None

    def get(self, key: str) -> JsonNode | None:
        entry = self.entry(key)
        return None if entry is None else entry.value

    def names(self) -> tuple[str, ...]:
        return tuple(entry.key for entry in self.entries)


JsonNode: TypeAlias = JsonScalar | JsonArray | JsonObject


def text_of(node: JsonNode | None) -> str | None:
    """The string that `node` is, or None."""
    return node.value if isinstance(node, JsonScalar) and isinstance(node.value, str) else None


def number_of(node: JsonNode | None) -> int | float | None:
    """The number that `node` is (a bool is none), or None."""
    if isinstance(node, JsonScalar) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return node.value
    return None


def kind_of(node: JsonNode) -> str:
    """What `node` is, with its article, for messages."""
    match node:
        case JsonObject():
            return "an object"
        case JsonArray():
            return "a list"
        case JsonScalar(value=None):
            return "null"
        case JsonScalar(value=bool()):
            return "a boolean"
        case JsonScalar(value=str()):
            return "a string"
        case _:
            return "a number"


def plain(node: JsonNode) -> Value:
    """`node` as ordinary data."""
    match node:
        case JsonObject(entries):
            return {entry.key: plain(entry.value) for entry in entries}
        case JsonArray(items):
            return [plain(item) for item in items]
        case JsonScalar(value):
            return value
