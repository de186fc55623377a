"""The invariants of the IR: what every reader of a Program may rely on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import assert_never

from . import ir
from .elaborate.logic import children, reads
from .ir import Program, Value


def problems(program: Program) -> list[str]:
    """What is wrong with `program`, [] if nothing is. A program that was elaborated has no problems; one from elsewhere may."""
    return [*_identity(program), *(text for param in program.params for text in _param(param)), *_reads(program)]


def validate(program: Program) -> None:
    """Raises ValueError that names the first problem."""
    found = problems(program)
    if found:
        raise ValueError(found[0])


def _identity(program: Program) -> Iterator[str]:
    seen: set[str] = set()
    for param in program.params:
        if not param.id or param.id != param.id.strip():
            yield f"`{param.id}` is no path-like id"
        if param.id in seen:
            yield f"the id `{param.id}` is there twice"
        for other in reads(param.active):
            if other not in seen:
                yield f"the condition of `{param.id}` reads `{other}`, which does not stand before it"
        seen.add(param.id)


def _param(param: ir.Param) -> Iterator[str]:
    if not param.targets:
        yield f"`{param.id}` has no target"
    if len(param.baseline) != len(param.targets):
        yield f"`{param.id}` has {len(param.targets)} targets and {len(param.baseline)} baseline values"
    if not all(_is_finite(value) for value in param.baseline):
        yield f"the baseline of `{param.id}` is not finite"
    match param.domain:
        case ir.Real(lo, hi, scale, step) | ir.Int(lo, hi, scale, step):
            if not (_is_finite(lo) and _is_finite(hi) and lo < hi):
                yield f"the range of `{param.id}` is empty or not finite"
            elif scale == "log" and lo <= 0:
                yield f"the log range of `{param.id}` does not start above zero"
            if step is not None and not (math.isfinite(step.size) and step.size > (1 if step.kind == "mul" else 0)):
                yield f"the step of `{param.id}` leads nowhere"
        case ir.Choice(alts):
            if not alts:
                yield f"`{param.id}` has no alternative"
            for alt in alts:
                if len(alt.values) != len(param.targets):
                    yield f"an alternative of `{param.id}` has {len(alt.values)} values for {len(param.targets)} targets"
                if not all(_is_finite(value) for value in alt.values):
                    yield f"an alternative of `{param.id}` is not finite"
        case _:
            assert_never(param.domain)


def _is_finite(value: Value) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case list():
            return all(_is_finite(item) for item in value)
        case dict():
            return all(_is_finite(item) for item in value.values())
        case _:
            return True


# -- reads ------------------------------------------------------------------------------------------------------------------------


def _reads(program: Program) -> Iterator[str]:
    params = {param.id: param for param in program.params}

    def read(id: str, slot: int) -> Iterator[str]:
        if id not in params:
            yield f"`{id}` is read and does not exist"
        elif not 0 <= slot < len(params[id].targets):
            yield f"`{id}` has no target number {slot}"

    def expr(node: ir.Expr) -> Iterator[str]:
        match node:
            case ir.ParamRef(param, slot):
                yield from read(param, slot)
            case ir.IsAlt(param, alts):
                yield from read(param, 0)
                found = params.get(param)
                if found is not None and (
                    not isinstance(found.domain, ir.Choice) or any(a >= len(found.domain.alts) for a in alts)
                ):
                    yield f"`{param}` has no such alternative"
            case ir.Lit(value):
                if not _is_finite(value):
                    yield "a literal is not finite"
        for child in children(node):
            yield from expr(child)

    def config(node: ir.ConfigNode) -> Iterator[str]:
        match node:
            case ir.Const(value):
                if not _is_finite(value):
                    yield "a value is not finite"
            case ir.Read(param, slot):
                yield from read(param, slot)
            case ir.Derived(inner):
                yield from expr(inner)
            case ir.Component(_, args, attrs):
                for child in (*args.values(), *attrs.values()):
                    yield from config(child)
            case ir.ListNode(items):
                for child in items:
                    yield from config(child)
            case ir.MapNode(entries):
                for child in entries.values():
                    yield from config(child)
            case ir.ChoiceNode(param, nodes, baseline):
                yield from read(param, 0)
                found = params.get(param)
                if found is not None and (not isinstance(found.domain, ir.Choice) or len(found.domain.alts) != len(nodes)):
                    yield f"`{param}` has another number of alternatives than places"
                for child in (*nodes, *(() if baseline is None else (baseline,))):
                    yield from config(child)
            case ir.Guarded(guard, then, otherwise):
                yield from expr(guard)
                yield from config(then)
                if otherwise is not None:
                    yield from config(otherwise)
            case _:
                assert_never(node)

    yield from config(program.config)
    for param in program.params:
        if param.active is not None:
            yield from expr(param.active)
    for require in program.requires:
        yield from expr(require.condition)
    for ensure in program.study.ensures:
        yield from expr(ensure.condition)
    for objective in program.study.objectives:
        if objective.expr is not None:
            yield from expr(objective.expr)
