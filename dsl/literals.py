"""Numbers and strings between their spelling in a program and their value."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass

MAX_STRING_BYTES = 64 * 1024
#: Integers have 64 bits; the positive end is one larger because `-` is applied afterwards.
MAX_INT = 2**63

_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt])|u([0-9a-fA-F]{4})|(.))')
_SIMPLE = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NUMBER_AND_UNIT = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)([A-Za-z]+)")

#: The units, smallest first within a dimension.
UNITS = ("ms", "s", "min", "h", "d", "B", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB", "mm", "HU")


@dataclass
class LiteralError(Exception):
    """A literal that has no value; `start` and `end` are offsets into its spelling."""

    code: str
    message: str
    start: int
    end: int
    help: str = ""


def read_int(spelling: str) -> int:
    digits = spelling.replace("_", "")
    # The length is looked at first: int() refuses very long strings, and takes quadratic time before it does.
    if len(digits.lstrip("0")) > 19 or int(digits) > MAX_INT:
        raise LiteralError(
            "AM306", "an integer has at most 64 bits", 0, len(spelling), "write a smaller one, or a float such as 1e20"
        )
    return int(digits)


def read_float(spelling: str) -> float:
    value = float(spelling.replace("_", ""))
    if not math.isfinite(value):
        raise LiteralError("AM306", "this number is too large", 0, len(spelling), "the largest is about 1.8e308")
    return value


def read_quantity(spelling: str) -> tuple[float, str]:
    """The number as written and its unit."""
    match = _NUMBER_AND_UNIT.fullmatch(spelling)
    if match is None:
        raise LiteralError("AM020", f"`{spelling}` is not a number with a unit", 0, len(spelling))
    return read_float(match[1]), match[2]


def read_string(spelling: str) -> str:
    """The text between the quotes, JSON's escapes resolved."""
    if len(spelling) > MAX_STRING_BYTES:
        raise LiteralError("AM305", f"a string holds at most {MAX_STRING_BYTES // 1024} KiB", 0, len(spelling))
    if "\\" not in spelling:
        return spelling[1:-1]

    def resolve(match: re.Match[str]) -> str:
        if match[3] is not None:
            raise LiteralError(
                "AM019",
                f"`{match[0]}` is not an escape",
                match.start() + 1,
                match.end() + 1,
                r"known are \" \\ \/ \b \f \n \r \t and \u0041; a backslash itself is written \\",
            )
        return chr(int(match[2], 16)) if match[2] else _SIMPLE[match[1]]

    text = _ESCAPE.sub(resolve, spelling[1:-1])
    # Two \u escapes may spell one character outside the basic plane, as in JSON; half of one is no text.
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise LiteralError("AM019", "half of a surrogate pair is not a character", 0, len(spelling)) from None


def spell_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def spell_float(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be written in a program")
    return re.sub(r"e([+-])0*", lambda match: "e-" if match[1] == "-" else "e", repr(value))


def spell_quantity(value: float, unit: str) -> str:
    return (str(int(value)) if value.is_integer() and abs(value) < 1e15 else spell_float(value)) + unit
