"""The vocabulary of a measurement: a case, the contenders that take turns at it, and the rows that come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np
import numpy.typing as npt

from .goals import NOT_SLOWER, Goal
from .peers import find

MONAI, LAZY, TORCH, FLOOR = "MONAI", "MONAI lazy", "torch by hand", "copy floor"
OURS, PLAIN, FAST = "ours", "ours, plain tensor", "ours, fast noise"
#: The contenders that are ours, in the order of their rows.
SUBJECTS = (OURS, PLAIN, FAST)

Arrays = list[npt.NDArray[np.generic]]
#: (a contender's result, MONAI's result) -> what is wrong with it, "" if nothing is
Check = Callable[[Arrays, Arrays], str]


def nothing(turn: int) -> None:
    """Prepares nothing."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do the work of a case.

    `call(turn)` does it once, on sources that were not used for a while, and returns a result of its own: one array, or several
    (image, label), or a mapping with `image` and `label`. `prepare(turn)` runs before it and is not timed: seeds. `check` compares
    its first result with MONAI's.
    """

    name: str
    call: Callable[[int], object]
    check: Check
    prepare: Callable[[int], None] = nothing


@dataclass(slots=True)
class Case:
    """All contenders of one case on one number of threads; the first one, MONAI, is what the others are checked against."""

    read_bytes: int  #: what has to be read at least; 0 for a case without a copy floor
    contenders: list[Contender] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)  #: contender -> why it does not take part
    rounds: int | None = None  #: where the usual number would take too long
    close: Callable[[], None] | None = None
    floor: Contender | None = None  #: in place of the copy, where another bound says more

    def add(self, name: str, call: Callable[[int], object], check: Check, prepare: Callable[[int], None] = nothing) -> None:
        """A contender."""
        self.contenders.append(Contender(name, call, check, prepare))

    def peer(self, name: str, make: Callable[[ModuleType], Callable[[int], object]], check: Check) -> None:
        """A contender that another library makes, where that is installed and can do it."""
        module, why = find(name)
        if module is None:
            self.missing[name] = why
            return
        try:
            self.contenders.append(Contender(name, make(module), check))
        except Exception as error:  # another release of a library may lack what is called here; the others still measure
            self.missing[name] = f"{type(error).__name__}: {error}".splitlines()[0]


@dataclass(frozen=True, slots=True)
class Spec:
    """A case before it is made: `build(threads)` makes its volumes and contenders."""

    name: str
    group: str
    build: Callable[[int], Case]
    goals: dict[str, Goal] = field(default_factory=dict)  #: by subject
    quick: bool = False  #: part of --quick
    gpu: bool = False

    def goal(self, subject: str) -> Goal:
        return self.goals.get(subject, NOT_SLOWER)
