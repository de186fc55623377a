"""The syntax tree of a program. Both readers make it: the `.automl` parser and the legacy JSON reader.

    text -> (lark) -> this tree -> (elaborate) -> Program
    JSON -> (legacy) ----^

A configuration is a `Source`'s worth of bindings; a component is a `Call`; a searched value is a `Bind` with a `search`.
Every node carries the place it was written at, so that the elaborator can point into either language.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .source import Span

# -- expressions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lit:
    """null, true, 3, 0.5, "text". An int literal stays an int: `1..3` and `1.0..3.0` are different ranges."""

    value: None | bool | int | float | str
    span: Span


@dataclass(frozen=True, slots=True)
class Quantity:
    """`12h`, `20GiB`, `1.5mm`: `value` as written and its unit."""

    value: float
    unit: str
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    id: str
    span: Span


@dataclass(frozen=True, slots=True)
class Attr:
    """`base.name`"""

    base: Expr
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Meta:
    """`base.@name`: an attribute of a component that is not an argument, such as `@disabled`. `name` has no `@`."""

    base: Expr
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Index:
    base: Expr
    index: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Unary:
    op: Literal["-", "not"]
    operand: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    """op: + - * / // % ** and or"""

    op: str
    left: Expr
    right: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Compare:
    """`a < b <= c`: first = a, rest = (("<", b), ("<=", c)). ops: == != < <= > >= in, not in, is, is not."""

    first: Expr
    rest: tuple[tuple[str, Expr], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class IfElse:
    """`then if condition else otherwise`"""

    condition: Expr
    then: Expr
    otherwise: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Item:
    """A list item: a value or a search, with an optional `when` guard. `given`: the baseline of a search, `0.5 ~ 0.0..1.0`."""

    value: Expr | Domain
    guard: Expr | None
    span: Span
    given: Expr | None = None


@dataclass(frozen=True, slots=True)
class ListExpr:
    items: tuple[Item, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Comprehension:
    """`[body for name in iterable if condition]`"""

    body: Expr
    name: str
    iterable: Expr | Range
    condition: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class TupleExpr:
    items: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class DictExpr:
    """Entries in order; `key_spans` beside them. Keys are unique (the readers check it)."""

    entries: tuple[tuple[str, Expr], ...]
    key_spans: tuple[Span, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Positional:
    value: Expr
    guard: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """`Callee(...)`. Upper-case or dotted: a component; lower-case: a built-in function or a `def`.

    `instance` is the name of a legacy component `Scale#Mine`. Named arguments are `Bind`s whose path has one step (an
    `AttrStep` for `@disabled = true`); `Let` is a helper that is not an argument.
    """

    callee: str
    args: tuple[Positional | Bind | Let, ...]
    callee_span: Span
    span: Span
    instance: str | None = None


Expr: TypeAlias = (
    Lit
    | Quantity
    | Name
    | Attr
    | Meta
    | Index
    | Unary
    | Binary
    | Compare
    | IfElse
    | ListExpr
    | Comprehension
    | TupleExpr
    | DictExpr
    | Call
)

# -- domains ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepSize:
    """`step 32` (kind "add") or `step *2` (kind "mul")."""

    kind: Literal["add", "mul"]
    size: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Range:
    """`lo..hi`, inclusive, with an optional `log` scale and step."""

    lo: Expr
    hi: Expr
    scale: Literal["linear", "log"]
    step: StepSize | None
    span: Span


@dataclass(frozen=True, slots=True)
class Domain:
    """`alt | alt | ...`; a lone range is a domain with one alternative."""

    alternatives: tuple[Range | Expr, ...]
    span: Span


# -- statements -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NameStep:
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class AttrStep:
    """`@name` without the `@`."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class IndexStep:
    """`[0]`, or `["any key"]`."""

    index: Expr
    span: Span


Step: TypeAlias = NameStep | AttrStep | IndexStep


@dataclass(frozen=True, slots=True)
class Path:
    steps: tuple[Step, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Bind:
    """`targets = given ~ search @tag when guard`; `append` marks `+=`, `before` its place.

    One target, or several for a grouped search. `tags` name the label (`@lr`, `@net`, `@transform`, any).
    """

    targets: tuple[Path, ...]
    given: Expr | None
    append: bool
    before: Expr | None
    search: Domain | None
    tags: tuple[str, ...]
    guard: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Let:
    bind: Bind
    span: Span


@dataclass(frozen=True, slots=True)
class Def:
    name: str
    params: tuple[str, ...] | None
    body: Domain
    span: Span


@dataclass(frozen=True, slots=True)
class Require:
    condition: Expr
    reason: str
    span: Span


@dataclass(frozen=True, slots=True)
class Ensure:
    condition: Expr
    reason: str
    span: Span


@dataclass(frozen=True, slots=True)
class Objective:
    direction: Literal["maximize", "minimize"]
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Use:
    path: str
    span: Span


@dataclass(frozen=True, slots=True)
class Section:
    """`path label { body }`: a prefix for the paths in it, or `study "name" { ... }` and `phase NAME { ... }`."""

    path: Path
    label: str | None
    body: tuple[Statement, ...]
    span: Span


Statement: TypeAlias = Bind | Let | Def | Require | Ensure | Objective | Use | Section


@dataclass(frozen=True, slots=True)
class Module:
    """One file. `edition` is None for text without the `automl N` line (allowed in `parse(text)`)."""

    file: str
    edition: int | None
    body: tuple[Statement, ...]
