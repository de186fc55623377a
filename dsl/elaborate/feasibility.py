"""Whether a program allows any point at all, and its own baseline: looked at by trying, since the language is total."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable

from .. import ir
from ..diagnostics import Diagnostic
from ..evaluate import TOO_MUCH_WORK, build_point, infeasible_because
from ..source import Span
from .domains import snapped
from .logic import reads
from .order import derives

#: Enough to tell a condition that hardly holds from one that never does; a program that is not at fault needs one or two.
_DRAWS = 20_000
#: With many parameters fewer points are tried, so that a check stays quick; then nothing found is a warning only.
_WORK = 400_000
_CERTAIN = 5_000
#: Values beside a condition that does not hold; more of them hide the one that matters.
_MOST_SHOWN = 6


def check(program: ir.Program, place: Callable[[str], Span], otherwise: Span) -> list[Diagnostic]:
    """An error if neither the baseline nor any point drawn is allowed, a warning if only the baseline is not.

    `place` gives the `require` that a reason comes from, `otherwise` is where nothing better is known.
    """
    if not program.requires and not derives(program.config):
        return []
    reason = infeasible_because(program, None)
    if reason is None:
        return []
    generator, reasons = random.Random(0), Counter[str]()
    draws = min(_DRAWS, _WORK // (1 + len(program.params) + len(program.requires))) if program.params else 1
    while reasons.total() < draws:
        because = infeasible_because(program, build_point(program, lambda param: _draw(param.domain, generator)))
        if because is None:
            break
        reasons[because] += 1
        if TOO_MUCH_WORK in because:  # it costs as much as a thousand others
            draws -= draws // 3
    else:
        worst, count = reasons.most_common(1)[0]
        certain = draws >= _CERTAIN or not program.params
        message = f"nothing is allowed: {worst}" if certain else f"hardly anything is allowed: {worst}"
        help = f"tried: the baseline and {reasons.total()} points; {count} of them for this reason" if program.params else ""
        return [Diagnostic("AM123", message, _span(worst, place, otherwise), "", help, "error" if certain else "warning")]
    if not program.study.baseline:
        return []
    help = f"{_here(program, reason)}set another baseline with `=`, or `baseline = false` in the study"
    return [Diagnostic("AM124", f"the baseline is not allowed: {reason}", _span(reason, place, otherwise), "", help, "warning")]


def _here(program: ir.Program, reason: str) -> str:
    """The baseline of what the broken `require` reads: "here a = 1, b = 2; "."""
    for require in program.requires:
        if reason in (require.reason, f"`require {require.text}` does not hold"):
            params = [program.param(id) for id in reads(require.condition)][:_MOST_SHOWN]
            values = ", ".join(f"{param.id} = {', '.join(map(json.dumps, param.baseline))}" for param in params)
            return f"here {values}; " if values else ""
    return ""


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
