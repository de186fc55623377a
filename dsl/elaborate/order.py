"""The order of parameters: first occurrence in the configuration, then stably so that conditions read only earlier ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from .. import ir
from .logic import reads


def occurrences(node: ir.ConfigNode) -> list[ir.ParamId]:
    """Every parameter read below `node`, depth first, each once."""
    out: dict[ir.ParamId, None] = {}
    _visit(node, out)
    return list(out)


def _visit(node: ir.ConfigNode, out: dict[ir.ParamId, None]) -> None:
    match node:
        case ir.Const():
            pass
        case ir.Read(param):
            out[param] = None
        case ir.Derived(expr):
            out.update(dict.fromkeys(reads(expr)))
        case ir.Component(_, args, attrs):
            for child in (*attrs.values(), *args.values()):
                _visit(child, out)
        case ir.ListNode(items):
            for child in items:
                _visit(child, out)
        case ir.MapNode(entries):
            for child in entries.values():
                _visit(child, out)
        case ir.ChoiceNode(param, nodes, baseline):
            out[param] = None
            for child in nodes:
                _visit(child, out)
            if baseline is not None:
                _visit(baseline, out)
        case ir.Guarded(guard, then, otherwise):
            out.update(dict.fromkeys(reads(guard)))
            _visit(then, out)
            if otherwise is not None:
                _visit(otherwise, out)
        case _:
            assert_never(node)


def ordered(config: ir.MapNode, params: Mapping[ir.ParamId, ir.Param], others: Iterable[ir.ParamId]) -> tuple[ir.Param, ...]:
    """The parameters that `config` reads, then `others`, and before each what its condition reads."""
    out: dict[ir.ParamId, ir.Param] = {}

    def put(id: ir.ParamId) -> None:
        if id in out or id not in params:
            return
        for needed in reads(params[id].active):
            put(needed)
        out[id] = params[id]

    for id in (*occurrences(config), *others):
        put(id)
    return tuple(out.values())


def derives(node: ir.ConfigNode) -> bool:
    """Whether something below `node` is computed, and so could have no value."""
    match node:
        case ir.Derived():
            return True
        case ir.Guarded():
            return True
        case ir.Component(_, args, attrs):
            return any(derives(child) for child in (*attrs.values(), *args.values()))
        case ir.ListNode(items):
            return any(derives(child) for child in items)
        case ir.MapNode(entries):
            return any(derives(child) for child in entries.values())
        case ir.ChoiceNode(_, nodes, baseline):
            return any(derives(child) for child in nodes) or (baseline is not None and derives(baseline))
        case ir.Const() | ir.Read():
            return False
        case _:
            assert_never(node)
