"""`SearchSpace` objects, as user code has them, from choices as messages have them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl_run.dsl.ir import Value

from .loading import shown
from .messages import Range


def space_of(defs: Any, choices: Mapping[str, list[list[Value]] | Range]) -> Any:
    """A `SearchSpace` of the module `defs`."""
    targets = {
        name: [defs.FloatRange(found.lo, found.hi)] if isinstance(found, Range) else found for name, found in choices.items()
    }
    return defs.SearchSpace(targets)


def choices_of(space: object) -> dict[str, list[list[Value]] | Range]:
    """What a `SearchSpace` of the user's holds. ValueError for what is none."""
    targets = getattr(space, "targets", None)
    if not isinstance(targets, dict):
        raise ValueError(f"it gave {shown(space)}, where a SearchSpace was expected")
    out: dict[str, list[list[Value]] | Range] = {}
    for name, target in targets.items():
        if not isinstance(name, str) or not isinstance(target, list) or not target:
            raise ValueError(f"{shown(name)} has {shown(target)}, where a list was expected")
        if hasattr(target[0], "min") and hasattr(target[0], "max"):
            out[name] = Range(float(target[0].min), float(target[0].max))
            continue
        choices = [list(choice) if isinstance(choice, list | tuple) else [choice] for choice in target]
        if not choices[0] or len({len(choice) for choice in choices}) > 1:
            raise ValueError(f"the choices of `{name}` do not have one number of values")
        out[name] = choices
    return out
