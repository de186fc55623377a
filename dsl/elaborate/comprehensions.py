"""Comprehensions that build components: `[C(k ~ 1..3) for i in 0..n - 1]`. Each item is a place, so the list is written out.

How long it is may depend on anything that a higher layer still changes. So all layers are read once without the lists that are not
written out, their lengths are told from that tree (`counting.py`), and the layers are read again, until nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from .. import ast
from ..source import Span
from .tree import Binding, Fault, Leaf, Names, Scope, Slot

MAX_ITEMS = 100_000

#: Names that a program cannot write: what the guards of the items read from outside the comprehension.
FIRST, LAST, VALUES, PRESENT, CONDITION = " first", " last", " values", " present", " condition"

#: The comprehension and the `def`s and items that it is stamped in.
Key: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Element:
    """One turn of a comprehension. `value` is read outside, `guard` where the variable and the hidden names are known.

    `body`: what is built, of `A() if i == 0 else B()` the branch that is taken in this turn; None: as it is written.
    """

    value: ast.Expr
    guard: ast.Expr | None = None
    body: ast.Expr | None = None


@dataclass(frozen=True, slots=True)
class Turns:
    """What a comprehension goes through at most. `hidden`: expressions of outside, for the guards and values."""

    elements: tuple[Element, ...]
    hidden: tuple[tuple[str, ast.Expr], ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A comprehension where it stands."""

    expr: ast.Comprehension
    scope: Scope | None
    home: Slot | None


@dataclass(slots=True)
class Lists:
    """The comprehensions of one program. `known`: from the reading before; None: it waits for another one."""

    known: dict[Key, Turns | Fault | None] = field(default_factory=dict)
    met: dict[Key, Wanted] = field(default_factory=dict)
    #: the layers are read for the last time
    is_final: bool = False

    def turns(self, key: Key, wanted: Wanted) -> Turns | None:
        self.met.setdefault(key, wanted)
        found = self.known.get(key)
        return found if isinstance(found, Turns) else None

    def faults(self) -> list[Fault]:
        return [found for key in self.met if isinstance(found := self.known.get(key), Fault)]


def written_out(expr: ast.Comprehension) -> Turns | None:
    """The turns over literal bounds, or over a list in brackets; None where the tree must be asked. Fault AM105 or AM303."""
    if expr.condition is not None or isinstance(expr.body, ast.IfElse):
        return None
    match expr.iterable:
        case ast.Range(ast.Lit(lo), ast.Lit(hi)) if type(lo) is int and type(hi) is int:
            return counted(lo, hi, expr.iterable)
        case ast.ListExpr() as values:
            return in_brackets(values)
        case _:
            return None


def counted(lo: int, hi: int, at: ast.Range) -> Turns:
    """The turns from `lo` to `hi`. `0..-1` has none; less than none is a mistake. Fault AM105 or AM303."""
    length_of(hi - lo + 1, at.span)
    if hi < lo - 1:
        raise empty(lo, hi, at)
    return Turns(tuple(Element(ast.Lit(number, at.span)) for number in range(lo, hi + 1)))


def empty(lo: int, hi: int, at: ast.Range) -> Fault:
    label = "the upper bound is below the lower"
    help = f"`{lo}..{lo - 1}` is the list without items" if lo > hi + 1 else ""
    return Fault("AM105", f"empty range {lo}..{hi}", at.span, label=label, help=help)


def length_of(count: int, span: Span) -> int:
    if count > MAX_ITEMS:
        raise Fault("AM303", f"a list holds at most {MAX_ITEMS} items", span)
    return count


def in_brackets(values: ast.ListExpr) -> Turns:
    """`for x in [a, b, c when d]`: any expressions, each item with its condition."""
    elements: list[Element] = []
    hidden: list[tuple[str, ast.Expr]] = []
    for number, item in enumerate(values.items):
        if isinstance(item.value, ast.Domain):
            message = "what a comprehension goes through is read by each item, and no place where it could be searched"
            raise Fault("AM199", message, item.span, help="search a `let`, and name it in the list")
        guard: ast.Expr | None = None
        if item.guard is not None:
            name = f"{PRESENT}{number}"
            hidden.append((name, item.guard))
            guard = ast.Name(name, item.guard.span)
        elements.append(Element(item.value, guard))
    return Turns(tuple(elements), tuple(hidden))


def outside(turns: Turns, scope: Scope | None) -> Scope | None:
    """The scope of the values that a comprehension goes through: the one around it, with the hidden names."""
    if not turns.hidden:
        return scope
    return Names({name: place_of(name, expr, scope) for name, expr in turns.hidden}, scope)


def place_of(name: str, expr: ast.Expr, scope: Scope | None) -> Slot:
    """A place off the tree, which holds an expression."""
    slot = Slot(name, expr.span)
    slot.binding = Binding(Leaf(expr, scope, slot), None, 0, None, scope, expr.span, -1)
    return slot


def both(first: ast.Expr | None, second: ast.Expr | None) -> ast.Expr | None:
    if first is None or second is None:
        return first if second is None else second
    return ast.Binary("and", first, second, second.span)
