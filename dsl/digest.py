"""The digest of a program: SHA-256 of the canonical JSON of what it means."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import msgspec

from . import ir

if TYPE_CHECKING:
    from .ir import Program, Spec, Value

#: Arguments that are part of what a target trains. The folder of an MMAR or a bundle is where it lies, not what it means.
_MEANT = {"Python": ("function",), "Command": ("template",)}

#: What an argument of a controller means where it is not given.
_DEFAULTS: dict[str, dict[str, Value]] = {"Reinforcement": {"max_rounds": 8}, "TPE": {"startup": 10}}


def digest(program: Program) -> str:
    """Equal for programs that search the same space of the same configuration for the same end, wherever they are written.

    Left out: labels, documentation, the study's name, workers, budget, output, handlers, executor, variables and files.
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
        "objectives": msgspec.to_builtins(study.objectives),
        "controller": _spec(study.controller),
        "seed": study.seed,
        "order": study.order,
        "baseline": study.baseline,
        "target": None if study.target is None else _target(study.target),
    }


def _spec(spec: Spec) -> Value:
    return {"name": spec.name, "args": {**_DEFAULTS.get(spec.name, {}), **spec.args}}


def _target(spec: Spec) -> Value:
    return {"name": spec.name, "args": {key: spec.args[key] for key in _MEANT.get(spec.name, ()) if key in spec.args}}
