"""Clara's names of what is searched: a Parameter Range Locator (PRL) such as `net.enum.train.model$1:norm` for each parameter.

`domain.type.path$number:args`: the label of the parameter; `enum` or `float`; where its targets stand; its number among those that
stand there, from 0; the names of the targets, separated by commas.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from automl_run.dsl import ir, prior
from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.evaluate import Assignment, build_point
from automl_run.dsl.ir import Param, Point, Program, Value

from .messages import Range

#: What a controller gives for each PRL.
Values: TypeAlias = dict[str, int | float]

#: A range with more values than this is a `float` to user code, and what it gives is taken to the nearest one.
_MOST_LISTED: Final = 1000
#: Of a range's length: how far outside a number may lie for the errors of its arithmetic.
_SLACK: Final = 1e-9


class Locators:
    """The search space of `program` as user code sees it."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._params: dict[str, Param] = {}
        self._names: dict[str, str] = {}
        self._listed = {param.id: _listed(param) for param in program.params}
        numbers: dict[str, int] = {}
        for param in program.params:
            if param.doc == param.id:
                # Of an executor's own search space: its own name.
                self._params[param.id], self._names[param.id] = param, param.id
                continue
            path, args = _place(param)
            kind = "float" if self._listed[param.id] is None else "enum"
            stem = f"{param.label or 'other'}.{kind}.{path}"
            name = f"{stem}${numbers.get(path, 0)}:{args}"
            numbers[path] = numbers.get(path, 0) + 1
            self._params[name] = param
            self._names[param.id] = name

    def choices(self) -> dict[str, list[list[Value]] | Range]:
        """PRL -> the choices of an enum, one value per target each, or the range of a float."""
        out: dict[str, list[list[Value]] | Range] = {}
        for name, param in self._params.items():
            listed = self._listed[param.id]
            if isinstance(param.domain, ir.Choice):
                out[name] = [list(alt.values) for alt in param.domain.alts]
            elif listed is not None:
                out[name] = [[value] * max(1, len(param.targets)) for value in listed]
            else:
                out[name] = Range(float(param.domain.lo), float(param.domain.hi))
        return out

    def values(self, point: Point) -> Values:
        """What a controller would have given for `point`."""
        out: Values = {}
        for param in self._program.params:
            if param.id in point:
                listed, value = self._listed[param.id], point[param.id]
                is_index = isinstance(param.domain, ir.Choice)
                out[self._names[param.id]] = value if listed is None or is_index else prior.nearest(listed, value)
        return out

    def concrete(self, point: Point) -> dict[str, list[Value]]:
        """PRL -> the value of each target, for those parameters that exist at `point`."""
        here = Assignment(self._program, point)
        return {self._names[param]: list(values) for param, values in here.values.items()}

    def point(self, values: Mapping[str, object]) -> Point:
        """The point that a controller means. ValueError for what is not in the space; what does not exist there is left out."""
        for name in values:
            if name not in self._params:
                raise ValueError(f"the search space has no `{name}`: {did_you_mean(name, self._params)}")

        def chosen(param: Param) -> int | float:
            name = self._names[param.id]
            if name not in values:
                raise ValueError(f"it has no value for `{name}`")
            return self._value(name, param, values[name])

        return build_point(self._program, chosen)

    def _value(self, name: str, param: Param, given: object) -> int | float:
        domain, listed = param.domain, self._listed[param.id]
        if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
            raise ValueError(f"`{name}` is a number, not {given!r}")
        if listed is not None:
            count = len(listed)
            if given != int(given) or not 0 <= given < count:
                raise ValueError(f"`{name}` has {count} choices, so its index is 0 to {count - 1}, not {given!r}")
            return int(given) if isinstance(domain, ir.Choice) else listed[int(given)]
        assert not isinstance(domain, ir.Choice)
        slack = _SLACK * (domain.hi - domain.lo)
        if not domain.lo - slack <= given <= domain.hi + slack:
            raise ValueError(f"`{name}` lies from {domain.lo:g} to {domain.hi:g}, and is not {given!r}")
        inside = min(max(given, domain.lo), domain.hi)
        known = prior.values(domain)
        return float(inside) if known is None else known[prior.nearest(known, inside)]


def _listed(param: Param) -> Sequence[int | float] | None:
    """The indices of a choice, the values of a short range of integers or steps; None for a range."""
    if isinstance(param.domain, ir.Choice):
        return range(len(param.domain.alts))
    known = prior.values(param.domain)
    return known if known is not None and prior.length(known) <= _MOST_LISTED else None


def _place(param: Param) -> tuple[str, str]:
    """Where the targets stand, and their names."""
    paths, names = [], []
    for target in param.targets or (param.id,):
        path, _, name = target.rpartition(".")
        paths.append(path)
        names.append(name)
    return paths[0], ",".join(names)
