"""Values of the Python builder: domains, components, expressions, each a piece of the syntax tree.

Everything is checked where it is made, so that a mistake is raised at the Python line that has it.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

from automl_run.errors import InputError, ProgramError

from . import ast
from .diagnostics import did_you_mean
from .literals import UNITS, LiteralError, read_quantity
from .operations import FUNCTIONS
from .parser import parse_expr, parse_path
from .source import NOWHERE, Source

#: What a configuration value may be in Python: plain data, and what this module makes.
Value: TypeAlias = Any

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CLASS = re.compile(r"[^\s#]+(#[^\s#]+)?")


class Expr:
    """A value that is computed. `+ - * / // % **`, comparisons and `[i]` make further ones; conditions are joined by `& | ~`.

    `a if c else b` is written `a.if_(c, b)`: Python's own decides at once.
    """

    def __init__(self, tree: ast.Expr) -> None:
        self.tree = tree

    def __bool__(self) -> bool:
        raise InputError(
            "a condition of the search has no truth yet: join conditions with `&`, `|` and `~`, choose with `.if_(...)`"
        )

    def __hash__(self) -> int:
        return id(self)

    def __iter__(self) -> Any:
        raise InputError('a value of the search cannot be gone through in Python; write `expr("[... for x in ...]")`')

    def is_(self, cls: str) -> Expr:
        """True where the alternative of this class (or value) was taken."""
        right = expr(cls).tree if isinstance(cls, str) and re.fullmatch(r"[A-Za-z_][\w.]*(\[\d+\])?", cls) else to_expr(cls)
        return Expr(ast.Compare(self.tree, (("is", right),), NOWHERE))

    def if_(self, condition: Expr, otherwise: Value) -> Expr:
        """This where `condition` holds, else `otherwise`."""
        return Expr(ast.IfElse(_condition(condition), self.tree, to_expr(otherwise), NOWHERE))

    def __getitem__(self, index: Value) -> Expr:
        return Expr(ast.Index(self.tree, to_expr(index), NOWHERE))

    def __invert__(self) -> Expr:
        return Expr(ast.Unary("not", self.tree, NOWHERE))

    def __neg__(self) -> Expr:
        return Expr(ast.Unary("-", self.tree, NOWHERE))

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        return self._compare("!=", other)

    def __lt__(self, other: Value) -> Expr:
        return self._compare("<", other)

    def __le__(self, other: Value) -> Expr:
        return self._compare("<=", other)

    def __gt__(self, other: Value) -> Expr:
        return self._compare(">", other)

    def __ge__(self, other: Value) -> Expr:
        return self._compare(">=", other)

    def in_(self, values: Value) -> Expr:
        return self._compare("in", values)

    def _compare(self, op: str, other: Value) -> Expr:
        return Expr(ast.Compare(self.tree, ((op, to_expr(other)),), NOWHERE))

    def _binary(self, op: str, other: Value) -> Expr:
        return Expr(ast.Binary(op, self.tree, to_expr(other), NOWHERE))

    def _reversed(self, op: str, other: Value) -> Expr:
        return Expr(ast.Binary(op, to_expr(other), self.tree, NOWHERE))

    def __and__(self, other: Value) -> Expr:
        return Expr(ast.Binary("and", self.tree, _condition(other), NOWHERE))

    def __or__(self, other: Value) -> Expr:
        return Expr(ast.Binary("or", self.tree, _condition(other), NOWHERE))

    def __add__(self, other: Value) -> Expr:
        return self._binary("+", other)

    def __sub__(self, other: Value) -> Expr:
        return self._binary("-", other)

    def __mul__(self, other: Value) -> Expr:
        return self._binary("*", other)

    def __truediv__(self, other: Value) -> Expr:
        return self._binary("/", other)

    def __floordiv__(self, other: Value) -> Expr:
        return self._binary("//", other)

    def __mod__(self, other: Value) -> Expr:
        return self._binary("%", other)

    def __pow__(self, other: Value) -> Expr:
        return self._binary("**", other)

    def __radd__(self, other: Value) -> Expr:
        return self._reversed("+", other)

    def __rsub__(self, other: Value) -> Expr:
        return self._reversed("-", other)

    def __rmul__(self, other: Value) -> Expr:
        return self._reversed("*", other)

    def __rtruediv__(self, other: Value) -> Expr:
        return self._reversed("/", other)

    def __rfloordiv__(self, other: Value) -> Expr:
        return self._reversed("//", other)

    def __rmod__(self, other: Value) -> Expr:
        return self._reversed("%", other)

    def __rpow__(self, other: Value) -> Expr:
        return self._reversed("**", other)


def expr(text: str) -> Expr:
    """An expression as the language writes it, for what Python's operators do not say."""
    try:
        return Expr(parse_expr(Source("<expr>", text)))
    except ProgramError as error:
        raise InputError(f"`{text}` is no expression: {error.diagnostics[0].message}") from None


