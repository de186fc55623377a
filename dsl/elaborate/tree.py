"""The layered tree: what is written at every place, before anything is computed.

    Module, Module, ... --(layers.py)--> this tree --(lower.py)--> IR configuration and parameters

A `Slot` is a place: a key, an argument, an attribute, a list item or a `let`. Its `Binding` is what the highest layer put there.
A `Site` is one search; several slots share a site when they are searched together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from .. import ast
from ..diagnostics import Diagnostic, Secondary, Severity
from ..source import Span


class Fault(Exception):
    """One mistake; it ends the work on the thing it is in, not the whole elaboration. With another severity it is a remark."""

    def __init__(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        label: str = "",
        help: str = "",
        severity: Severity = "error",
        secondary: tuple[Secondary, ...] = (),
    ) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(code, message, span, label, help, severity, secondary)


class Echo(Fault):
    """Something reads a list whose length could not be told; that has a diagnostic of its own."""

    def __init__(self, span: Span) -> None:
        super().__init__("AM110", "the length of this list is not known", span)


def later(what: str, span: Span) -> Fault:
    """The fault of a construct that edition 1 has and this version does not carry out."""
    return Fault("AM199", f"{what} is not supported yet", span)


# -- scopes -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Section:
    """Names are sought below `prefix` first."""

    prefix: ast.Path
    parent: Scope | None


@dataclass(frozen=True, slots=True)
class Names:
    """Local `let`s of a constructor, the arguments of a `def`, an unrolled comprehension's variable."""

    slots: dict[str, Slot]
    parent: Scope | None


@dataclass(frozen=True, slots=True)
class Variable:
    """A comprehension's variable that is known per trial only."""

    name: str
    parent: Scope | None


Scope: TypeAlias = Section | Names | Variable

# -- values -----------------------------------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class Leaf:
    """An expression that builds no structure. `home`: the slot it stands in, which its bare names never mean."""

    expr: ast.Expr
    scope: Scope | None
    home: Slot | None


@dataclass(eq=False, slots=True)
class Comp:
    cls: str
    instance: str | None
    args: dict[str, Slot]
    attrs: dict[str, Slot]
    lets: dict[str, Slot]
    span: Span
    callee_span: Span

    @property
    def short(self) -> str:
        """The class name without its module."""
        return self.cls.rpartition(".")[2]


@dataclass(eq=False, slots=True)
class Seq:
    items: list[Slot]
    span: Span
    #: how many items a comprehension makes is not known yet, or never
    is_unknown: bool = False


@dataclass(eq=False, slots=True)
class Map:
    entries: dict[str, Slot]
    span: Span
    #: made by paths; at the top: there is no base, so paths create what they name
    open: bool = False


Tree: TypeAlias = Leaf | Comp | Seq | Map


@dataclass(eq=False, slots=True)
class RangeTree:
    """A range among the alternatives of a site."""

    range: ast.Range
    scope: Scope | None


@dataclass(eq=False, slots=True)
class Alternative:
    """One alternative: a range for all targets, or one tree per target."""

    values: tuple[Tree | RangeTree, ...]
    span: Span


@dataclass(eq=False, slots=True)
class Site:
    """One search. `slots`: its targets as written; one that was overridden later no longer points back here."""

    slots: list[Slot]
    domain: ast.Domain
    scope: Scope | None
    tags: tuple[str, ...]
    span: Span
    #: a `let`'s parameter names itself and is no configuration key
    is_let: bool
    #: an inherited value is the baseline even when it lies outside the domain (the legacy reader's rule)
    keep_baseline: bool = False
    alternatives: list[Alternative] | None = None

    def attached(self) -> list[tuple[int, Slot]]:
        """Position and slot of every target that this search still decides."""
        return [(at, slot) for at, slot in enumerate(self.slots) if any(b.site is self for b in slot.chain())]

    def binding_of(self, slot: Slot) -> Binding:
        """The binding at `slot` that is this search."""
        return next(binding for binding in slot.chain() if binding.site is self)


@dataclass(eq=False, slots=True)
class Binding:
    """`value`: the fixed value, or the baseline of a search. `below`: what stands here where `guard` fails."""

    value: Tree | None
    site: Site | None
    position: int
    guard: ast.Expr | None
    scope: Scope | None
    span: Span
    layer: int
    below: Binding | None = None
    #: the baseline was written (`x = 0.3 ~ ...`), not inherited
    given: bool = False
    #: what a fixed value overrode: a plain reader of a parameter keeps it for the baseline trial
    inherited: Tree | None = None

    def alternatives(self) -> list[Tree | RangeTree]:
        """What its search may put here; [] of a fixed value."""
        found = self.site.alternatives or [] if self.site is not None else []
        return [each.values[min(self.position, len(each.values) - 1)] for each in found]


@dataclass(frozen=True, slots=True)
class Parent:
    """Where a slot hangs: in `binding` of `slot`, inside alternative number `alternative` of its search."""

    slot: Slot
    binding: Binding
    alternative: int | None
    component: Comp | None


@dataclass(eq=False, slots=True)
class Slot:
    """A place. `path` is its name for people, `id` the same with the alternatives it lies in; both set by `paths.assign`."""

    name: str
    span: Span
    binding: Binding | None = None
    path: str = ""
    id: str = ""
    #: the id of what it hangs in
    base: str = ""
    parent: Parent | None = None
    is_let: bool = False

    def chain(self) -> Iterator[Binding]:
        """Its binding and what each guard uncovers, highest first."""
        binding = self.binding
        while binding is not None:
            yield binding
            binding = binding.below

    def standing(self) -> list[Tree]:
        """Every value and alternative that it can have, ranges left out."""
        out: list[Tree] = []
        for binding in self.chain():
            out += [] if binding.value is None else [binding.value]
            out += [tree for tree in binding.alternatives() if not isinstance(tree, RangeTree)]
        return out
