"""How long the lists of comprehensions are: their bounds read from the tree of all layers, over the domains of parameters.

A list is written out to the largest length that a trial can have; an item that shorter trials lack is there `when` the bound of
the trial reaches it. Codes: AM104 (no whole number, no list), AM105 (empty), AM121 (a length that depends on itself), AM199, AM303.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .. import ast, ir
from ..source import Span
from .comprehensions import (
    FIRST,
    LAST,
    VALUES,
    Element,
    Lists,
    Turns,
    Wanted,
    both,
    counted,
    empty,
    in_brackets,
    length_of,
    outside,
    place_of,
)
from .domains import shown
from .expand import Expander
from .expressions import Expressions, Reading
from .logic import TRUE, Known
from .paths import assign
from .places import Places, chain
from .possible import interval, possible
from .sites import Sites
from .tree import Echo, Fault, Names, Scope, Seq, Slot

_MAX_TRIED = 100_000


def settle(lists: Lists, places: Places) -> bool:
    """Tell the lengths from `places`; false if they are not those that it was made with, so that it must be made again."""
    assign(places)
    reader = _Reader(Sites(Expressions(places), Expander(places, lists=Lists(is_final=True))))
    before = {key: repr(lists.known.get(key)) for key in lists.met}
    found: dict[tuple[int, ...], Turns | Fault | None] = {}
    for key, wanted in lists.met.items():
        try:
            found[key] = reader.turns(wanted)
        except Echo:
            found[key] = None
        except Fault as fault:
            found[key] = fault
    waiting = [key for key, turns in found.items() if turns is None]
    is_settled = all(repr(turns) == before[key] for key, turns in found.items())
    if is_settled and waiting and not any(isinstance(turns, Fault) for turns in found.values()):
        for key in waiting:
            found[key] = circular(lists.met[key])
    lists.known = found
    return is_settled


def circular(wanted: Wanted) -> Fault:
    return Fault("AM121", "how long this list is depends on the list itself", wanted.expr.iterable.span, label="closes the loop")


@dataclass(slots=True)
class _Reader:
    sites: Sites
    expressions: Expressions = field(init=False)
    #: combinations that conditions may still be tried on; after that each stays as it is written
    left: int = _MAX_TRIED

    def __post_init__(self) -> None:
        self.expressions = self.sites.expressions

    def turns(self, wanted: Wanted) -> Turns:
        known = self._known(wanted.home)
        match wanted.expr.iterable:
            case ast.Range() as counting:
                turns = self._range(counting, wanted, known)
            case ast.ListExpr() as values:
                turns = in_brackets(values)
            case iterable:
                turns = self._list(iterable, wanted, known)
        if wanted.expr.condition is None and not isinstance(wanted.expr.body, ast.IfElse):
            return turns
        return self._chosen(turns, wanted, known)

    def _known(self, home: Slot | None) -> Known:
        if home is None or home.parent is None:
            return ()
        here = home.binding
        alone = here is not None and here.below is None and here.site is None
        return (*self.sites.above(home), *(self.sites.here(home, here) if alone and here is not None else ()))

    def _read(self, expr: ast.Expr, wanted: Wanted, known: Known) -> tuple[ir.Expr, bool]:
        """Its value, and whether it has one in every trial that has the list."""
        try:
            return self.expressions.translate(expr, wanted.scope, wanted.home, Reading("value", known)), True
        except Fault as fault:
            if fault.diagnostic.code != "AM130":
                raise
        return self.expressions.translate(expr, wanted.scope, wanted.home, Reading("require", known)), False

    # -- counting -----------------------------------------------------------------------------------------------------------

    def _range(self, at: ast.Range, wanted: Wanted, known: Known) -> Turns:
        lo, lo_always = self._read(at.lo, wanted, known)
        hi, hi_always = self._read(at.hi, wanted, known)
        if isinstance(lo, ir.Lit) and isinstance(hi, ir.Lit):
            return counted(_whole(lo.value, at.lo), _whole(hi.value, at.hi), at)
        smallest, largest = self._counts(lo, hi, at)
        length_of(largest, at.span)
        if not (lo_always and hi_always):
            smallest = 0
        hidden: list[tuple[str, ast.Expr]] = []
        last, offset = at.hi, 0
        if isinstance(lo, ir.Lit):
            first = _whole(lo.value, at.lo)
            numbers: list[ast.Expr] = [ast.Lit(first + number, at.span) for number in range(largest)]
            last, offset = _apart(at.hi)
        else:
            start: ast.Expr = ast.Name(FIRST, at.lo.span)
            hidden.append((FIRST, at.lo))
            numbers = [ast.Binary("+", start, ast.Lit(number, at.span), at.span) if number else start for number in range(largest)]
        hidden.append((LAST, last))
        elements: list[Element] = []
        for at_number, number in enumerate(numbers):
            bound = ast.Lit(number.value + offset, at.span) if isinstance(number, ast.Lit) and type(number.value) is int else number
            guard = ast.Compare(ast.Name(LAST, at.hi.span), ((">=", bound),), at.hi.span) if at_number >= smallest else None
            elements.append(Element(number, guard))
        return Turns(tuple(elements), tuple(hidden))

    def _counts(self, lo: ir.Expr, hi: ir.Expr, at: ast.Range) -> tuple[int, int]:
        """The smallest and the largest number of items."""
        params = self.sites.params
        found = possible((lo, hi), params)
        if found is not None and found.values:
            pairs = [(_whole(first, at.lo), _whole(last, at.hi)) for first, last in found.values]
            counts = [last - first + 1 for first, last in pairs]
            if max(counts) < 0:
                raise empty(*pairs[counts.index(max(counts))], at)
            return (max(0, min(counts)) if found.is_total else 0), max(counts)
        if found is not None:
            for end, expr in ((lo, at.lo), (hi, at.hi)):
                alone = possible((end,), params)
                if alone is not None and not alone.values:
                    raise _no_number("and this has no value", expr)
        low, high = interval(lo, params), interval(hi, params)
        for bound, expr in ((low, at.lo), (high, at.hi)):
            if bound is None:
                raise _untold("this bound", expr.span)
            if not bound.is_whole:
                raise _no_number("not a float", expr)
        if low is None or high is None:
            raise _untold("this bound", at.span)
        count = int(high.hi - low.lo) + 1
        if count < 0:
            raise empty(int(low.lo), int(high.hi), at)
        return max(0, int(high.lo - low.hi) + 1), count

    # -- lists --------------------------------------------------------------------------------------------------------------

    def _list(self, iterable: ast.Expr, wanted: Wanted, known: Known) -> Turns:
        places = self._places(iterable, wanted)
        if places is not None:
            return Turns(tuple(Element(_item(iterable, number)) for number in range(places)))
        value, always = self._read(iterable, wanted, known)
        match value:
            case ir.Lit(list() as items):
                return Turns(tuple(Element(_literal(item, iterable.span)) for item in items))
            case ir.Lit(other):
                raise _no_list(other, iterable)
            case ir.ListOf(parts) if always:
                least = most = len(parts)
                columns: list[set[str]] = [set() for _ in parts]
                samples: list[list[ir.Value]] = []
            case _:
                found = possible((value,), self.sites.params)
                if found is None or not found.values:
                    raise _untold("how long this list is", iterable.span)
                samples = []
                for (sample,) in found.values:
                    if not isinstance(sample, list):
                        raise _no_list(sample, iterable)
                    samples.append(sample)
                least = min(map(len, samples)) if found.is_total and always else 0
                most = length_of(max(map(len, samples)), iterable.span)
                columns = [{repr(sample[slot]) for sample in samples if slot < len(sample)} for slot in range(most)]
        name = ast.Name(VALUES, iterable.span)
        elements: list[Element] = []
        for number in range(most):
            # Not a literal index, which would be a step of a path: this is no place.
            at: ast.Expr = ast.Binary("+", ast.Lit(number, name.span), ast.Lit(0, name.span), name.span)
            item: ast.Expr = ast.Index(name, at, name.span)
            if isinstance(value, ir.ListOf) and number < len(value.items) and isinstance(part := value.items[number], ir.Lit):
                item = _literal(part.value, iterable.span)
            elif len(columns[number]) == 1:  # the same in every trial that has it
                item = _literal(next(sample[number] for sample in samples if number < len(sample)), iterable.span)
            guard: ast.Expr | None = None
            if number >= least:
                length = ast.Call("len", (ast.Positional(name, None, iterable.span),), iterable.span, iterable.span)
                guard = ast.Compare(length, ((">", ast.Lit(number, iterable.span)),), iterable.span)
            elements.append(Element(item, guard))
        return Turns(tuple(elements), ((VALUES, iterable),))

    def _places(self, iterable: ast.Expr, wanted: Wanted) -> int | None:
        """The number of items where `iterable` is the path of a list whose items are places: components, searches, values."""
        if chain(iterable)[0] is None:
            return None
        found = self.expressions.places.resolve(iterable, wanted.scope, wanted.home)
        if not isinstance(found, Slot) or found.binding is None:
            return None
        binding = found.binding
        if binding.site is not None or binding.guard is not None or not isinstance(binding.value, Seq):
            return None
        if binding.value.is_unknown:
            raise Echo(iterable.span)
        for item in binding.value.items:
            if any(inner.guard is not None for inner in item.chain()):
                help = "go through a list that is always whole, and write the condition after `if`"
                raise Fault(
                    "AM199", "some items of this list may be absent, and a comprehension cannot ask which", iterable.span, help=help
                )
        return len(binding.value.items)

    # -- conditions ---------------------------------------------------------------------------------------------------------

    def _chosen(self, turns: Turns, wanted: Wanted, known: Known) -> Turns:
        """The turns whose condition can hold, each with the branch of the body that it takes if that is known."""
        expr, around = wanted.expr, outside(turns, wanted.scope)
        kept: list[Element] = []
        for element in turns.elements:
            inner = Names({expr.name: place_of(expr.name, element.value, around)}, around)
            held = self._condition(element.guard, inner, wanted, known)
            test = self._condition(expr.condition, inner, wanted, known, held)
            holds = self._holds(test, held)
            if holds is False:
                continue
            body = expr.body
            whole = held if holds else ir.Binary("and", held, test)
            while isinstance(body, ast.IfElse):
                is_then = self._holds(self._condition(body.condition, inner, wanted, known, whole), whole)
                if is_then is None:
                    break
                body = body.then if is_then else body.otherwise
            guard = element.guard if holds else both(element.guard, expr.condition)
            kept.append(Element(element.value, guard, body))
        return Turns(tuple(kept), turns.hidden)

    def _condition(self, condition: ast.Expr | None, inner: Scope, wanted: Wanted, known: Known, held: ir.Expr = TRUE) -> ir.Expr:
        """`condition` where `held` holds."""
        if condition is None:
            return TRUE
        return self.expressions.condition(condition, inner, wanted.home, Reading("guard", known).given(held))

    def _holds(self, test: ir.Expr, held: ir.Expr) -> bool | None:
        """Whether `test` holds in every trial in which `held` does, or in none; None for what a trial decides."""
        if isinstance(test, ir.Lit):
            return test.value is True
        found = possible((ir.IfElse(held, test, ir.Lit(None)),), self.sites.params, max(1, self.left))
        self.left -= 0 if found is None else found.count
        if found is None or not found.is_total:
            return None
        values = {value if isinstance(value, bool) else "other" for (value,) in found.values if value is not None}
        return None if len(values) > 1 or "other" in values else True in values


# -- helpers ------------------------------------------------------------------------------------------------------------------


def _apart(expr: ast.Expr) -> tuple[ast.Expr, int]:
    """`n - 1` as `n` and 1, so that an item's condition reads `n >= 3`."""
    match expr:
        case ast.Binary("-", left, ast.Lit(offset)) if type(offset) is int:
            return left, offset
        case ast.Binary("+", left, ast.Lit(offset)) if type(offset) is int:
            return left, -offset
        case _:
            return expr, 0


