"""The list of rules, and the way through it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..diagnostics import Diagnostic
from ..load import Checked
from .choices import from_the_elaborator
from .devices import shared_gpus
from .disabled import opposite_switches
from .literals import quoted_number
from .memory import few_bytes
from .names import unused, unused_below
from .nothing import null_in_a_list
from .ranges import linear_over_magnitudes
from .recommend import fewer_than_workers
from .requires import says_nothing
from .seeds import no_seed
from .shadows import shadowed
from .steps import end_not_reached
from .subject import Subject

#: In no order that matters: what is found is sorted by place.
RULES: tuple[Callable[[Subject], Iterable[Diagnostic]], ...] = (
    linear_over_magnitudes,
    unused,
    unused_below,
    null_in_a_list,
    few_bytes,
    shared_gpus,
    end_not_reached,
    shadowed,
    from_the_elaborator,
    opposite_switches,
    says_nothing,
    fewer_than_workers,
    quoted_number,
    no_seed,
)


def lint(checked: Checked, file: str) -> list[Diagnostic]:
    """What is found in the layer that was read from `file`, by place; nothing for a program with errors, which come first."""
    layer = next((layer for layer in checked.layers if layer.module.file == file), None)
    if checked.program is None or layer is None or file not in checked.sources:
        return []
    subject = Subject(checked, checked.program, layer.module, checked.sources[file], layer.legacy)
    out = {diagnostic: None for rule in RULES for diagnostic in rule(subject)}
    return sorted(out, key=lambda each: (each.span.start, each.code))
