"""The digest of a program: SHA-256 of the canonical JSON of what it means."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from . import ir
from .bundle_target import IDS
from .controllers import CONTROLLERS, PRUNERS, Argument, defaults

if TYPE_CHECKING:
    from .ir import Program, Spec, Value

#: Arguments that are part of what a target trains. The folder of an MMAR or a bundle is where it lies, not what it means.
_MEANT = {
    "Python": ("function", "cwd", "env"),
    "Command": ("template", "cwd", "env", "metrics"),
    "Bundle": tuple(IDS),
}


def digest(program: Program) -> str:
    """Equal for programs that search the same space of the same configuration for the same end, wherever they are written.

    Left out: labels, documentation, the study's name, workers, budget, output, variables and files. Of handlers and executors only
    the user's own count: Clara's say nothing that other keys do not.
    What a study does not use is left out, too, so that a later version of the language leaves the digest as it is.
    """
    text = json.dumps(_meaning(program), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _meaning(program: Program) -> dict[str, Value]:
    study = program.study
    params = []
    for param in sorted(program.params, key=lambda param: param.id):
        entry = msgspec.to_builtins(msgspec.structs.replace(param, label="", doc=""))
        if isinstance(param.domain, ir.Choice):  # what an alternative is called is no meaning
            for alternative in entry["domain"]["alts"]:
                del alternative["label"]
        params.append(entry)
    return {
        "params": params,
        "config": msgspec.to_builtins(program.config),
        "requires": sorted(
            (msgspec.to_builtins(require.condition) for require in program.requires),
            key=lambda value: json.dumps(value, sort_keys=True),
        ),
        "objectives": [_objective(objective) for objective in study.objectives],
        "controller": _spec(study.controller),
        "seed": study.seed,
        "order": study.order,
        "baseline": study.baseline,
        "target": None if study.target is None else _target(study.target),
        **_judged(study),
    }


def _judged(study: ir.Study) -> dict[str, Value]:
    out: dict[str, Value] = {}
    if study.ensures:
        conditions = (msgspec.to_builtins(ensure.condition) for ensure in study.ensures)
        out["ensures"] = sorted(conditions, key=lambda value: json.dumps(value, sort_keys=True))
    if study.pruner is not None:
        out["pruner"] = _spec(study.pruner, PRUNERS)
    if study.repeat is not None:
        said = msgspec.to_builtins(study.repeat)
        # Newer than the digests of programs that leave it out.
        out["repeat"] = {key: value for key, value in said.items() if key != "abandon" or value}
    handlers = [_plain(spec) for spec in study.handlers if "." in spec.name]
    if handlers:
        out["handlers"] = handlers
    if study.executor is not None and "." in study.executor.name:
        out["executor"] = _plain(study.executor)
    if study.phases:
        out["phases"] = [_phase(phase) for phase in study.phases]
    return out


def _phase(phase: ir.Phase) -> Value:
    return {
        "name": phase.name,
        "controller": None if phase.controller is None else _spec(phase.controller),
        "pruner": None if phase.pruner is None else _spec(phase.pruner, PRUNERS),
        "search": None if phase.search is None else list(phase.search),
        "warm_start": phase.warm_start,
    }


def _objective(objective: ir.Objective) -> Value:
    if objective.expr is None:
        return {"metric": objective.metric, "direction": objective.direction}
    return {"expr": msgspec.to_builtins(objective.expr), "direction": objective.direction}


def _spec(spec: Spec, table: Mapping[str, Mapping[str, Argument]] = CONTROLLERS) -> Value:
    return {"name": spec.name, "args": {**defaults(table, spec.name), **spec.args}}


def _plain(spec: Spec) -> Value:
    return {"name": spec.name, "args": dict(spec.args)}


def _target(spec: Spec) -> Value:
    return {"name": spec.name, "args": {key: spec.args[key] for key in _MEANT.get(spec.name, ()) if key in spec.args}}
