"""Whether a program allows any point at all, enough of them, and its own baseline: it is tried, as the language is total."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable

from .. import ir
from ..diagnostics import Diagnostic
from ..evaluate import TOO_MUCH_WORK, Assignment, Undefined, build_point, evaluate, infeasible_because
from ..source import Span
from .domains import snapped
from .logic import reads
from .order import derives

#: So many single points are tried first: a program that is not at fault needs one or two, and no NumPy.
_FIRST = 300
#: With many parameters fewer, so that a check stays quick.
_WORK = 100_000
#: A smaller share than this is worth a warning.
_HARDLY = 1e-4
#: Values beside a condition that does not hold; more of them hide the one that matters.
_MOST_SHOWN = 6


def check(program: ir.Program, place: Callable[[str], Span], otherwise: Span) -> list[Diagnostic]:
    """An error if no point is allowed, a warning if hardly any is, or if the baseline is not.

    `place` gives the `require` that a reason comes from, `otherwise` is where nothing better is known.
    """
    if not program.requires and not derives(program.config):
        return []
    reason = infeasible_because(program, None)
    if not program.params:
        return [] if reason is None else [_nothing(reason, "", place, otherwise)]
    reasons = _tried_singly(program)
    found: list[Diagnostic] = []
    if reasons is not None and reason is not None and (wrong := _wrong_type(program, {reason, *reasons})) is not None:
        require, because = wrong
        return [Diagnostic("AM104", f"this cannot be computed: {because}", _span(_no_value(require, because), place, otherwise))]
    if reasons is not None:
        found = _among_many(program, reason is None, reasons, place, otherwise)
    if reason is None or not program.study.baseline or any(item.severity == "error" for item in found):
        return found
    help = f"{_here(program, reason)}set another baseline with `=`, or `baseline = false` in the study"
    message = f"the baseline is not allowed: {reason}"
    return [*found, Diagnostic("AM124", message, _span(reason, place, otherwise), "", help, "warning")]


def _tried_singly(program: ir.Program) -> Counter[str] | None:
    """None as soon as a point is allowed, else why those tried are not."""
    generator, reasons = random.Random(0), Counter[str]()
    draws = max(min(_FIRST, _WORK // (1 + len(program.params) + len(program.requires))), 10)
    while reasons.total() < draws:
        because = infeasible_because(program, build_point(program, lambda param: _draw(param.domain, generator)))
        if because is None:
            return None
        reasons[because] += 1
        if TOO_MUCH_WORK in because:  # it costs as much as a thousand others
            draws -= draws // 3
    return reasons


def _no_value(require: ir.Require, because: str) -> str:
    """What `infeasible_because` says of a `require` that cannot be computed."""
    return f"`require {require.text}` has no value: {because}"


def _wrong_type(program: ir.Program, reasons: set[str]) -> tuple[ir.Require, str] | None:
    """The `require` that alone allows nothing, as its values are of the wrong kind, and what is wrong with it."""
    for require in program.requires:
        broken = (require.reason, f"`require {require.text}` does not hold")
        if not all(reason.startswith(_no_value(require, "")) or reason in broken for reason in reasons):
            continue
        try:
            evaluate(require.condition, Assignment(program, None))
        except Undefined as undefined:
            if isinstance(undefined.__cause__, TypeError):
                return require, str(undefined)
    return None


def _among_many(
    program: ir.Program, has_baseline: bool, reasons: Counter[str], place: Callable[[str], Span], otherwise: Span
) -> list[Diagnostic]:
    """What a great number of points says after none of a few was allowed. `reasons`: why those were not."""
    worst, count = reasons.most_common(1)[0]
    tried, telling, allowed, exact = reasons.total(), False, 0, False
    if not any(TOO_MUCH_WORK in because for because in reasons):
        from .acceptance import acceptance

        found = acceptance(program)
        if found.share >= _HARDLY:
            return []
        worst, count, tried = found.worst, found.worst_count, found.tried
        telling, allowed, exact = found.is_telling, found.allowed, found.exact
    points = f"all {tried} points" if exact else f"{tried} points"
    if not allowed and telling and not has_baseline:
        return [_nothing(worst, f"tried: the baseline and {points}; {count} of them for this reason", place, otherwise)]
    many = f"{allowed} of " if allowed else "none of " if not exact else "only the baseline, none of "
    help = f"{many}{points} {'are' if allowed != 1 else 'is'} allowed; {count} are not for this reason"
    return [Diagnostic("AM123", f"hardly anything is allowed: {worst}", _span(worst, place, otherwise), "", help, "warning")]


def _nothing(worst: str, help: str, place: Callable[[str], Span], otherwise: Span) -> Diagnostic:
    return Diagnostic("AM123", f"nothing is allowed: {worst}", _span(worst, place, otherwise), "", help)


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
