"""The space of a program: drawing allowed points, and listing them all where they are finite.

The space is conditional: an alternative may own parameters of its own. The canonical order of points is that of an odometer whose
first parameter turns fastest and on which a parameter that does not exist stands at its first value. Turning that odometer
literally would cost the product of all branches; here each *skeleton* (the values of the parameters that decide which others
exist) has an odometer of its own, and the odometers are merged.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import TypeAlias

from automl_run.dsl import evaluate, ir
from automl_run.dsl.ir import Param, ParamId, Point, Program
from automl_run.errors import RunError

from . import domains

#: The values an enumeration gives to one parameter, in order.
Axis: TypeAlias = Callable[[Param], Sequence[int | float]]

_MAX_TRIES = 10_000
_MAX_BARREN = 100_000
_MAX_SKELETONS = 4096
_LISTED = 10_000


def generator(*key: int | str) -> random.Random:
    """A generator that depends on `key` alone, the same on every machine."""
    return random.Random("/".join(str(part) for part in key))


def point_key(point: Point) -> tuple[tuple[ParamId, int | float], ...]:
    """`point` as something that can be kept in a set."""
    return tuple(sorted(point.items()))


class Space:
    """The allowed points of `program`. Holds no position: every method starts afresh."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._listed: list[Point] | None = None
        read: set[ParamId] = set()
        for param in program.params:
            read |= _reads(param.active)
        self._deciding = tuple(param for param in program.params if param.id in read)
        self._positions = {param.id: position for position, param in enumerate(program.params)}

    @property
    def numeric(self) -> bool:
        """Whether any parameter is a range."""
        return any(not isinstance(param.domain, ir.Choice) for param in self.program.params)

    def feasible(self, point: Point) -> bool:
        return evaluate.infeasible_because(self.program, point) is None

    # -- drawing ----------------------------------------------------------------------------------------------------------

    def sample(self, rng: random.Random, tries: int = _MAX_TRIES) -> Point:
        """An allowed point drawn from the prior of every parameter. RunError if `tries` draws break a `require`."""
        return self.search(lambda: self.draw(rng), rng, tries)

    def draw(self, rng: random.Random) -> Point:
        """A point drawn from the prior, allowed or not."""
        return evaluate.build_point(self.program, lambda param: domains.from_unit(param.domain, rng.random()))

    def search(self, propose: Callable[[], Point], rng: random.Random, tries: int = _MAX_TRIES) -> Point:
        """The first allowed point that `propose` gives; a small finite space is listed before giving up."""
        reason: str | None = None
        for _ in range(tries):
            point = propose()
            reason = evaluate.infeasible_because(self.program, point)
            if reason is None:
                return point
        listed = self.listed()
        if listed:
            return listed[rng.randrange(len(listed))]
        if listed is not None:
            raise RunError(f"no combination of the parameters is allowed; the last one tried: {reason}")
        raise RunError(f"none of {tries} points drawn is allowed; the last one: {reason}")

    def baseline(self) -> Point | None:
        """The allowed point that makes the very configuration of the study's baseline; None without either."""
        if not self.program.study.baseline:
            return None
        try:
            point = evaluate.baseline_point(self.program)
            same = point is not None and evaluate.resolve(self.program, None) == evaluate.resolve(self.program, point)
        except evaluate.Undefined:
            return None
        return point if same and point is not None and self.feasible(point) else None

    # -- listing ----------------------------------------------------------------------------------------------------------

    def size(self) -> int | None:
        """The number of points, allowed or not. None for a continuum, or where it is too branched to be counted."""
        if any(domains.values(param.domain) is None for param in self.program.params):
            return None
        total = 0
        for number, skeleton in enumerate(self._skeletons(_all_values)):
            if number >= _MAX_SKELETONS:
                return None
            product = 1
            for param in self._free(skeleton):
                product *= domains.length(_all_values(param))
            total += product
        return total

    def listed(self) -> list[Point] | None:
        """All allowed points in canonical order if the space is small, else None. Computed once."""
        if self._listed is None:
            size = self.size()
            if size is None or size > _LISTED:
                return None
            self._listed = [point for point in self.points() if self.feasible(point)]
        return self._listed

    def points(self, axis: Axis | None = None) -> Iterator[Point]:
        """Every point, allowed or not, lazily and in canonical order. `axis` must be given for a space with a continuum."""
        axis = axis or _all_values
        skeletons = self._skeletons(axis)
        while batch := list(islice(skeletons, _MAX_SKELETONS)):
            # Beyond one batch the order is canonical within each batch only; it stays the same from run to run.
            odometers = [self._odometer(skeleton, axis) for skeleton in batch]
            merged = odometers[0] if len(odometers) == 1 else heapq.merge(*odometers, key=itemgetter(0))
            for _, point in merged:
                yield point

    def feasible_points(self, axis: Axis | None = None) -> Iterator[Point]:
        """The allowed ones of `points`. RunError after a long stretch without any, so that no search hangs on its `require`s."""
        barren = 0
        for point in self.points(axis):
            reason = evaluate.infeasible_because(self.program, point)
            if reason is None:
                barren = 0
                yield point
                continue
            barren += 1
            if barren >= _MAX_BARREN:
                raise RunError(f"{barren} combinations in a row are not allowed; the last one: {reason}")

    def _skeletons(self, axis: Axis) -> Iterator[Point]:
        def walk(depth: int, point: dict[ParamId, int | float]) -> Iterator[Point]:
            if depth == len(self._deciding):
                yield dict(point)
                return
            param = self._deciding[depth]
            if not evaluate.is_active(self.program, point, param):
                yield from walk(depth + 1, point)
                return
            for value in axis(param):
                point[param.id] = value
                yield from walk(depth + 1, point)
                del point[param.id]

        return walk(0, {})

    def _free(self, skeleton: Point) -> list[Param]:
        """The parameters that exist beside those of `skeleton`."""
        decided = {param.id for param in self._deciding}
        return [
            param for param in self.program.params if param.id not in decided and evaluate.is_active(self.program, skeleton, param)
        ]

    def _odometer(self, skeleton: Point, axis: Axis) -> Iterator[tuple[tuple[int, ...], Point]]:
        """The points of one skeleton with their place in the canonical order, increasing."""
        free = self._free(skeleton)
        axes = [axis(param) for param in free]
        places = [len(self._positions) - 1 - self._positions[param.id] for param in free]
        key = [0] * len(self._positions)
        for param in self._deciding:
            if param.id in skeleton:
                key[len(key) - 1 - self._positions[param.id]] = domains.nearest(axis(param), skeleton[param.id])
        order = [param.id for param in self.program.params if param.id in skeleton or param in free]
        digits = [0] * len(free)
        while True:
            point = dict(skeleton)
            for param, values, digit, place in zip(free, axes, digits, places, strict=True):
                point[param.id] = values[digit]
                key[place] = digit
            yield tuple(key), {name: point[name] for name in order}
            for wheel in range(len(digits)):
                digits[wheel] += 1
                if digits[wheel] < domains.length(axes[wheel]):
                    break
                digits[wheel] = 0
            else:
                return


def _all_values(param: Param) -> Sequence[int | float]:
    known = domains.values(param.domain)
    if known is None:
        raise ValueError(f"`{param.id}` is a continuum: it cannot be listed")
    return known


def _reads(node: object) -> set[ParamId]:
    """The parameters that an expression reads."""
    match node:
        case ir.ParamRef(param, _) | ir.IsAlt(param, _):
            return {param}
        case ir.Node():
            children: Iterable[object] = (getattr(node, field) for field in node.__struct_fields__)
        case tuple() | list():
            children = node
        case _:
            return set()
    found: set[ParamId] = set()
    for child in children:
        found |= _reads(child)
    return found
