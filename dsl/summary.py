"""What `automl-run check` prints: the parameters of a program, the size of its space, its diagnostics, as one JSON document."""

from __future__ import annotations

from collections.abc import Iterator

from . import ir
from .diagnostics import Diagnostic
from .elaborate.domains import steps
from .elaborate.logic import reads
from .evaluate import infeasible_because, next_unassigned
from .ir import Program, Value
from .load import Checked
from .source import Source

#: A space with conditions or `require`s is counted point by point up to here.
_MAX_COUNTED = 20_000


def check_document(checked: Checked) -> dict[str, Value]:
    """The document of `check --json`."""
    program = checked.program
    return {
        "ok": program is not None,
        "digest": None if program is None else program.digest,
        "parameters": [] if program is None else [_parameter(param) for param in program.params],
        "size": None if program is None else size(program),
        "diagnostics": [_diagnostic(found, checked.sources.get(found.span.file)) for found in checked.diagnostics],
    }


def _parameter(param: ir.Param) -> dict[str, Value]:
    domain = param.domain
    entry: dict[str, Value] = {"id": param.id, "label": param.label}
    match domain:
        case ir.Choice(alts):
            choices: list[Value] = [list(alt.values) for alt in alts]
            entry.update({"kind": "choice", "low": None, "high": None, "scale": None, "step": None, "choices": choices})
        case ir.Real(lo, hi, scale, step) | ir.Int(lo, hi, scale, step):
            kind = "int" if isinstance(domain, ir.Int) else "float"
            entry.update({"kind": kind, "low": lo, "high": hi, "scale": scale, "step": _step(domain, step), "choices": None})
    entry.update({"targets": list(param.targets), "baseline": list(param.baseline)})
    return entry


def _step(domain: ir.Real | ir.Int, step: ir.Step | None) -> Value:
    """The step as a number; `"*2"` for a factor."""
    if step is None:
        return None
    size = int(step.size) if isinstance(domain, ir.Int) else step.size
    return size if step.kind == "add" else f"*{size}"


def _diagnostic(found: Diagnostic, source: Source | None) -> dict[str, Value]:
    line, column = (None, None) if source is None else source.position(found.span.start)
    return {
        "code": found.code,
        "severity": found.severity,
        "message": found.message,
        "file": found.span.file or None,
        "line": line,
        "column": column,
    }


# -- size -------------------------------------------------------------------------------------------------------------------------


def size(program: Program) -> int | None:
    """How many points the space has, those that a `require` forbids left out; None if it is infinite or was not counted.

    A space of more than 20,000 points is counted without looking at what `require` forbids.
    """
    if any(isinstance(param.domain, ir.Real) and param.domain.step is None for param in program.params):
        return None
    if not program.requires:
        return _by_groups(program)
    count = 0
    for number, point in enumerate(_points(program, {})):
        if number >= _MAX_COUNTED:
            return _by_groups(program)
        count += infeasible_because(program, point) is None
    return count


def count_values(domain: ir.Domain) -> int:
    """How many values a finite domain has."""
    return len(domain.alts) if isinstance(domain, ir.Choice) else steps(domain)


def _values(domain: ir.Domain) -> Iterator[int | float]:
    match domain:
        case ir.Choice(alts):
            yield from range(len(alts))
        case ir.Int(lo, hi, _, None):
            yield from range(lo, hi + 1)
        case ir.Real(lo, _, _, step) | ir.Int(lo, _, _, step):
            for at in range(steps(domain)):
                size = 0.0 if step is None else step.size
                value = lo + at * size if step is not None and step.kind == "add" else lo * size**at
                yield round(value) if isinstance(domain, ir.Int) else value


def _points(program: Program, point: dict[str, int | float]) -> Iterator[dict[str, int | float]]:
    param = next_unassigned(program, point)
    if param is None:
        yield point
        return
    for value in _values(param.domain):
        yield from _points(program, {**point, param.id: value})


def _by_groups(program: Program) -> int | None:
    """The product over groups of parameters that do not condition each other; None if a group is too large."""
    group = {param.id: param.id for param in program.params}

    def root(id: str) -> str:
        while group[id] != id:
            id = group[id]
        return id

    for param in program.params:
        for other in reads(param.active):
            group[root(param.id)] = root(other)
    out = 1
    for name in {root(param.id) for param in program.params}:
        members = tuple(param for param in program.params if root(param.id) == name)
        if len(members) == 1:
            out *= count_values(members[0].domain)
            continue
        part = ir.Program(program.study, members, ir.MapNode({}))
        count = 0
        for count, _ in enumerate(_points(part, {}), 1):
            if count > _MAX_COUNTED:
                return None
        out *= count
    return out
