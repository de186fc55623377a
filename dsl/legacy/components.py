"""Clara's objects -> expressions: a component becomes a `Call`, anything else stays data.

On the way every place where a search can stand is noted as a `Site`; `searches.py` reads those.
`"@x"`, `"#expr"`, `"{var}"`, `"lambda x: ..."` and `{"ref": "X"}` are data here: what they mean is the target's business.

Codes: AM201 a key of the wrong kind or missing, AM208 a misspelt key.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from ..ast import AttrStep, Bind, Call, DictExpr, Expr, IndexStep, Item, ListExpr, Lit, NameStep, Path, Positional, Step
from ..diagnostics import Diagnostic, Secondary
from ..source import Span
from .json_tree import JsonArray, JsonEntry, JsonNode, JsonObject, JsonScalar, kind_of, text_of
from .words import COMPONENT_KEYS, misspelt

_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_DOTTED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+")


@dataclass(frozen=True, slots=True)
class Identity:
    """The class of a component, the name of its instance (`Scale#Mine`), and where they are written."""

    callee: str
    instance: str | None
    span: Span

    @property
    def is_plain(self) -> bool:
        """True iff the class can be a step of a path and a callee as it stands."""
        return "." not in self.callee and self.callee[0].isupper()


@dataclass(frozen=True, slots=True)
class Site:
    """A component, or an object of settings, that may have `search` and `apply`. `steps` lead to it from the root.

    `args` are what a search may name plainly, None when there are none.
    """

    steps: tuple[Step, ...]
    owner: JsonObject
    args: JsonObject | None
    title: str
    is_component: bool


def identify(node: JsonNode, is_argument: bool) -> Identity | None:
    """The class that `node` constructs, None when it is data. Within arguments an object is taken for data more readily."""
    if not isinstance(node, JsonObject):
        return None
    keys = [key for key in node.names() if not key.startswith("_")]
    has_marks = "args" in keys or "search" in keys or "apply" in keys
    if is_argument and not ("args" in keys and set(keys) <= {*COMPONENT_KEYS, "disabled"}):
        return None
    for key in ("path", "name"):
        entry = node.entry(key)
        text = text_of(entry.value) if entry is not None else None
        if entry is None or text is None:
            continue
        name, mark, instance = text.partition("#")
        if not (_DOTTED if key == "path" else _CLASS).fullmatch(name) or (mark and not instance.strip()):
            continue
        if has_marks or "." in name or name[0].isupper():
            return Identity(name, instance if mark else None, entry.value.span)
    return None


#: Items of a list are named by their class, which is then sought among them; in longer lists by their number.
_LONG = 64


class ComponentReader:
    """Translates one file. `sites` come in the order of the file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.diagnostics: list[Diagnostic] = []
        self.sites: list[Site] = []

    def error(self, code: str, message: str, span: Span, label: str = "", help: str = "", *other: Secondary) -> None:
        self.diagnostics.append(Diagnostic(code, message, span, label, help, secondary=other))

    def warn(self, code: str, message: str, span: Span, label: str = "", help: str = "") -> None:
        self.diagnostics.append(Diagnostic(code, message, span, label, help, "warning"))

    # -- expressions ----------------------------------------------------------------------------------------------------

    def expr(self, node: JsonNode, steps: tuple[Step, ...] = (), is_argument: bool = False) -> Expr:
        """`node` as an expression. `steps` lead to it; `is_argument`: it stands somewhere within a component's `args`."""
        match node:
            case JsonScalar(value, span):
                return Lit(value, span)
            case JsonArray():
                return self._list(node, steps, is_argument)
            case JsonObject():
                identity = identify(node, is_argument)
                if identity is not None:
                    return self._component(node, identity, steps)
                return self._data(node, steps, is_argument)

    def _list(self, node: JsonArray, steps: tuple[Step, ...], is_argument: bool) -> ListExpr:
        identities = [identify(item, is_argument) for item in node.items]
        total = Counter(identity.callee for identity in identities if identity is not None)
        seen: Counter[str] = Counter()
        items: list[Item] = []
        for index, (item, identity) in enumerate(zip(node.items, identities, strict=True)):
            here: tuple[Step, ...]
            if identity is None or not identity.is_plain or len(node.items) > _LONG:
                here = (IndexStep(Lit(index, item.span), item.span),)
            else:
                here = (NameStep(identity.callee, identity.span),)
                if total[identity.callee] > 1:
                    here = (*here, IndexStep(Lit(seen[identity.callee], identity.span), identity.span))
                seen[identity.callee] += 1
            items.append(Item(self.expr(item, steps + here, is_argument), None, item.span))
        return ListExpr(tuple(items), node.span)

    def _data(self, node: JsonObject, steps: tuple[Step, ...], is_argument: bool) -> DictExpr:
        entries = list(node)
        if not is_argument:
            self._check_nameless(node)
            entries = [entry for entry in entries if not self._is_off(entry) and entry.key not in ("search", "apply")]
            marks = [entry for entry in node if entry.key in ("search", "apply")]
            if marks and node.entry("ref") is not None:
                message, help = "a reference follows the component that it names", "search that component instead"
                self.error("AM201", message, marks[0].key_span, "not searchable here", help)
            elif marks:
                self.sites.append(Site(steps, node, node, "this object", False))
        values = [self.expr(entry.value, (*steps, NameStep(entry.key, entry.key_span)), is_argument) for entry in entries]
        keys = [entry.key for entry in entries]
        return DictExpr(tuple(zip(keys, values, strict=True)), tuple(entry.key_span for entry in entries), node.span)

    def _component(self, node: JsonObject, identity: Identity, steps: tuple[Step, ...]) -> Call:
        args_node = node.get("args")
        args = args_node if isinstance(args_node, JsonObject) else None
        if args_node is not None and args is None and not _is_null(args_node):
            message = f"`args` of `{identity.callee}` is {kind_of(args_node)}"
            self.error("AM201", message, args_node.span, "an object was expected", 'write `"args": {"name": value}`')
        self.sites.append(Site(steps, node, args, f"`{identity.callee}`", True))
        binds: list[Positional | Bind] = []
        for entry in args or ():
            if not entry.key.startswith("_"):
                step = NameStep(entry.key, entry.key_span)
                binds.append(_bind(step, self.expr(entry.value, (*steps, step), True)))
        for entry in node:
            if entry.key in COMPONENT_KEYS or self._is_off(entry):
                continue
            self._check_key(entry, node)
            attribute = AttrStep(entry.key, entry.key_span)
            binds.append(_bind(attribute, self.expr(entry.value, (*steps, attribute), True)))
        callee = identity.callee
        if not identity.is_plain and "." not in callee:  # a lower-case class: `component("myNet", ...)`
            binds.insert(0, Positional(Lit(callee, identity.span), None, identity.span))
            callee = "component"
        return Call(callee, tuple(binds), identity.span, node.span, identity.instance)

    # -- keys -----------------------------------------------------------------------------------------------------------

    def _is_off(self, entry: JsonEntry) -> bool:
        """Keys that start with `_` are switched off. One that looks like a slip of `__search` is worth a word."""
        if not entry.key.startswith("_"):
            return False
        word = misspelt(entry.key.strip("_"), ("search", "apply", "args"))
        if word is not None:
            label, help = "ignored", f"did you mean `__{word}`?"
            self.warn("AM208", f"`{entry.key}` is ignored because it starts with `_`", entry.key_span, label, help)
        return True

    def _check_key(self, entry: JsonEntry, node: JsonObject) -> None:
        absent = [word for word in ("args", "name", "path") if node.entry(word) is None]
        word = misspelt(entry.key, ("search", "apply", *absent))
        if word is not None:
            self.error("AM208", f"`{entry.key}` is not a key of a component", entry.key_span, "misspelt", f"did you mean `{word}`?")

    def _check_nameless(self, node: JsonObject) -> None:
        """An object with `args` is meant as a component; one with a slip of `search` is meant to be searched."""
        for entry in node:
            word = misspelt(entry.key, ("search", "apply"))
            if word is not None and not entry.key.startswith("_"):
                self.error("AM208", f"`{entry.key}` looks like a misspelt `{word}`", entry.key_span, "misspelt", f"write `{word}`")
        args = node.entry("args")
        if args is None or not isinstance(args.value, JsonObject):
            return
        for key in ("path", "name"):
            entry_ = node.entry(key)
            if entry_ is not None:
                example = 'a dotted class such as `"myPackage.MyClass"`' if key == "path" else 'a class name such as `"UNet"`'
                self.error("AM201", f"`{key}` does not name a class", entry_.value.span, "not a class", f"write {example}")
                return
        for entry in node:
            word = misspelt(entry.key, ("name", "path"))
            if word is not None:
                self.error(
                    "AM208", f"`{entry.key}` is not a key of a component", entry.key_span, "misspelt", f"did you mean `{word}`?"
                )
                return
        self.error("AM201", "this component has no `name`", args.key_span, "arguments of what?", 'add `"name": "ClassName"`')


def _is_null(node: JsonNode) -> bool:
    return isinstance(node, JsonScalar) and node.value is None


def _bind(step: NameStep | AttrStep, value: Expr) -> Bind:
    return Bind((Path((step,), step.span),), value, False, None, None, (), None, step.span.to(value.span))
