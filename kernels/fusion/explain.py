"""What became of every step, as a table."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import monai.transforms as mt
from monai.transforms.traits import LazyTrait

from .plan import Node
from .recognise import Rule

Missed = Mapping[tuple[object, str], int]


def describe(nodes: Sequence[Node], lazy: bool | None, noise: str, missed: Missed) -> str:
    rows = [("step", "pass", "what happens"), *_rows(nodes, "", lazy, noise, missed, _Passes())]
    rows += [("lazy operations", "", _left(count, reason)) for (step, reason), count in missed.items() if step is None]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _rows(
    nodes: Sequence[Node], indent: str, lazy: bool | None, noise: str, missed: Missed, passes: _Passes
) -> Iterator[tuple[str, str, str]]:
    for node in nodes:
        t = node.transform
        name = indent + (type(t).__name__ if not hasattr(t, "__name__") else str(t.__name__))
        if node.inside is not None:
            yield name, "", "its steps:"
            yield from _rows(node.inside, indent + "  ", t._lazy if lazy is None else lazy, noise, missed, passes)
        elif isinstance(t, LazyTrait) and bool(t.lazy if lazy is None else lazy):
            passes.end()
            yield name, "", "lazy: gathered by MONAI, carried out in one pass with the steps after it"
        elif node.rule is None:
            passes.end()
            yield name, "", f"unchanged: {node.reason}"
        else:
            yield name, passes.of(node.rule, t), node.rule.kind
            if noise == "fast" and isinstance(t, mt.RandGaussianNoised):
                yield "", "", "fast noise: after the first field, fields and their strengths agree with MONAI's in distribution"
        for (step, reason), count in missed.items():
            if step is node:
                yield "", "", _left(count, reason)


def _left(count: int, reason: str) -> str:
    return f"so far left to MONAI {count} times: {reason}"


@dataclass(slots=True)
class _Open:
    """The pass that the image under a key is in."""

    number: int
    kinds: set[str] = field(default_factory=set)
    whole: bool = False
    placed: bool = False
    #: geometric steps since it began: keys with the same ones share their geometry
    moves: list[object] = field(default_factory=list)

    def takes(self, kind: str) -> bool:
        """As `Track.why_not_moved` decides when it runs."""
        if kind in ("pad", "interpolate"):
            return not self.kinds & {"interpolate", "intensity"}
        if kind == "crop":
            return not self.whole
        return kind != "turn" or not self.placed


class _Passes:
    """Which pass each key is in, step by step."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.open: dict[Hashable, _Open] = {}

    def end(self) -> None:
        self.open.clear()

    def of(self, rule: Rule, t: object) -> str:
        if rule.looks:
            for key in (getattr(t, "label_key", None), getattr(t, "image_key", None)):
                self._write(key)
        number = None
        used = set()
        for key in getattr(t, "keys", ()):
            current = self.open.get(key)
            if current is None or not current.takes(rule.kind):
                self._write(key)
                number = next(self.numbers) if number is None else number
                current = self.open[key] = _Open(number)
            current.kinds.add(rule.kind)
            current.whole |= rule.whole
            current.placed |= rule.placed
            if rule.kind not in ("intensity", "type"):
                current.moves.append(t)
            used.add(current.number)
        return ", ".join(map(str, sorted(used)))

    def _write(self, key: Hashable) -> None:
        """As `Call.write`: what is interpolated is written together with the images that share its geometry."""
        written = self.open.pop(key, None)
        if written is not None and "interpolate" in written.kinds:
            for other in [k for k, current in self.open.items() if current.moves == written.moves]:
                del self.open[other]