def call(function: str, *args: Value) -> Expr:
    """A function of the language: abs, min, max, len, sum, floor, ceil, round, sqrt, log2, int, float."""
    if function not in FUNCTIONS:
        raise InputError(f"the language has no function `{function}`; {did_you_mean(function, FUNCTIONS)}")
    values = tuple(ast.Positional(to_expr(arg), None, NOWHERE) for arg in args)
    return Expr(ast.Call(function, values, NOWHERE, NOWHERE))


def cpu(threads: int = 1) -> Expr:
    """A worker without a GPU."""
    return Expr(ast.Call("cpu", (ast.Positional(to_expr(threads), None, NOWHERE),), NOWHERE, NOWHERE))


# -- domains ------------------------------------------------------------------------------------------------------------------


class Search:
    """A domain, with the baseline and condition that `.baseline(...)` and `.when(...)` add: an argument of `C` or a list item."""

    def __init__(self, alternatives: tuple[ast.Range | ast.Expr, ...], given: ast.Expr | None = None) -> None:
        self.domain = ast.Domain(alternatives, NOWHERE)
        self.given = given

    def baseline(self, value: Value) -> Search:
        """The same search, starting from `value`."""
        return Search(self.domain.alternatives, to_expr(value))


def between(lo: float, hi: float, *, step: float | None = None, times: float | None = None) -> Search:
    """`lo..hi`, both included; integers if both are. `step`: every so much; `times`: each so many times the one before."""
    return Search((_range(lo, hi, step, times, "between", False),))


def log(lo: float, hi: float, *, step: float | None = None, times: float | None = None) -> Search:
    """`log lo..hi`: evenly spread over the orders of magnitude."""
    return Search((_range(lo, hi, step, times, "log", True),))


def oneof(*alternatives: Value) -> Search:
    """One of these: values, components, ranges; tuples for several targets."""
    if not alternatives:
        raise InputError("oneof() needs alternatives")
    if len(alternatives) == 1 and isinstance(alternatives[0], (list, range, set, frozenset)):
        raise InputError("oneof([a, b]) is one list; write oneof(a, b), or oneof(*values)")
    found: list[ast.Range | ast.Expr] = []
    for each in alternatives:
        if isinstance(each, Search):
            if each.given is not None:
                raise InputError("an alternative has no baseline of its own; say it for the whole search")
            found += each.domain.alternatives
        else:
            found.append(to_expr(each))
    return Search(tuple(found))


def _range(lo: float, hi: float, step: float | None, times: float | None, what: str, is_log: bool) -> ast.Range:
    numbers = [_number(lo, f"{what}(lo, ...)"), _number(hi, f"{what}(..., hi)")]
    if numbers[0] >= numbers[1]:
        raise InputError(f"{what}({lo!r}, {hi!r}): the lower bound is not below the upper")
    if is_log and numbers[0] <= 0:
        raise InputError(f"log({lo!r}, {hi!r}): a log range starts above zero")
    if step is not None and times is not None:
        raise InputError(f"{what}(): `step` or `times`, not both")
    size: ast.StepSize | None = None
    if step is not None:
        size = ast.StepSize("add", ast.Lit(_number(step, "step"), NOWHERE), NOWHERE)
    if times is not None:
        size = ast.StepSize("mul", ast.Lit(_number(times, "times"), NOWHERE), NOWHERE)
    return ast.Range(ast.Lit(numbers[0], NOWHERE), ast.Lit(numbers[1], NOWHERE), "log" if is_log else "linear", size, NOWHERE)


def _number(value: object, what: str) -> int | float:
    plain = _plain(value)
    if isinstance(plain, bool) or not isinstance(plain, (int, float)):
        raise InputError(f"{what} is a number known before the search, not {value!r}")
    if isinstance(plain, float) and not math.isfinite(plain):
        raise InputError(f"{what} is a finite number, not {value!r}")
    return plain


