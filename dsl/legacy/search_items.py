"""One item of a `search` list: what it searches and over which domain. Every mistake in it is reported, not only the first.

Codes: AM201 a key missing or of the wrong kind, AM202 unknown type, AM204 unknown domain, AM205 a range that is none,
AM206 flat enum, AM207 wrong number of values, AM208 a misspelt key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from ..ast import Domain, Expr, Lit, Range, TupleExpr
from ..diagnostics import Diagnostic, did_you_mean, nearest
from ..source import Span
from .components import ComponentReader
from .json_tree import JsonArray, JsonNode, JsonObject, JsonScalar, kind_of, number_of, plain, text_of
from .words import DOMAINS, SEARCH_KEYS, TYPES


@dataclass(frozen=True, slots=True)
class ArgRef:
    """One of `args`: `prob`, `@disabled`, `prob#myProb`."""

    name: str
    is_attribute: bool
    alias: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class SearchItem:
    args: tuple[ArgRef, ...]
    domain: Domain
    label: str
    span: Span


def read_item(reader: ComponentReader, node: JsonNode) -> SearchItem | None:
    """None when the item has an error."""
    if not isinstance(node, JsonObject):
        reader.error("AM201", f"a search item is an object, not {kind_of(node)}", node.span, "", _example())
        return None
    before = len(reader.diagnostics)
    for entry in node:
        if entry.key not in SEARCH_KEYS and not entry.key.startswith("_"):
            help = did_you_mean(entry.key, SEARCH_KEYS)
            reader.error("AM208", f"a search item has no key `{entry.key}`", entry.key_span, "unknown key", help)
    missing = [key for key in SEARCH_KEYS if node.entry(key) is None]
    misspelt = [entry.key for entry in node if nearest(entry.key, missing) is not None and entry.key not in SEARCH_KEYS]
    for key in missing:
        if nearest(key, misspelt) is None:
            reader.error("AM201", f"this search item has no `{key}`", _head(node), f"`{key}` is missing", _missing_help(key))
    label = _word(reader, node, "domain", DOMAINS, "AM204")
    kind = _word(reader, node, "type", TYPES, "AM202")
    args = _args(reader, node.get("args"))
    targets = node.get("targets")
    domain = None
    if targets is not None and args and kind is not None:
        domain = _float(reader, targets) if kind == "float" else _enum(reader, targets, args)
    if domain is None or label is None or not args or _has_errors(reader.diagnostics[before:]):
        return None
    return SearchItem(args, domain, label, node.span)


def read_range(reader: ComponentReader, node: JsonNode) -> Domain | None:
    """`[min, max]`, as `lr_search` has it and `targets` of the type float."""
    return _float(reader, node)


def _has_errors(diagnostics: list[Diagnostic]) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


def _example() -> str:
    return 'write `{"domain": "lr", "type": "float", "args": ["learning_rate"], "targets": [0.0001, 0.001]}`'


def _head(node: JsonObject) -> Span:
    return Span(node.span.file, node.span.start, node.span.start + 1)


def _missing_help(key: str) -> str:
    match key:
        case "domain":
            return f"one of: {', '.join(DOMAINS)}"
        case "type":
            return f"one of: {', '.join(TYPES)}"
        case "args":
            return 'the arguments to search, such as `"args": ["prob"]`'
        case _:
            return "`[min, max]` for the type float, `[[value], [value]]` for the type enum"


def _word(
    reader: ComponentReader, node: JsonObject, key: Literal["domain", "type"], known: tuple[str, ...], code: str
) -> str | None:
    value = node.get(key)
    if value is None:
        return None
    text = text_of(value)
    if text in known:
        return text
    if text is None:
        reader.error("AM201", f"`{key}` of a search item is a string, not {kind_of(value)}", value.span, "", _missing_help(key))
        return None
    best = nearest(text, known)
    help = f"did you mean `{best}`? known: {', '.join(known)}" if best else f"known: {', '.join(known)}"
    reader.error(code, f"unknown search {key} `{text}`", value.span, f"unknown {key}", help)
    return None


# -- args ---------------------------------------------------------------------------------------------------------------


def _args(reader: ComponentReader, node: JsonNode | None) -> tuple[ArgRef, ...]:
    if node is None:
        return ()
    nodes = node.items if isinstance(node, JsonArray) else (node,)
    if not nodes:
        reader.error("AM201", "`args` names nothing to search", node.span, "an empty list", _missing_help("args"))
    refs: dict[str, ArgRef] = {}
    for item in nodes:
        text = text_of(item)
        if text is None:
            message = f"`args` holds names, not {kind_of(item)}"
            reader.error("AM201", message, item.span, "not a name", _missing_help("args"))
            return ()
        ref = _arg(reader, text, item.span)
        if ref is None:
            return ()
        key = f"@{ref.name}" if ref.is_attribute else ref.name
        if key in refs:
            reader.error("AM201", f"`{key}` stands twice in `args`", item.span, "again here", "name every argument once")
            return ()
        refs[key] = ref
    return tuple(refs.values())


def _arg(reader: ComponentReader, text: str, span: Span) -> ArgRef | None:
    name, mark, alias = text.partition("#")
    is_attribute = name.startswith("@")
    name = name.removeprefix("@")
    alias = alias.removeprefix("@")
    if not name.strip() or (mark and not alias.strip()):
        what = "its alias is empty" if name.strip() else "it is empty"
        reader.error("AM201", f"`{text}` does not name an argument: {what}", span, "", "write `prob`, `prob#alias` or `@disabled`")
        return None
    return ArgRef(name, is_attribute, alias if mark else None, span)


# -- targets ------------------------------------------------------------------------------------------------------------


def _float(reader: ComponentReader, node: JsonNode) -> Domain | None:
    if not isinstance(node, JsonArray):
        reader.error("AM205", f"a float search needs `[min, max]`, not {kind_of(node)}", node.span, "not a range")
        return None
    bad = next((item for item in node.items if number_of(item) is None), None)
    if bad is not None and isinstance(bad, JsonArray):
        help = 'for a list of choices write `"type": "enum"`'
        reader.error("AM205", "a float search needs two numbers, not a list of choices", bad.span, "a list", help)
        return None
    if bad is not None:
        shown = json.dumps(plain(bad))
        help = "quotes make it text: remove them" if text_of(bad) is not None else "write `[min, max]`"
        reader.error("AM205", f"`{shown}` is not a number", bad.span, "a number was expected", help)
        return None
    if len(node.items) != 2:
        message = f"a float search needs two numbers, min and max; here are {len(node.items)}"
        help = 'for single values write `"type": "enum"` and `[[value], [value]]`' if len(node.items) > 2 else "write `[min, max]`"
        reader.error("AM205", message, node.span, "not a range", help)
        return None
    low, high = (float(number_of(item) or 0) for item in node.items)
    if low > high:
        reader.error("AM205", "this range is reversed", node.span, f"{low:g} is above {high:g}", f"write `[{high:g}, {low:g}]`")
        return None
    if low == high:
        help = "remove this search item, or widen the range"
        reader.error("AM205", "this range holds a single value", node.span, "nothing to search", help)
        return None
    lo, hi = Lit(low, node.items[0].span), Lit(high, node.items[1].span)  # an int would make it a range of integers
    return Domain((Range(lo, hi, "linear", None, node.span),), node.span)


def _enum(reader: ComponentReader, node: JsonNode, args: tuple[ArgRef, ...]) -> Domain | None:
    if not isinstance(node, JsonArray):
        reader.error("AM207", f"an enum search needs a list of choices, not {kind_of(node)}", node.span, "not a list")
        return None
    if not node.items:
        reader.error("AM207", "this enum has no choice", node.span, "nothing to search", _missing_help("targets"))
        return None
    flat = next((item for item in node.items if not isinstance(item, JsonArray)), None)
    if flat is not None:
        shown = ", ".join(json.dumps(plain(item) if isinstance(item, JsonArray) else [plain(item)]) for item in node.items[:4])
        more = ", ..." if len(node.items) > 4 else ""
        help = (
            f"write `[{shown}{more}]`" if len(args) == 1 else f"each choice is a list of {len(args)} values, one for each of `args`"
        )
        reader.error(
            "AM206", "every choice of an enum is itself a list, one value for each of `args`", flat.span, "not a list", help
        )
        return None
    alternatives: list[Expr] = []
    is_good = True
    for choice in node.items:
        assert isinstance(choice, JsonArray)
        if len(choice.items) != len(args):
            count, wanted = len(choice.items), len(args)
            message = f"this choice has {count} value{'s' if count != 1 else ''}, but `args` names {wanted}"
            help = ""
            if len(args) == 1:
                help = f"a list as the value is written `[{json.dumps(plain(choice))}]`"
            reader.error("AM207", message, choice.span, f"{wanted} expected", help)
            is_good = False
            continue
        values = tuple(_value(reader, item) for item in choice.items)
        alternatives.append(values[0] if len(values) == 1 else TupleExpr(values, choice.span))
    return Domain(tuple(alternatives), node.span) if is_good else None


def _value(reader: ComponentReader, node: JsonNode) -> Expr:
    """An alternative is any JSON. A component in it is no place for further searches."""
    if isinstance(node, JsonScalar):
        return Lit(node.value, node.span)
    return ComponentReader(reader.file).expr(node, (), True)
