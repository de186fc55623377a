"""YAML as the tree that JSON makes, with the places of keys and values. Plain data only: no tag makes an object.

Codes: AM200 not YAML, AM201 what JSON has no value for, AM212 a key stands twice, AM30x limits.
"""

from __future__ import annotations

import math

import yaml
from yaml.constructor import ConstructorError, SafeConstructor

from .diagnostics import Diagnostic, Secondary
from .legacy.json_tree import JsonArray, JsonEntry, JsonNode, JsonObject, JsonScalar
from .source import Source, Span

_MAX_NODES = 200_000
_MAX_DEPTH = 64
_MAX_STRING = 65_536
_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str")}
_TEXT = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"}


class _Refused(Exception):
    """A limit is passed: nothing more is read."""


def read_yaml(source: Source) -> tuple[JsonNode | None, list[Diagnostic]]:
    """The tree, None if the text is no YAML, and everything that is wrong with it."""
    reader = _Reader(source)
    try:
        node = yaml.compose(source.text, Loader=yaml.SafeLoader)
        if node is None:
            return None, [Diagnostic("AM200", "this file is empty", Span(source.name, 0, 0))]
        return reader.node(node, 0), reader.diagnostics
    except _Refused:
        return None, reader.diagnostics
    except RecursionError:
        place = Span(source.name, 0, 0)
        return None, [Diagnostic("AM302", f"nested more than {_MAX_DEPTH} levels deep", place)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = 0 if mark is None else min(mark.index, len(source.text))
        message = f"this is not YAML: {error.problem or error.context or 'it cannot be read'}"
        return None, [Diagnostic("AM200", message, Span(source.name, at, min(at + 1, len(source.text))))]
    except yaml.YAMLError as error:
        return None, [Diagnostic("AM200", f"this is not YAML: {error}".splitlines()[0], Span(source.name, 0, 0))]


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self.construct = SafeConstructor()
        self.count = 0

    def error(self, code: str, message: str, span: Span, *, other: Secondary | None = None) -> None:
        self.diagnostics.append(Diagnostic(code, message, span, secondary=() if other is None else (other,)))

    def span(self, node: yaml.Node) -> Span:
        start, end = node.start_mark.index, node.end_mark.index
        # A block ends where the next one begins: what is shown ends with its last line.
        end = start + len(self.source.text[start:end].rstrip())
        return Span(self.source.name, start, max(start, end))

    def node(self, node: yaml.Node, depth: int) -> JsonNode:
        """Aliases (`*name`) are written out; the number of all nodes is limited."""
        self.count += 1
        span = self.span(node)
        if depth > _MAX_DEPTH:
            self.error("AM302", f"nested more than {_MAX_DEPTH} levels deep", span)
            raise _Refused
        if self.count > _MAX_NODES:
            self.error("AM303", f"a file holds at most {_MAX_NODES} values", span)
            raise _Refused
        match node:
            case yaml.SequenceNode():
                return JsonArray(tuple(self.node(item, depth + 1) for item in node.value), span)
            case yaml.MappingNode():
                return self._mapping(node, span, depth)
            case _:
                return JsonScalar(self._scalar(node, span), span)

    def _mapping(self, node: yaml.MappingNode, span: Span, depth: int) -> JsonObject:
        """Keys that `<<` brings stand first, and the mapping's own go before them, as PyYAML has it."""
        entries: dict[str, JsonEntry] = {}
        taken: dict[str, JsonEntry] = {}
        merges: Span | None = None
        for key, value in node.value:
            at = self.span(key)
            if not isinstance(key, yaml.ScalarNode):
                self.error("AM201", "a key is a text", at)
                continue
            if key.tag == "tag:yaml.org,2002:merge":
                if merges is not None:
                    self.error("AM212", "the key `<<` stands twice", at, other=Secondary(merges, "first here"))
                    continue
                merges = at
                taken = self._taken(value, depth + 1)
                continue
            if key.value in entries:
                other = Secondary(entries[key.value].key_span, "first here")
                self.error("AM212", f"the key `{key.value}` stands twice", at, other=other)
                continue
            entries[key.value] = JsonEntry(key.value, at, self.node(value, depth + 1))
        return JsonObject(tuple({**taken, **entries}.values()), span)

    def _taken(self, node: yaml.Node, depth: int) -> dict[str, JsonEntry]:
        """What `<<: *one` or `<<: [*one, *other]` brings; of several, the first that has a key."""
        sources = list(node.value) if isinstance(node, yaml.SequenceNode) else [node]
        out: dict[str, JsonEntry] = {}
        for source in reversed(sources):
            if not isinstance(source, yaml.MappingNode):
                self.error("AM201", "`<<` merges a mapping, or a list of them", self.span(source))
                continue
            found = self.node(source, depth)
            if isinstance(found, JsonObject):
                out.update({entry.key: entry for entry in found})
        return out

    def _scalar(self, node: yaml.Node, span: Span) -> None | bool | int | float | str:
        text = str(node.value)
        if len(text) > _MAX_STRING:
            self.error("AM305", f"a string may have {_MAX_STRING} characters", span)
            return ""
        if node.tag in _TEXT:
            return text
        if node.tag not in _PLAIN:
            self.error("AM201", f"`{node.tag.rpartition(':')[2]}` is no plain value", span)
            return None
        try:
            value = self.construct.construct_object(node)
        except (ConstructorError, ValueError) as error:
            self.error("AM201", f"this value cannot be read: {error}".splitlines()[0], span)
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self.error("AM306", "a number is finite", span)
            return 0.0
        if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
            self.error("AM306", "this integer needs more than 64 bits", span)
            return 0
        return value if value is None or isinstance(value, (bool, int, float, str)) else text