# -- components ---------------------------------------------------------------------------------------------------------------


class C:
    """A component: `C("UNet", depth=3)`. An argument may be a search, `C("UNet", depth=between(3, 5))`.

    Arguments that are no Python names: `C("Scale#Mine", **{"my-key": 1})`; attributes: `C("A", **{"@disabled": True})`.
    """

    def __init__(self, cls: str, /, *positional: Value, **args: Value) -> None:
        if not isinstance(cls, str) or not _CLASS.fullmatch(cls):
            raise InputError(f"the class of a component is a name, not {cls!r}")
        self.cls = cls
        self.args: tuple[ast.Positional | ast.Bind | ast.Let, ...] = tuple(
            ast.Positional(to_expr(value), None, NOWHERE) for value in positional
        )
        for name, value in args.items():
            self._add(binding((_argument(name),), value))

    def search(self, names: str | Sequence[str], domain: Search, *, baseline: Value = ..., when: Expr | None = None) -> C:
        """Adds a search over one argument, or over several together."""
        several = (names,) if isinstance(names, str) else tuple(names)
        self._add(searched(tuple(_argument(name) for name in several), domain, baseline, when))
        return self

    def set(self, name: str, value: Value, *, when: Expr | None = None) -> C:
        """Adds one argument, with a condition if one is given."""
        self._add(binding((_argument(name),), value, when))
        return self

    def let(self, name: str, value: Value, *, baseline: Value = ...) -> C:
        """Adds a helper that is no argument; the arguments read it as `expr("name")`."""
        path = ast.Path((ast.NameStep(_word(name), NOWHERE),), NOWHERE)
        bind = searched((path,), value, baseline, None) if isinstance(value, Search) else binding((path,), value)
        self.args = (*self.args, ast.Let(bind, NOWHERE))
        return self

    def _add(self, bind: ast.Bind) -> None:
        known = {_steps(path) for arg in self.args if isinstance(arg, ast.Bind) for path in arg.targets}
        for path in bind.targets:
            if _steps(path) in known:
                raise InputError(f"`{path.steps[0].name}` of `{self.cls}` is given twice")  # type: ignore[union-attr]
        self.args = (*self.args, bind)

    @property
    def tree(self) -> ast.Call:
        cls, mark, instance = self.cls.partition("#")
        words = cls.split(".")
        if all(map(_WORD.fullmatch, words)) and (len(words) > 1 or cls[0].isupper()):
            return ast.Call(cls, self.args, NOWHERE, NOWHERE, instance if mark else None)
        first = ast.Positional(ast.Lit(cls, NOWHERE), None, NOWHERE)
        return ast.Call("component", (first, *self.args), NOWHERE, NOWHERE, instance if mark else None)


class When:
    """A list item that is there under a condition."""

    def __init__(self, value: Value, condition: Expr) -> None:
        self.value, self.condition = value, condition


def when(value: Value, condition: Expr) -> When:
    """`value` in a list, there only where `condition` holds."""
    _condition(condition)
    return When(value, condition)


# -- to syntax ----------------------------------------------------------------------------------------------------------------


def to_expr(value: Value) -> ast.Expr:
    """A Python value as syntax. InputError for what a configuration cannot hold."""
    value = _plain(value)
    match value:
        case Expr() | C():
            return value.tree
        case None | bool() | int():
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise InputError(f"{value} needs more than 64 bits")
            return ast.Lit(value, NOWHERE)
        case float():
            if not math.isfinite(value):
                raise InputError(f"{value!r} is no value of a configuration: it is not finite")
            return ast.Lit(value, NOWHERE)
        case str():
            return ast.Lit(_text(value), NOWHERE)
        case list():
            return ast.ListExpr(tuple(map(_item, value)), NOWHERE)
        case tuple():
            return ast.TupleExpr(tuple(map(to_expr, value)), NOWHERE)
        case Mapping():
            for key in value:
                if not isinstance(key, str):
                    raise InputError(f"a key of a dict is text, not {key!r}")
            entries = tuple((_text(key), to_expr(item)) for key, item in value.items())
            return ast.DictExpr(entries, (NOWHERE,) * len(entries), NOWHERE)
        case Search():
            raise InputError("a search stands as an argument of C(...), as a list item, or in p[path].search(...)")
        case When():
            raise InputError("when(...) makes list items; elsewhere a condition is given as `when=`")
        case type():
            raise InputError(f"a class is named by text: C({value.__name__!r}, ...)")
        case _:
            raise InputError(f"{type(value).__name__} is no value of a configuration: {value!r}")