def _item(base: ast.Expr, number: int) -> ast.Expr:
    return ast.Index(base, ast.Lit(number, base.span), base.span)


def _whole(value: ir.Value, expr: ast.Expr) -> int:
    if type(value) is int:
        return value
    raise _no_number(f"not {shown(value)}", expr)


def _no_number(what: str, expr: ast.Expr) -> Fault:
    help = "" if isinstance(expr, ast.Lit) else "`a // b` and `int(x)` are whole"
    return Fault("AM104", f"a bound to count to is a whole number, {what}", expr.span, help=help)


def _no_list(value: ir.Value, expr: ast.Expr) -> Fault:
    help = "count with `0..n - 1`" if type(value) is int else ""
    return Fault("AM104", f"`for` goes through a list, not {shown(value)}", expr.span, help=help)


def _untold(what: str, span: Span) -> Fault:
    message = f"{what} cannot be told from the domains of the parameters in it, and its items are places of their own"
    return Fault("AM199", message, span, help="count to a parameter of whole numbers, such as `let n ~ 1..4`")


def _literal(value: ir.Value, span: Span) -> ast.Expr:
    match value:
        case list():
            return ast.ListExpr(tuple(ast.Item(_literal(item, span), None, span) for item in value), span)
        case dict():
            return ast.DictExpr(tuple((key, _literal(item, span)) for key, item in value.items()), (span,) * len(value), span)
        case _:
            return ast.Lit(value, span)
