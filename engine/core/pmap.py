"""A persistent map: `set` returns a new map and shares nearly everything with the old one.

`apply` is pure and runs once a fact. Copying a plain dict of 10,000 jobs for each of 100,000 facts would take seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar, overload

K = TypeVar("K", str, int)
V = TypeVar("V")
D = TypeVar("D")

_BUCKETS = 128


def _bucket(key: str | int) -> int:
    # str hashes differ between processes; that changes the layout only, iteration is sorted.
    return hash(key) % _BUCKETS


class PMap(Generic[K, V]):
    """Iterates in the order of its keys."""

    __slots__ = ("_buckets", "_size")

    def __init__(self) -> None:
        self._buckets: tuple[dict[K, V], ...] = ({},) * _BUCKETS
        self._size = 0

    def set(self, key: K, value: V) -> PMap[K, V]:
        at = _bucket(key)
        bucket = {**self._buckets[at], key: value}
        new: PMap[K, V] = PMap()
        new._size = self._size + (key not in self._buckets[at])
        new._buckets = self._buckets[:at] + (bucket,) + self._buckets[at + 1 :]
        return new

    def __getitem__(self, key: K) -> V:
        return self._buckets[_bucket(key)][key]

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: D) -> V | D: ...
    def get(self, key: K, default: D | None = None) -> V | D | None:
        return self._buckets[_bucket(key)].get(key, default)

    def __contains__(self, key: K) -> bool:
        return key in self._buckets[_bucket(key)]

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[K]:
        return iter(sorted(key for bucket in self._buckets for key in bucket))

    def values(self) -> list[V]:
        """In the order of the keys."""
        return [self[key] for key in self]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PMap) and self._buckets == other._buckets

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PMap({ {key: self[key] for key in self}!r})"
