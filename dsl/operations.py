"""What operators and functions of expressions do with plain values.

They raise ArithmeticError, TypeError, ValueError or LookupError where there is no value, and give no number beyond 64 bits, none
that is not finite and no list beyond MAX_LIST.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from .ir import Value

MAX_LIST = 100_000
_MAX_INT_BITS = 64


def same(a: Value | tuple[Value, ...], b: Value | tuple[Value, ...]) -> bool:
    """Equal as data: 1 and 1.0 are, 1 and true are not."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def _shown(value: Value) -> str:
    return {True: "true", False: "false", None: "null"}[value] if value is None or isinstance(value, bool) else repr(value)


def truth(value: Value) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"a condition is true or false, not {_shown(value)}")
    return value


def number(value: Value) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"a number is needed, not {_shown(value)}")
    return value


def _bounded(value: int | float) -> int | float:
    if isinstance(value, int) and value.bit_length() > _MAX_INT_BITS:
        raise OverflowError("an integer of more than 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise OverflowError("a number that is not finite")
    return value


def _power(a: int | float, b: int | float) -> int | float:
    if isinstance(a, int) and isinstance(b, int) and b >= 0:
        if abs(a) > 1 and b * abs(a).bit_length() > 2 * _MAX_INT_BITS:
            raise OverflowError("an integer of more than 64 bits")
        return int(a**b)
    return math.pow(a, b)


_ARITHMETIC: Mapping[str, Callable[[int | float, int | float], int | float]] = {
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": _power,
}
_ORDER: Mapping[str, Callable[[int | float | str, int | float | str], bool]] = {
    "<": lambda a, b: a < b,  # type: ignore[operator]
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
}


def binary(op: str, left: Value, right: Value) -> Value:
    if op == "==":
        return same(left, right)
    if op == "!=":
        return not same(left, right)
    if op in ("in", "not in"):
        if isinstance(left, str) and isinstance(right, str):
            found = left in right
        elif isinstance(right, (list, dict)):
            found = any(same(left, item) for item in right)
        else:
            raise TypeError("`in` needs a list, a dict or two strings")
        return found == (op == "in")
    if op in _ORDER:
        if isinstance(left, str) and isinstance(right, str):
            return _ORDER[op](left, right)
        return _ORDER[op](number(left), number(right))
    if op == "+" and isinstance(left, list) and isinstance(right, list):
        return left + right
    if op == "+" and isinstance(left, str) and isinstance(right, str):
        return left + right
    if op == "*" and isinstance(left, list) and type(right) is int:
        if len(left) * right > MAX_LIST:
            raise ValueError("the list would be too long")
        return left * right
    if op == "+":
        return _bounded(number(left) + number(right))
    return _bounded(_ARITHMETIC[op](number(left), number(right)))


def index_of(base: Value, index: Value) -> Value:
    if isinstance(base, list) and type(index) is int:
        return base[index]
    if isinstance(base, dict) and isinstance(index, str):
        return base[index]
    raise TypeError("an index is an integer into a list, or a key into a dict")


def _numbers(args: tuple[Value, ...]) -> list[int | float]:
    return [number(item) for item in _items(args)]


def _items(args: tuple[Value, ...]) -> list[Value]:
    return args[0] if len(args) == 1 and isinstance(args[0], list) else list(args)


def _counted(value: Value) -> int | float:
    """A number; for `int` and `sum` a truth value is one, too: true counts 1."""
    return int(value) if isinstance(value, bool) else number(value)


def _length(value: Value) -> int:
    if not isinstance(value, (list, str, dict)):
        raise TypeError("`len` needs a list, a string or a dict")
    return len(value)


#: The built-in functions of expressions, by name.
FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "abs": lambda x: abs(number(x)),
    "min": lambda *args: min(_numbers(args)),
    "max": lambda *args: max(_numbers(args)),
    "sum": lambda *args: _bounded(sum(_counted(item) for item in _items(args))),
    "len": _length,
    "floor": lambda x: math.floor(number(x)),
    "ceil": lambda x: math.ceil(number(x)),
    "round": lambda x: round(number(x)),
    "sqrt": lambda x: math.sqrt(number(x)),
    "log2": lambda x: math.log2(number(x)),
    "int": lambda x: int(_counted(x)),
    "float": lambda x: float(number(x)),
}
