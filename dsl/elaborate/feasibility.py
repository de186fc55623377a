"""Whether a program allows any point at all, and its own baseline: looked at by trying, since the language is total."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable

from .. import ir
from ..diagnostics import Diagnostic
from ..evaluate import build_point, infeasible_because
from ..source import Span
from .domains import snapped
from .order import derives

_DRAWS = 1000
_ENOUGH = 3


def check(program: ir.Program, place: Callable[[str], Span], otherwise: Span) -> list[Diagnostic]:
    """An error if none of the points drawn is allowed, a warning if the baseline is not.

    `place` gives the `require` that a reason comes from, `otherwise` is where nothing better is known.
    """
    found: list[Diagnostic] = []
    if not program.requires and not derives(program.config):
        return found
    reason = infeasible_because(program, None)
    if reason is not None and program.study.baseline:
        help = "set another baseline with `=`, or `baseline = false` in the study"
        message = f"the baseline is not allowed: {reason}"
        found.append(Diagnostic("AM124", message, _span(reason, place, otherwise), "", help, "warning"))
    generator, reasons, allowed = random.Random(0), Counter[str](), 0
    for _ in range(_DRAWS):
        point = build_point(program, lambda param: _draw(param.domain, generator))
        because = infeasible_because(program, point)
        allowed += because is None
        if because is not None:
            reasons[because] += 1
        if allowed >= _ENOUGH or (not program.params and not allowed):
            break
    if not allowed and reasons:
        worst, count = reasons.most_common(1)[0]
        message = f"nothing is allowed: none of {sum(reasons.values())} points drawn; {count} times {worst}"
        found.append(Diagnostic("AM123", message, _span(worst, place, otherwise)))
    return found


def _span(reason: str, place: Callable[[str], Span], otherwise: Span) -> Span:
    span = place(reason)
    return span if span.file else otherwise


def _draw(domain: ir.Domain, generator: random.Random) -> int | float:
    match domain:
        case ir.Choice(alts):
            return generator.randrange(len(alts))
        case ir.Int(lo, hi, "linear", None):
            return generator.randint(lo, hi)
        case ir.Real(lo, hi, scale) | ir.Int(lo, hi, scale):
            if scale == "log":
                return snapped(domain, math.exp(generator.uniform(math.log(lo), math.log(hi))))
            return snapped(domain, generator.uniform(lo, hi))
