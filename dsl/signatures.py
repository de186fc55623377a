"""Which arguments a component class takes, from a table that was made beforehand: neither torch nor monai is imported.

`signatures.json` (made by `make_signatures.py`) maps a class name to one entry for each different class of that name: the modules
it is in, and its parameters as one text, `name`, `!` if it is required, `:` and the literal kinds its annotation allows (b bool,
i int, f float, s str, n None; no letters: anything), `**` if any other name is taken. A name that the table lacks is accepted:
own classes and other libraries are none of its business; the elaborator notes it (AM131).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from .diagnostics import nearest
from .old_names import OF_CLASSIC_CONFIGS, OLD_ARGUMENTS, OLD_CLASSES, OldClass

Kind = Literal["bool", "int", "float", "str", "None", "other"]

_KINDS: dict[str, Kind] = {"b": "bool", "i": "int", "f": "float", "s": "str", "n": "None"}

#: Clara's own parts of a study, which the engine does itself.
ENGINE_CLASSES = frozenset({"MMARExecutor", "MMARHandler", "MMARStatsHandler", "ReinforcementController"})

#: Our kernels stand in for classes of MONAI. A bare name means MONAI's class; a kernel that the table lacks takes its arguments.
KERNELS = "automl_run.kernels"
_STANDS_FOR = "monai.transforms"

#: Arguments that their class demands and the training supplies where a config leaves them out.
SUPPLIED = {
    "monai.engines": frozenset(
        {"device", "max_epochs", "train_data_loader", "val_data_loader", "network", "optimizer", "loss_function"}
    ),
    "monai.data": frozenset({"data", "dataset", "transform", "cache_dir"}),
    "torch.utils.data": frozenset({"dataset"}),
    "torch.optim": frozenset({"params"}),
    "torch.optim.lr_scheduler": frozenset({"optimizer"}),
    "monai.optimizers": frozenset({"params", "optimizer"}),
    "monai.handlers": frozenset({"lr_scheduler", "validator"}),
}


#: A class this like a known one is probably a slip; own classes are often called a little like others.
_LIKE = 0.8


@dataclass(frozen=True, slots=True)
class Parameter:
    """`kinds` () allows anything."""

    name: str
    required: bool
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """`open`: names beside `parameters` are accepted as well (`**kwargs`)."""

    modules: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    open: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)


@dataclass(frozen=True, slots=True)
class Problem:
    """`kind` "unknown": `name` is no argument, `suggestion` is the nearest one. "missing": the required `name` is not given."""

    kind: Literal["unknown", "missing"]
    name: str
    suggestion: str | None = None


class _Table:
    def __init__(self, text: str) -> None:
        data = json.loads(text)
        self.modules: tuple[str, ...] = tuple(data["modules"])
        self.versions: dict[str, str] = data["versions"]
        self.classes: dict[str, list[list[object]]] = data["classes"]


@lru_cache(maxsize=1)
def _table() -> _Table:
    return _Table(files("automl_run.dsl").joinpath("signatures.json").read_text(encoding="utf-8"))


def _parse(text: str, modules: tuple[str, ...]) -> Signature:
    supplied = frozenset().union(*(SUPPLIED.get(module, frozenset()) for module in modules))
    parameters: list[Parameter] = []
    for part in text.split():
        if part == "**":
            continue
        name, _, letters = part.partition(":")
        required = name.endswith("!")
        name = name.removesuffix("!")
        parameters.append(Parameter(name, required and name not in supplied, tuple(_KINDS[letter] for letter in letters)))
    return Signature(modules, tuple(parameters), "**" in text.split())


@lru_cache(maxsize=512)
def signatures(cls: str) -> tuple[Signature, ...]:
    """All classes that `cls` can mean, () when none is known. A dotted name means the class of that module only."""
    module, _, name = cls.rpartition(".")
    old = OLD_CLASSES.get(name) if not module else None
    was = () if old is None else (_parse(old.takes, ("",)),)
    return (*_today(module, name), *was)


def _today(module: str, name: str) -> tuple[Signature, ...]:
    table = _table()
    out: list[Signature] = []
    ours: list[Signature] = []
    for indices, text in table.classes.get(name, ()):
        assert isinstance(indices, list)
        assert isinstance(text, str)
        modules = tuple(table.modules[index] for index in indices)
        if not module or any(_is_within(module, known) for known in modules):
            (ours if modules == (KERNELS,) else out).append(_parse(text, modules))
    if not out and not ours and _is_within(module, KERNELS):
        return _today(_STANDS_FOR, name)
    return tuple(out or ours)


def old_class(cls: str, given: Collection[str]) -> OldClass | None:
    """The old class that `cls` means with the arguments `given`; None for one of today.

    A name that is one of today, too (`Dice`), means that one unless an argument is only the old one's.
    """
    row = OLD_CLASSES.get(cls)
    if row is None:
        return None
    today = {name for signature in _today("", cls) for name in signature.names}
    is_today = bool(_today("", cls)) and not any(name in row.arguments and name not in today for name in given)
    return None if is_today else row


def _is_within(module: str, known: str) -> bool:
    return module == known or module.startswith(f"{known}.")


def is_qualified(cls: str) -> bool:
    """Whether `cls` says by itself that it is a class of the table's libraries: `torch.optim.Adam`."""
    return cls.startswith(("monai.", "torch.", "ignite.", f"{KERNELS}."))


