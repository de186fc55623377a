"""The text with its safe fixes made, and the proof that it still means the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..diagnostics import Diagnostic, Fix
from ..load import Checked, check
from .rules import lint

#: One fix may uncover another: a `let` that only an unused `let` read.
_MAX_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Repaired:
    """`text` is None if there was nothing to fix; `made` counts the mistakes fixed, `left` are those that remain."""

    text: str | None
    made: int
    left: tuple[Diagnostic, ...]
    checked: Checked


def repair(path: Path, read_bytes: Callable[[Path], bytes] = Path.read_bytes) -> Repaired:
    """Makes the safe fixes of the program at `path` until none is left. Nothing is written.

    A program that parses keeps its digest: fixes after which it would have another one are not made.
    """
    original = path.resolve()
    text: str | None = None

    def read(place: Path) -> bytes:
        return read_bytes(place) if text is None or place.resolve() != original else text.encode("utf-8", "surrogatepass")

    checked, made = check(path, read_bytes=read), 0
    for _ in range(_MAX_ROUNDS):
        source = checked.sources.get(str(path))
        safe = [each for each in _found(checked, str(path)) if each.fixes and all(fix.safe for fix in each.fixes)]
        if source is None or not safe:
            break
        before, kept = text, checked
        text, count = apply(source.text, [each.fixes for each in safe])
        checked = check(path, read_bytes=read)
        if not _is_as_good(kept, checked):
            text, checked = before, kept
            break
        made += count
    return Repaired(text, made, tuple(_found(checked, str(path))), checked)


def _found(checked: Checked, file: str) -> list[Diagnostic]:
    errors = [each for each in checked.diagnostics if each.severity == "error"]
    return errors or lint(checked, file)


def _is_as_good(before: Checked, after: Checked) -> bool:
    """The same program, or fewer errors where there was none."""
    if before.program is not None:
        return after.program is not None and after.program.digest == before.program.digest
    return after.program is not None or len(after.diagnostics) < len(before.diagnostics)


def apply(text: str, groups: Iterable[Iterable[Fix]]) -> tuple[str, int]:
    """`text` after the groups of edits that do not meet one another, earlier groups first; and how many were made."""
    taken: list[Fix] = []
    count = 0
    for group in groups:
        fixes = list(group)
        if all(fix.span.end < other.span.start or other.span.end < fix.span.start for fix in fixes for other in taken):
            taken += fixes
            count += 1
    for fix in sorted(taken, key=lambda fix: fix.span.start, reverse=True):
        text = text[: fix.span.start] + fix.replacement + text[fix.span.end :]
    return text, count
