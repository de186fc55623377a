"""AM909: a `require` that held at every point drawn, or at none, says nothing, or not what was meant."""

from __future__ import annotations

from collections.abc import Iterator

from .. import ast, ir
from ..diagnostics import Diagnostic
from .subject import Subject, found
from .walk import every

_DRAWS = 100_000
_FEW = 1000
#: Draws times parameters times conditions that are worth waiting for.
_WORK = 40_000_000


def says_nothing(subject: Subject) -> Iterator[Diagnostic]:
    written = {subject.text(each.condition.span): each.condition.span for each in every(subject.module, ast.Require)}
    requires = [require for require in subject.program.requires if require.text in written]
    if not requires or not subject.program.params:
        return
    # NumPy is imported only for a program that has something to draw.
    import numpy as np
    from msgspec.structs import replace

    from ..columns import Columns
    from ..sampling import from_units

    program = subject.program
    draws = max(_FEW, min(_DRAWS, _WORK // (len(program.params) * (len(requires) + 1))))
    counts = {}
    # Most conditions hold here and fail there after a few draws; only the others are worth all of them.
    for number in (_FEW, draws):
        generator = np.random.default_rng(0)
        shares = generator.random((len(program.params), number))
        # A quarter of all values lie at the ends of their ranges, where conditions fail first.
        ends = generator.random(shares.shape)
        shares[ends < 0.125] = 0.0
        shares[ends > 0.875] = np.nextafter(1.0, 0.0)
        drawn = {param.id: from_units(param.domain, row) for param, row in zip(program.params, shares, strict=True)}
        for require in requires:
            columns = Columns(replace(program, requires=(require,), config=ir.MapNode({})), drawn)
            counts[require.text] = int(columns.holds(require.condition).sum()), int((columns.rejected_by() == 0).sum())
        requires = [require for require in requires if not all(counts[require.text])]
    for require in requires:
        held, rejected = counts[require.text]
        # Where both are few, it reads what hardly ever exists, and the draws say little.
        if held + rejected >= draws // 100:
            yield found(
                "AM909",
                f"this {'held' if held else 'failed'} at all {held + rejected} points drawn",
                written[require.text],
                help="it forbids nothing" if held else "are its sides the wrong way round?",
            )
