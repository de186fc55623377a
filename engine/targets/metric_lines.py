"""Metrics in what a command prints: lines of ours, `automl: step=3 dice=0.81`, and lines of its own that the user describes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from automl_run.errors import JobError

_PREFIX: Final = "automl:"
_OURS: Final = _PREFIX.encode()
_WORD = r"[^\s=]+=[-+\w.]+"
#: After a progress bar, or a logger's own words.
_WITHIN: Final = re.compile(rf"\bautoml:(?:[ \t]*{_WORD})(?:[ \t]+{_WORD})*[ \t]*$")
#: Colours and cursor moves of a terminal.
_ESCAPES: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_MAX_LINE: Final = 64 * 1024


class Lines:
    """Cuts output into lines; a carriage return ends one, too: a progress bar never ends its own.

    `every`: all of them are wanted, not those alone that may be ours.
    """

    def __init__(self, every: bool = False) -> None:
        self._every = every
        self._rest = b""

    def cut(self, data: bytes) -> list[str]:
        *lines, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        self._rest = self._rest[-_MAX_LINE:]
        return [_text(line) for line in lines if self._every or _OURS in line]

    def end(self) -> str:
        """What follows the last end of a line."""
        rest, self._rest = self._rest, b""
        return _text(rest)


def _text(line: bytes) -> str:
    if b"\x1b" in line:
        line = _ESCAPES.sub(b"", line)
    return line.decode(errors="replace")


def metric_line(line: str) -> tuple[int | None, dict[str, float]] | None:
    """`automl: step=3 dice=0.81` as (3, {"dice": 0.81}); without a step they are final values; None for a line that is not of ours.

    JobError for a line that begins like ours and is wrong; within a line only a whole one counts.
    """
    said = line.strip()
    if not said.startswith(_PREFIX):
        within = _WITHIN.search(said)
        if within is None:
            return None
        said = within[0].strip()
    step: int | None = None
    values: dict[str, float] = {}
    for word in said.removeprefix(_PREFIX).split():
        name, equals, text = word.partition("=")
        try:
            if not equals or not name:
                raise ValueError
            if name == "step":
                step = int(text)
            else:
                values[name] = float(text)
        except ValueError:
            example = "automl: step=3 dice=0.81"
            raise JobError(
                "user_error", f"cannot read `{word}` in the metric line {said[:200]!r}; a line is like `{example}`"
            ) from None
    return step, values


class Patterns:
    """`patterns`: metric -> a regular expression with one group, its value, and perhaps one called `step`.

    Without that, the values of a metric are counted: 1, 2, 3, ...
    """

    def __init__(self, patterns: Mapping[str, str]) -> None:
        self._patterns = {name: re.compile(pattern) for name, pattern in patterns.items()}
        self._counts = dict.fromkeys(patterns, 0)

    def find(self, line: str) -> Iterator[tuple[int, dict[str, float]]]:
        """What a line shows. JobError for a value that is no number."""
        for name, pattern in self._patterns.items():
            for match in pattern.finditer(line):
                named = pattern.groupindex.get("step")
                (value,) = (match[index] for index in range(1, pattern.groups + 1) if index != named)
                try:
                    self._counts[name] += 1
                    step = self._counts[name] if named is None else int(match[named])
                    yield step, {name: float(value)}
                except (TypeError, ValueError):
                    reason = f"`{name}` is read from the line {line.strip()[:200]!r}, where {match[0]!r} holds no number"
                    raise JobError("user_error", reason) from None
