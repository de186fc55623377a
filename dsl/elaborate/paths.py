"""The names of places: `train.model.depth` for people, `train.model[UNet].depth` as identity."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable

from .places import Places, component_of
from .tree import Binding, Comp, Leaf, Map, Parent, RangeTree, Seq, Slot, Tree

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def assign(places: Places) -> None:
    """Give every slot its path, its id and its parent."""
    for key, slot in places.root.entries.items():
        _slot(slot, "", "", key_text("", key), None)
    for (section, name), slot in places.lets.items():
        prefix = ".".join(section).replace(".[", "[")
        _slot(slot, prefix, prefix, key_text(prefix, name), None)


def group_id(slots: Iterable[Slot]) -> str:
    """The id of a search over `slots`: the place itself, or `model.(a,b)` for several."""
    found = list(slots)
    if len(found) == 1:
        return found[0].id
    bases = {slot.base for slot in found}
    if len(bases) > 1:
        return f"({','.join(slot.id for slot in found)})"
    base = bases.pop()
    names = ",".join(slot.id[len(base) :].removeprefix(".") for slot in found)
    return f"{base}.({names})" if base else f"({names})"


def branch_suffix(slot: Slot, binding: Binding) -> str:
    """Branches that exclude each other share a path; the searches of the second and later ones need ids of their own."""
    searches = [other for other in slot.chain() if other.site is not None]
    number = 0 if binding not in searches else len(searches) - 1 - searches.index(binding)
    return f"[{number}]" if number else ""


def structure_label(alternatives: list[Tree | RangeTree], at: int) -> str:
    """What alternative number `at` is called in ids: its class, `U[1]` among several of one class, else its number."""
    tree = alternatives[at]
    if not isinstance(tree, Comp):
        return str(at)
    same = [index for index, other in enumerate(alternatives) if isinstance(other, Comp) and other.short == tree.short]
    return tree.short if len(same) == 1 else f"{tree.short}[{same.index(at)}]"


def key_text(base: str, key: str) -> str:
    """`key` as it is added to the id or path `base`."""
    if not _PLAIN.fullmatch(key):
        return f"[{json.dumps(key, ensure_ascii=False)}]"
    return f".{key}" if base else key


def _slot(slot: Slot, path: str, id: str, step: str, parent: Parent | None) -> None:
    slot.path, slot.id, slot.base, slot.parent = path + step, id + step, id, parent
    for binding in slot.chain():
        branch = slot.id + branch_suffix(slot, binding)
        if binding.site is None:
            if binding.value is not None:
                _tree(binding.value, slot.path, slot.id, Parent(slot, binding, None, None))
            continue
        trees = binding.alternatives()
        for at, tree in enumerate(trees):
            if not isinstance(tree, RangeTree):
                _tree(tree, slot.path, f"{branch}[{structure_label(trees, at)}]", Parent(slot, binding, at, None))


def _tree(tree: Tree, path: str, id: str, parent: Parent) -> None:
    match tree:
        case Map(entries=entries):
            for key, slot in entries.items():
                _slot(slot, path, id, key_text(path, key), parent)
        case Comp(args=args, attrs=attrs, lets=lets):
            inside = Parent(parent.slot, parent.binding, parent.alternative, tree)
            for name, slot in (*lets.items(), *args.items()):
                _slot(slot, path, id, key_text(path, name), inside)
            for name, slot in attrs.items():
                _slot(slot, path, id, f".@{name}", parent)
        case Seq(items=items):
            for step, item in zip(_item_names(items), items, strict=True):
                _slot(item, path, id, step, parent)
        case Leaf():
            pass


def _item_names(items: list[Slot]) -> list[str]:
    """By class name while that says which; the same rule as `Places` finds them by."""
    components = [component_of(item) for item in items]
    exact = Counter(comp.cls for comp in components if comp is not None)
    short = Counter(comp.short for comp in components if comp is not None)
    seen: Counter[str] = Counter()
    out: list[str] = []
    for at, comp in enumerate(components):
        if comp is None:
            out.append(f"[{at}]")
        elif comp.instance is not None:
            out.append(f"[{json.dumps(comp.instance)}]")
        elif comp.cls == comp.short and exact[comp.cls] > 1:
            out.append(f".{comp.cls}[{seen[comp.cls]}]")
        elif short[comp.short] == 1:
            out.append(f".{comp.short}")
        elif comp.cls == comp.short:
            out.append(f".{comp.cls}")
        else:
            out.append(f"[{at}]")
        if comp is not None:
            seen[comp.cls] += 1
    return out
