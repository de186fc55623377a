"""Allowed points close to one that is not: what a sampler that always proposes the same best point is given instead."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from automl_run.dsl import evaluate
from automl_run.dsl.ir import Param, Point, Program

from . import domains
from .space import Space

#: Points that are drawn in search of allowed ones, half of them around the one that is not.
_DRAWN = 1000
#: How far those reach: shares of the range of a parameter.
_REACH = (0.01, 0.03, 0.1, 0.3)


def distance(program: Program, a: Point, b: Point) -> float:
    """Of a range the square of the share of it between them; 1 for another alternative, or a parameter that only one has."""
    total = 0.0
    for param in program.params:
        one, other = a.get(param.id), b.get(param.id)
        if one is None or other is None:
            total += one is not other
        elif not param.has_order:
            total += one != other
        else:
            total += (domains.to_unit(param.domain, one) - domains.to_unit(param.domain, other)) ** 2
    return total


def nearest_of(program: Program, point: Point, points: Iterable[Point]) -> Point:
    """The first of the nearest; there must be one."""
    return min(points, key=lambda other: distance(program, point, other))


def nearest_drawn(space: Space, point: Point, rng: random.Random, is_allowed: Callable[[Point], bool]) -> Point | None:
    """The nearest of the allowed ones among those drawn; None: there were none."""

    def around(reach: float) -> Callable[[Param], int | float]:
        def choose(param: Param) -> int | float:
            if param.id not in point or (not param.has_order and rng.random() < reach):
                return domains.from_unit(param.domain, rng.random())
            if not param.has_order:
                return point[param.id]
            return domains.from_unit(param.domain, domains.to_unit(param.domain, point[param.id]) + rng.gauss(0.0, reach))

        return choose

    drawn = [space.draw(rng) for _ in range(_DRAWN // 2)]
    drawn += [evaluate.build_point(space.program, around(_REACH[i % len(_REACH)])) for i in range(_DRAWN // 2)]
    allowed = [other for other in drawn if is_allowed(other)]
    return nearest_of(space.program, point, allowed) if allowed else None