def is_known(cls: str) -> bool:
    """Whether `cls` is a class of the table, one that the training translates, or a part of the engine."""
    return bool(signatures(cls)) or cls in ENGINE_CLASSES or cls in OF_CLASSIC_CONFIGS


def library_versions() -> dict[str, str]:
    """The versions that the table was made from."""
    return dict(_table().versions)


def classes() -> tuple[str, ...]:
    """The names of all classes in the table."""
    return (*_table().classes, *OLD_CLASSES)


@lru_cache(maxsize=1024)
def similar_class(name: str) -> str | None:
    """The class of the table that `name` was probably meant to be, or None."""
    return nearest(name, classes(), _LIKE)


def renamed(cls: str, name: str) -> tuple[bool, str | None]:
    """Whether `name` is an old argument of `cls`, and today's name for it (None: it does nothing any more)."""
    known = {parameter for signature in signatures(cls) for parameter in signature.names}
    if name in known:
        return False, None
    short = cls.rpartition(".")[2]
    for owners, old, new in OLD_ARGUMENTS:
        if old == name and (short in owners.split() or (owners == "*" and known and (new is None or new in known))):
            return True, new
    return False, None


def arguments(cls: str) -> tuple[str, ...] | None:
    """The argument names of `cls` for suggestions, None where the class is not known."""
    found = signatures(cls)
    return tuple(dict.fromkeys(name for signature in found for name in signature.names)) if found else None


def has_argument(cls: str, name: str) -> bool | None:
    """None where nothing is known about the class. An old name counts, and any name for a class that takes all."""
    found = signatures(cls)
    if not found:
        return None
    return any(signature.open or name in signature.names for signature in found) or renamed(cls, name)[0]


def argument_kinds(cls: str, name: str) -> tuple[Kind, ...]:
    """The literal kinds that `name` may have by its annotation; () where it may be anything or nothing is known."""
    for signature in signatures(cls):
        for parameter in signature.parameters:
            if parameter.name == name:
                return parameter.kinds
    return ()


def check_args(cls: str, given: Iterable[str]) -> list[Problem]:
    """What is wrong with the argument names `given` for `cls`; [] for a class that is not known.

    Where several classes have the name, the arguments must fit one of them; else the problems with the nearest are told.
    """
    names = tuple(given)
    results = [_check(cls, signature, names) for signature in signatures(cls)]
    return min(results, key=len, default=[])


def _check(cls: str, signature: Signature, given: tuple[str, ...]) -> list[Problem]:
    problems: list[Problem] = []
    fulfilled = set(given)
    for name in given:
        if name in signature.names:
            continue
        is_old, new = renamed(cls, name)
        if is_old:
            fulfilled.update({new} if new is not None else ())
        elif not signature.open:
            problems.append(Problem("unknown", name, nearest(name, signature.names)))
    slips = {problem.suggestion for problem in problems}
    for parameter in signature.parameters:
        if parameter.required and parameter.name not in fulfilled and parameter.name not in slips:
            problems.append(Problem("missing", parameter.name))
    return problems
