"""MONAI's merging overrides: `"+key": value` puts a dict's entries over those that stand there, and adds a list's items.

As in `monai.bundle.ConfigParser`, only the first level is merged: an entry of an entry replaces the whole entry. A component is a
dict there, so its arguments, and its class by `_target_`, are entries of it.

Codes: AM116 kinds that do not go together, AM203 unknown argument.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..diagnostics import did_you_mean
from ..signatures import arguments
from ..source import Span
from .places import Places
from .tree import Comp, Fault, Map, Seq, Slot, Tree

#: MONAI's words beside the arguments of a component, and their names as attributes here.
ATTRIBUTES = {"_disabled_": "disabled", "_requires_": "requires", "_desc_": "desc", "_mode_": "mode"}


def merged(old: Tree | None, new: Tree, places: Places, span: Span, name: str) -> Tree:
    """What stands there afterwards: `old` itself, changed, where that can be."""
    match old, new:
        case Seq(items=items), Seq(items=added):
            items += added
            return old
        case Map(entries=entries), Map(entries=added):
            entries.update(added)
            return old
        case Map(entries=entries), Comp():
            new.args = {**entries, **new.args}
            _check(new, places, entries.values())
            return new
        case Comp(), Map(entries=added):
            for key, slot in added.items():
                attribute = ATTRIBUTES.get(key)
                (old.args if attribute is None else old.attrs)[attribute or key] = slot
            _check(old, places, [slot for key, slot in added.items() if key not in ATTRIBUTES])
            return old
        case Comp(), Comp():
            kept = [slot for key, slot in old.args.items() if key not in new.args]
            new.args, new.attrs = {**old.args, **new.args}, {**old.attrs, **new.attrs}
            _check(new, places, kept)
            return new
        case _:
            message = f"`+{name}` merges a dict into a dict or a list into a list"
            raise Fault("AM116", message, span, help=f"write `{name}` without the `+` to replace what stands there")


def _check(comp: Comp, places: Places, slots: Iterable[Slot]) -> None:
    """Fault AM203 for an argument that the class, as it is now, does not have."""
    for slot in slots:
        if places.has_argument(comp.cls, slot.name) is False:
            help = did_you_mean(slot.name, arguments(comp.cls) or ())
            message = f"`{slot.name}` is not an argument of `{comp.cls}`"
            raise Fault("AM203", message, slot.span, label="unknown argument", help=help)
