"""Parts of the IR as short text for people, parameters by their ids. (`to_automl` writes what can be read back.)"""

from __future__ import annotations

from typing import assert_never

from . import ir
from .elaborate.domains import shown

_LOOSE = ("or", "and", "==", "!=", "<", "<=", ">", ">=", "in", "not in")


def spell(expr: ir.Expr, program: ir.Program) -> str:
    """`train.model is UNet and depth > 3`"""
    params = {param.id: param for param in program.params}

    def inner(node: ir.Expr) -> str:
        text = go(node)
        return f"({text})" if isinstance(node, (ir.Binary, ir.IfElse)) else text

    def go(node: ir.Expr) -> str:
        match node:
            case ir.Lit(value):
                return shown(value)
            case ir.ParamRef(id, slot):
                param = params.get(id)
                return param.targets[slot] if param is not None and len(param.targets) > 1 else id
            case ir.IsAlt(id, alts):
                param = params.get(id)
                found = param.domain.alts if param is not None and isinstance(param.domain, ir.Choice) else ()
                names = [found[at].label if at < len(found) else str(at) for at in alts]
                return f"{id} is {' or '.join(names)}"
            case ir.Unary("not", ir.IsAlt(id, alts)):
                return go(ir.IsAlt(id, alts)).replace(" is ", " is not ", 1)
            case ir.Unary(op, operand):
                return f"{op}{' ' if op == 'not' else ''}{inner(operand)}"
            case ir.Binary(op, left, right):
                if op in _LOOSE[:2]:
                    return f"{_side(left, op)} {op} {_side(right, op)}"
                return f"{inner(left)} {op} {inner(right)}"
            case ir.IfElse(condition, then, otherwise):
                return f"{inner(then)} if {inner(condition)} else {inner(otherwise)}"
            case ir.ListOf(items):
                return f"[{', '.join(map(go, items))}]"
            case ir.MapOf(entries):
                return "{" + ", ".join(f"{key}: {go(item)}" for key, item in entries) + "}"
            case ir.Comprehension(body, name, iterable, condition):
                test = "" if condition is None else f" if {go(condition)}"
                return f"[{go(body)} for {name} in {go(iterable)}{test}]"
            case ir.RangeOf(lo, hi):
                return f"{inner(lo)}..{inner(hi)}"
            case ir.Local(name):
                return name
            case ir.IndexOf(base, index):
                return f"{inner(base)}[{go(index)}]"
            case ir.Metric(name):
                return name
            case ir.Apply(function, args):
                return f"{function}({', '.join(map(go, args))})"
            case _:
                assert_never(node)

    def _side(node: ir.Expr, op: str) -> str:
        loose = isinstance(node, ir.IfElse) or (isinstance(node, ir.Binary) and node.op in _LOOSE[:2] and node.op != op)
        return f"({go(node)})" if loose else go(node)

    return go(expr)


def spell_node(node: ir.ConfigNode, program: ir.Program) -> str:
    """What stands at a place: `3`, `search of lr`, `UNet(depth = 3)`."""

    def go(node: ir.ConfigNode) -> str:
        match node:
            case ir.Const(value):
                return shown(value)
            case ir.Read(param, slot, baseline):
                return spell(ir.ParamRef(param, slot), program) + (
                    "" if baseline is None else f" (baseline {shown(baseline.value)})"
                )
            case ir.Derived(expr):
                return spell(expr, program)
            case ir.Component(cls, args, attrs, instance):
                parts = [f"{key} = {go(item)}" for key, item in args.items()]
                parts += [f"@{key} = {go(item)}" for key, item in attrs.items()]
                return f"{cls}{'' if instance is None else f'#{instance}'}({', '.join(parts)})"
            case ir.ListNode(items):
                return f"[{', '.join(map(go, items))}]"
            case ir.MapNode(entries):
                return "{" + ", ".join(f"{key}: {go(item)}" for key, item in entries.items()) + "}"
            case ir.ChoiceNode(nodes=nodes):
                return " | ".join(map(go, nodes))
            case ir.Guarded(guard, then, otherwise):
                rest = "" if otherwise is None else f" else {go(otherwise)}"
                return f"{go(then)} {'when' if otherwise is None else 'if'} {spell(guard, program)}{rest}"
            case _:
                assert_never(node)

    return go(node)
