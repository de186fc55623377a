"""Where something stands in a JSON file, for an error that is found after the file was read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from automl_run.dsl.diagnostics import Diagnostic, Secondary, placed
from automl_run.dsl.ir import Value
from automl_run.dsl.legacy import decode, read_json
from automl_run.dsl.legacy.json_tree import JsonArray, JsonNode, JsonObject, plain
from automl_run.dsl.source import Source, Span
from automl_run.errors import InputError

Path_ = Sequence[str | int]


class Places:
    """Errors with a place in one of several files, which are read when an error needs them."""

    def __init__(self) -> None:
        self._files: dict[Path, tuple[Source, JsonNode | None]] = {}

    def data(self, file: Path) -> dict[str, Value]:
        """What `file` holds as it is written; {} where it is no readable object."""
        root = self._read(file)[1]
        held = None if root is None else plain(root)
        return held if isinstance(held, dict) else {}

    def error(
        self, message: str, file: Path, path: Path_, help: str = "", also: tuple[Path, Path_, str] | None = None
    ) -> InputError:
        """`message` with the place of `path` in `file`, or as near to it as the file goes; `also`: another place and what it is."""
        span = self._span(file, path)
        other = () if also is None else (Secondary(self._span(also[0], also[1]), also[2]),)
        found = Diagnostic("", message, span, help=help, secondary=other)
        return InputError("\n".join([message, *placed(found, {source.name: source for source, _ in self._files.values()})]))

    def _span(self, file: Path, path: Path_) -> Span:
        source, root = self._read(file)
        return Span(source.name, 0, 0) if root is None else _found(root, path)

    def _read(self, file: Path) -> tuple[Source, JsonNode | None]:
        if file not in self._files:
            try:
                source, faults = decode(str(file), file.read_bytes())
            except OSError:
                source, faults = Source(str(file), ""), []
            root = read_json(source)[0] if source.text and not faults else None
            self._files[file] = source, root
        return self._files[file]


def _found(node: JsonNode, path: Path_) -> Span:
    """The place at the end of `path`, of an object its key or its name; where the path leaves the file, the last step inside."""
    span = Span(node.span.file, node.span.start, node.span.start + 1)
    for step in path:
        match node:
            case JsonObject() if isinstance(step, str) and (entry := node.entry(step)) is not None:
                node, span = entry.value, entry.key_span
            case JsonArray(items) if isinstance(step, int) and step < len(items):
                node, span = items[step], items[step].span
            case _:
                break
    if isinstance(node, JsonObject):
        named = node.entry("path") or node.entry("name")
        return named.value.span if named is not None else Span(span.file, span.start, min(span.end, span.start + 1))
    return span if isinstance(node, JsonArray) else node.span
