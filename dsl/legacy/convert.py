"""Program -> Clara's two files, proved by reading them again.

Codes: AM230 something that Clara's JSON cannot say, AM231 something that was made coarser.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from automl_run.errors import InputError

from .. import ir
from ..diagnostics import Diagnostic
from ..digest import digest
from ..ir import Value
from ..source import NOWHERE, Source, Span
from .lower import lower
from .study_writer import automl_config
from .training import read_training
from .writer import Loss, training_config

Mode = Literal["strict", "lower"]
Spans = Callable[[str], Span]


class Unsayable(InputError):
    """Clara's JSON cannot say all of a program. `losses` names each thing."""

    def __init__(self, losses: tuple[Loss, ...]) -> None:
        super().__init__("Clara's JSON cannot say: " + "; ".join(f"{loss.place}: {loss.message}" for loss in losses))
        self.losses = losses


@dataclass(frozen=True, slots=True)
class Converted:
    """`training`: the config; `automl`: the AutoML config. `losses`: what they do not say; `lowered`: what was made coarser."""

    training: dict[str, Value]
    automl: dict[str, Value]
    losses: tuple[Loss, ...]
    study_losses: tuple[Loss, ...]
    lowered: tuple[Loss, ...] = ()


def convert(program: ir.Program, *, mode: Mode = "strict", grid: int = 8) -> Converted:
    """Both files. With `losses` the training config is not the program; without, it was read again and has its digest."""
    lowered: tuple[Loss, ...] = ()
    if mode == "lower":
        program, lowered = lower(program, grid)
    training, losses = training_config(program)
    if not losses:
        losses = _proof(program, training)
    automl, study_losses = automl_config(program.study)
    return Converted(training, automl, tuple(losses), tuple(study_losses), lowered)


def to_legacy(program: ir.Program, *, mode: Mode = "strict", grid: int = 8) -> dict[str, Value]:
    """The training config. Unsayable names everything that it could not say."""
    found = convert(program, mode=mode, grid=grid)
    if found.losses:
        raise Unsayable(found.losses)
    return found.training


def diagnostics(
    found: tuple[Loss, ...], spans: Mapping[str, Span], what: Literal["lost", "dropped", "coarser"]
) -> list[Diagnostic]:
    """Losses at what they are about, in the order of the text: errors when they are lost, warnings when that was allowed."""
    code = "AM231" if what == "coarser" else "AM230"
    verb = "made coarser" if what == "coarser" else "Clara's JSON cannot say"
    severity: Literal["error", "warning"] = "error" if what == "lost" else "warning"
    out: list[Diagnostic] = []
    for loss in found:
        place = f" (`{loss.place}`)" if loss.place and not loss.place.startswith(("study.", "require ")) else ""
        out.append(Diagnostic(code, f"{verb}: {loss.message}{place}", _span(loss.place, spans), "", loss.help, severity))
    return sorted(out, key=lambda item: (item.span.file, item.span.start))


def _span(place: str, spans: Mapping[str, Span]) -> Span:
    """The place itself, else the nearest around it that is written somewhere."""
    while place:
        if place in spans:
            return spans[place]
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return NOWHERE


def _proof(program: ir.Program, training: dict[str, Value]) -> list[Loss]:
    """[] if the config reads as the program; else what stands between."""
    from ..elaborate import Request, elaborate
    from ..elaborate.layers import Layer

    module, found = read_training(Source("config_train.json", json.dumps(training)))
    errors = [item for item in found if item.severity == "error"]
    read: ir.Program | None = None
    if not errors:
        request = Request([Layer(module, legacy=True)], variables=copy.copy(program.variables), base_dir=program.base_dir)
        elaborated = elaborate(request)
        errors = [item for item in elaborated.diagnostics if item.severity == "error"]
        read = elaborated.program
    if read is None:
        return [Loss(f"Clara reads this otherwise: {errors[0].message}" if errors else "Clara reads this otherwise", "")]
    bare = ir.Study()
    if digest(replace(read, study=bare)) == digest(replace(program, study=bare)):
        return []
    before = {param.id: param for param in program.params}
    after = {param.id: param for param in read.params}
    differing = [id for id in before if id not in after or not _alike(before[id], after[id])]
    if differing:
        return [Loss("Clara names or bounds this search otherwise", id) for id in differing]
    entries = program.config.entries
    keys = [key for key in entries if entries[key] != read.config.entries.get(key)]
    return [Loss("Clara reads this value otherwise", key) for key in keys] or [Loss("Clara reads this otherwise", "")]


def _alike(a: ir.Param, b: ir.Param) -> bool:
    bare = {"label": "", "doc": ""}
    return replace(a, **bare) == replace(b, **bare)