def _plain(value: object) -> Any:
    """NumPy's and other libraries' numbers as Python's."""
    if value is None or isinstance(value, (bool, Expr)):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):  # also what derives from it, such as an IntEnum or NumPy's float64
            return kind(value)
    if type(value).__name__ == "bool_" or type(value).__name__ == "bool":
        return bool(value)
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        is_number = hasattr(value, "__float__") and not hasattr(value, "__len__")
        return float(value) if is_number else value  # type: ignore[arg-type]


def _item(value: Value) -> ast.Item:
    guard = None
    if isinstance(value, When):
        value, guard = value.value, value.condition.tree
    if isinstance(value, Search):
        return ast.Item(value.domain, guard, NOWHERE, value.given)
    return ast.Item(to_expr(value), guard, NOWHERE)


def binding(targets: tuple[ast.Path, ...], value: Value, condition: Expr | None = None) -> ast.Bind:
    if isinstance(value, Search):
        return searched(targets, value, ..., condition)
    guard = None if condition is None else _condition(condition)
    return ast.Bind(targets, to_expr(value), False, None, None, (), guard, NOWHERE)


def searched(targets: tuple[ast.Path, ...], domain: Search, baseline: Value, condition: Expr | None) -> ast.Bind:
    if not isinstance(domain, Search):
        raise InputError(f"a search needs a domain: between(...), log(...) or oneof(...), not {domain!r}")
    given = domain.given if baseline is ... else to_expr(baseline)
    for each in (*domain.domain.alternatives, *(() if given is None else (given,))):
        if len(targets) > 1 and isinstance(each, ast.TupleExpr) and len(each.items) != len(targets):
            raise InputError(f"{len(each.items)} values for {len(targets)} targets")
    guard = None if condition is None else _condition(condition)
    return ast.Bind(targets, given, False, None, domain.domain, (), guard, NOWHERE)


def quantity(value: str | float | timedelta) -> ast.Expr:
    """A time: `"12h"`, seconds, or a timedelta."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, str):
        try:
            number, unit = read_quantity(value.replace(" ", ""))
        except LiteralError:
            number, unit = 0.0, ""
        if unit not in UNITS:
            raise InputError(f'{value!r} is no time: write it with a unit, as in "30min", "12h", "2d"')
        return ast.Quantity(number, unit, NOWHERE)
    return ast.Quantity(float(_number(value, "a time in seconds")), "s", NOWHERE)


def path_of(text: str) -> ast.Path:
    """`train.model.depth` as a path; a name with other signs is `train["my-key"]`."""
    if not isinstance(text, str):
        raise InputError(f"a path is text, not {text!r}")
    try:
        return parse_path(Source("<path>", text))
    except ProgramError as error:
        raise InputError(f"`{text}` is no path: {error.diagnostics[0].message}") from None


def _condition(condition: Value) -> ast.Expr:
    if isinstance(condition, bool):
        return ast.Lit(condition, NOWHERE)
    if not isinstance(condition, Expr):
        raise InputError(f"a condition is an expression over the search, not {condition!r}")
    return condition.tree


condition_of = _condition


def _argument(name: str) -> ast.Path:
    if not isinstance(name, str) or not name:
        raise InputError(f"an argument is named by text, not {name!r}")
    if name.startswith("@"):
        return ast.Path((ast.AttrStep(_word(name[1:]), NOWHERE),), NOWHERE)
    return ast.Path((ast.NameStep(_text(name), NOWHERE),), NOWHERE)


def _word(name: str) -> str:
    if not isinstance(name, str) or not _WORD.fullmatch(name):
        raise InputError(f"{name!r} is no name: letters, digits and `_`")
    return name


word_of = _word


def _text(text: str) -> str:
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InputError(f"{text!r} holds half of a surrogate pair")
    return text


def _steps(path: ast.Path) -> tuple[str, ...]:
    return tuple(f"{type(step).__name__}:{getattr(step, 'name', '')}" for step in path.steps)
