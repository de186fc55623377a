"""A Clara training config -> the syntax tree."""

from __future__ import annotations

from ..ast import Bind, Module, NameStep, Path, Statement
from ..diagnostics import Diagnostic
from ..source import Source
from ..variables import names_in
from .components import ComponentReader
from .json_reader import read_json
from .json_tree import JsonArray, JsonNode, JsonObject, JsonScalar, kind_of
from .searches import SearchReader
from .words import misspelt

#: First-level keys that are searches and no part of the configuration.
_FIRST_LEVEL_SEARCHES = ("search", "lr_search")


def read_training(source: Source) -> tuple[Module, list[Diagnostic]]:
    """The bindings of `source`, and everything that is wrong with it. With an error the module may lack what could not be read."""
    root, diagnostics = read_json(source)
    if root is None:
        return Module(source.name, None, ()), diagnostics
    if not isinstance(root, JsonObject):
        message = f"a training config is an object, not {kind_of(root)}"
        return Module(source.name, None, ()), [*diagnostics, Diagnostic("AM201", message, root.span, "`{...}` was expected")]
    reader = ComponentReader(source.name)
    statements: list[Statement] = []
    for entry in root:
        if entry.key in _FIRST_LEVEL_SEARCHES:
            continue
        word = misspelt(entry.key.strip("_"), _FIRST_LEVEL_SEARCHES)
        if entry.key.startswith("_"):
            if word is not None:
                message = f"`{entry.key}` is ignored because it starts with `_`"
                reader.warn("AM208", message, entry.key_span, "ignored", f"did you mean `__{word}`?")
            continue
        if word is not None:
            reader.error("AM208", f"`{entry.key}` looks like a misspelt `{word}`", entry.key_span, "misspelt", f"write `{word}`")
            continue
        step = NameStep(entry.key, entry.key_span)
        value = reader.expr(entry.value, (step,))
        path = Path((step,), step.span)
        statements.append(Bind((path,), value, False, None, None, (), None, step.span.to(entry.value.span)))
    searches = SearchReader(reader, root, _variables(root)).read(reader.sites)
    found = sorted(diagnostics + reader.diagnostics, key=lambda diagnostic: diagnostic.span.start)
    return Module(source.name, None, (*statements, *searches)), found


def _variables(node: JsonNode) -> frozenset[str]:
    """The names of every `{x}` in the file."""
    match node:
        case JsonObject(entries):
            return frozenset().union(*(_variables(entry.value) for entry in entries))
        case JsonArray(items):
            return frozenset().union(*(_variables(item) for item in items))
        case JsonScalar(value=str() as text):
            return frozenset(names_in(text))
        case _:
            return frozenset()
