"""Domains, sizes and conditions of parameters, as the language writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .. import ir
from ..literals import spell_float
from ..summary import count_values

#: Longer choices are cut.
_MOST_SHOWN = 12


def value_text(value: ir.Value) -> str:
    """A value as the language spells it."""
    if isinstance(value, float):
        return spell_float(value)
    return json.dumps(value, ensure_ascii=False)


def domain_text(domain: ir.Domain) -> str:
    if isinstance(domain, ir.Choice):
        shown = [alternative.label for alternative in domain.alts[:_MOST_SHOWN]]
        more = len(domain.alts) - len(shown)
        return " | ".join([*shown, *([f"… ({more} more)"] if more else [])])
    text = f"{value_text(domain.lo)}..{value_text(domain.hi)}"
    if domain.scale == "log":
        text = f"log {text}"
    if domain.step is not None:
        size = int(domain.step.size) if isinstance(domain, ir.Int) else domain.step.size
        text += f" step {'*' if domain.step.kind == 'mul' else ''}{value_text(size)}"
    return text


def size_text(domain: ir.Domain) -> str:
    if isinstance(domain, ir.Real) and domain.step is None:
        return "continuous"
    count = count_values(domain)
    return f"{count} value" if count == 1 else f"{count} values"


def baseline_text(baseline: Sequence[ir.Value]) -> str:
    shown = [value_text(value) for value in baseline]
    return shown[0] if len(shown) == 1 else f"({', '.join(shown)})"


def condition_text(condition: ir.Expr, params: Sequence[ir.Param]) -> str:
    """The condition under which a parameter exists, as it could be written."""
    match condition:
        case ir.IsAlt(param, alts):
            domain = next((each.domain for each in params if each.id == param), None)
            names = [domain.alts[at].label if isinstance(domain, ir.Choice) else f"[{at}]" for at in alts]
            return " or ".join(f"{param} is {name}" for name in names)
        case ir.Binary(op, left, right):
            return f"{condition_text(left, params)} {op} {condition_text(right, params)}"
        case ir.Unary("not", operand):
            return f"not ({condition_text(operand, params)})"
        case ir.Unary("-", operand):
            return f"-{condition_text(operand, params)}"
        case ir.ParamRef(param):
            return param
        case ir.Lit(value):
            return value_text(value)
        case ir.Apply(function, args):
            return f"{function}({', '.join(condition_text(arg, params) for arg in args)})"
        case _:
            return "a computed condition"
