"""What Clara's JSON has no words for, made into lists of values: integers, steps, log scales, conditions, nested alternatives.

A finite range becomes the list of its values; another becomes a grid of `grid` values.
"""

from __future__ import annotations

from msgspec.structs import replace

from .. import ir
from ..elaborate.domains import shown
from ..printer import print_module
from ..to_automl import reread, to_module
from ..to_automl_exprs import Unwritable
from .combine import combine
from .lower_values import is_exact, range_text, values_of
from .writer import Loss


def lower(program: ir.Program, grid: int) -> tuple[ir.Program, tuple[Loss, ...]]:
    """The program with lists instead, and what each lost."""
    program, losses = combine(program, grid)
    params: list[ir.Param] = []
    for param in program.params:
        domain = param.domain
        if isinstance(domain, ir.Choice) or domain == ir.Real(domain.lo, domain.hi):
            params.append(param)
            continue
        values = values_of(param, grid)
        if not is_exact(param, grid):
            losses.append(Loss(f"a grid of {len(values)} values instead of the {range_text(domain)}", param.id))
        alts = tuple(ir.Alt(shown(value), (value,) * len(param.targets)) for value in values)
        params.append(replace(param, domain=ir.Choice(alts, True)))
    lowered = replace(program, params=tuple(params))
    try:
        read, _ = reread(print_module(to_module(lowered)), program)
    except Unwritable:
        read = None
    return (lowered if read is None else read), tuple(losses)
