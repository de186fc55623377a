"""References of a MONAI bundle, `"@train#dataset"` and `"%train#handlers"`: what a run reads must stand somewhere.

As MONAI does, only what the ids of the run lead to is resolved: a reference that nothing reads is no mistake. What an expression
or another file gives cannot be looked into.

Codes: AM222 a reference to nothing; see `embedded_python.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .. import ast
from ..diagnostics import Hints
from ..source import Span
from .embedded_python import of_bundle
from .merge import ATTRIBUTES
from .tree import Comp, Fault, Leaf, Map, Seq, Slot, Tree

_REFERENCE = re.compile(r"@(?:\w*)(?:::\w*)*")
_RELATIVE = re.compile(r"^([@%])((?:::)+)(.*)$", re.S)
_FILE = re.compile(r".*\.(json|yaml|yml)(::|$)", re.I | re.S)
#: The metadata, which MONAI reads beside the configuration.
_META = "_meta_"

Id = tuple[str, ...]


class _Unknown(Exception):
    """What stands there is known only when it is evaluated."""


class _Missing(Exception):
    """`at`: the first part of the id that is not there; `known`: those that are."""

    def __init__(self, at: int, known: Iterable[str]) -> None:
        self.at, self.known = at, list(known)


def dangling_ids(root: Map, starts: Iterable[str]) -> Iterator[Fault]:
    """A fault for each reference to nothing, and each expression that is none.

    Looked at is what the ids `starts` lead to, those of them that are there.
    """
    hints = Hints()
    waiting: list[Id] = [(start,) for start in starts if start in root.entries]
    seen: set[Id] = set(waiting)
    told: set[tuple[Span, Id]] = set()
    while waiting:
        id = waiting.pop()
        for tree in _found(root, id):
            for literal, at in _texts(tree, id):
                span = literal.span
                fault = of_bundle(literal)
                if fault is not None and (span, ()) not in told:
                    told.add((span, ()))
                    yield fault
                for target in _targets(str(literal.value).replace("#", "::"), at):
                    try:
                        _found(root, target)
                    except _Unknown:
                        continue
                    except _Missing as missing:
                        if (span, target) not in told:
                            told.add((span, target))
                            yield _fault(target, missing, span, hints)
                        continue
                    if target not in seen:
                        seen.add(target)
                        waiting.append(target)


def _fault(id: Id, missing: _Missing, span: Span, hints: Hints) -> Fault:
    name, before = id[missing.at], id[: missing.at]
    message = f"`@{'#'.join(id)}` refers to nothing: there is no `{name}`" + (f" in `{'#'.join(before)}`" if before else "")
    help = hints.did_you_mean(name, lambda: missing.known)
    return Fault("AM222", message, span, label="refers to nothing", help=help)


def _found(root: Map, id: Id) -> list[Tree]:
    """What stands at `id`, in all alternatives. _Missing, or _Unknown where that shows only later."""
    if id[0] == _META:
        return []
    trees: list[Tree] = [root]
    for at, part in enumerate(id):
        slots = [slot for tree in trees for slot in _inside(tree, part)]
        if not slots:
            if any(isinstance(tree, Leaf) and _is_later(tree) for tree in trees):
                raise _Unknown
            raise _Missing(at, [name for tree in trees for name in _names(tree)])
        trees = [tree for slot in slots for tree in slot.standing()]
    return trees


def _is_later(leaf: Leaf) -> bool:
    """Whether a value that builds no structure may turn out to be one: computed, or a copy of something (`%`)."""
    match leaf.expr:
        case ast.Lit(str() as text):
            return text.startswith("%")
        case ast.Lit():
            return False
        case _:
            return True


def _inside(tree: Tree, part: str) -> list[Slot]:
    match tree:
        case Map(entries=entries):
            return [entries[part]] if part in entries else []
        case Comp(args=args, attrs=attrs):
            name = ATTRIBUTES.get(part)
            if name is not None:
                return [attrs[name]] if name in attrs else []
            return [args[part]] if part in args else []
        case Seq(is_unknown=True):
            raise _Unknown
        case Seq(items=items):
            return [items[int(part)]] if part.isdecimal() and int(part) < len(items) else []
        case _:
            return []


def _names(tree: Tree) -> list[str]:
    match tree:
        case Map(entries=entries):
            return list(entries)
        case Comp(args=args):
            return list(args)
        case _:
            return []


def _texts(tree: Tree, id: Id) -> Iterator[tuple[ast.Lit, Id]]:
    """Every text in `tree`, which stands at `id`, with the id that it has itself."""
    match tree:
        case Leaf(expr=ast.Lit(str()) as literal):
            yield literal, id
        case Map(entries=entries):
            children = list(entries.items())
        case Comp(args=args, attrs=attrs):
            children = [*args.items(), *attrs.items()]
        case Seq(items=items):
            children = [(str(index), item) for index, item in enumerate(items)]
        case _:
            pass
    if isinstance(tree, Leaf):
        return
    for name, slot in children:
        for child in slot.standing():
            yield from _texts(child, (*id, name))


def _targets(text: str, id: Id) -> Iterator[Id]:
    if text.startswith("%"):
        whole = _absolute(text, id)
        if not _FILE.match(text) and whole:
            yield whole
        return
    found = _REFERENCE.findall(text)
    for item in found:
        if text.startswith("$") or text == item:
            target = _absolute(item, id)
            if target:
                yield target


def _absolute(text: str, id: Id) -> Id:
    """`@a::b` as ("a", "b"); `@::b` is beside what stands at `id`, `@::::b` one level above. () for no id."""
    relative = _RELATIVE.match(text)
    if relative is None:
        parts = text[1:].split("::")
    else:
        levels = len(relative[2]) // 2
        if levels > len(id):
            return ()
        parts = [*id[: len(id) - levels], *relative[3].split("::")]
    return tuple(parts) if all(parts) else ()
