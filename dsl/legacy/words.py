"""The fixed words of Clara's JSON, and how near another word is to one of them."""

from __future__ import annotations

from collections.abc import Iterable

#: Keys of a component that are read here; every other one is an attribute (disabled, rank, log_label, data_list_key, ...).
COMPONENT_KEYS = ("name", "path", "args", "search", "apply")
SEARCH_KEYS = ("domain", "type", "args", "targets")
DOMAINS = ("lr", "net", "transform")
TYPES = ("float", "enum")


def distance(a: str, b: str) -> int:
    """Insertions, deletions, changes and swaps of neighbours that turn `a` into `b`."""
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, start=1):
        row = [i]
        for j, y in enumerate(b, start=1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def misspelt(key: str, words: Iterable[str]) -> str | None:
    """The word that `key` is a slip of, or None; short words allow one slip, longer ones two."""
    lowered = key.lower()
    if len(key) > 20:
        return None
    for word in words:
        slips = 1 if len(word) < 6 else 2
        if key != word and abs(len(key) - len(word)) <= 1 and distance(lowered, word) <= slips:
            return word
    return None
