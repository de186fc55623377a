"""Which transforms read the files of a data list's items, and after which of them an item is no longer what the list says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from automl_run.dsl.signatures import is_known

_LOADERS: Final = frozenset({"LoadImaged", "LoadImageD", "LoadImageDict"})
#: Those that may put something under a key that the list has not, by how their names begin. MONAI's others change what is there.
_MAKERS: Final = (
    "ConcatItems",
    "CopyItems",
    "DeleteItems",
    "ExtractDataKey",
    "FlattenSubKeys",
    "Lambda",
    "RandLambda",
    "SelectItems",
    "SplitDim",
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The keys of an item whose files are read; `needed`: those of them that every item must have."""

    keys: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A transform: its class, and the keys that it is known to read, None for a loader whose keys cannot be told.

    `lenient`: an item may lack them.
    """

    cls: str
    keys: tuple[str, ...] | None = ()
    lenient: bool = False


def is_loader(cls: str) -> bool:
    return cls.rpartition(".")[2] in _LOADERS


def loaded(chain: Iterable[Step]) -> Loaded:
    """Of the transforms that a dataset applies, in their order; what follows a class of the user's may read anything."""
    keys: dict[str, None] = {}
    needed: dict[str, None] = {}
    is_as_listed = True
    for step in chain:
        if not is_loader(step.cls):
            short = step.cls.rpartition(".")[2]
            is_as_listed &= is_known(step.cls) and not short.startswith(_MAKERS)
            continue
        keys.update(dict.fromkeys(step.keys or ()))
        if is_as_listed and not step.lenient:
            needed.update(dict.fromkeys(step.keys or ()))
    return Loaded(tuple(keys), tuple(needed))


def keys_of(value: object) -> tuple[str, ...] | None:
    """The argument `keys` of a transform; None where it is a reference or an expression."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        return None
    return None if any(name[:1] in ("@", "#", "$", "%") for name in names) else tuple(names)
