"""The arguments of `Python(...)` and `Command(...)`, from their `Spec`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from automl_run.dsl.ir import Spec, Value
from automl_run.errors import InputError


@dataclass(frozen=True, slots=True)
class ScriptArguments:
    """`first`: the function, or the command as a text or a list of texts. `cwd`: from the program's folder."""

    first: str | Sequence[str]
    cwd: str = "."
    env: Mapping[str, Value] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)


def folder_of(base: Path, cwd: str) -> Path:
    """Where a target runs. InputError for the home folder of nobody."""
    try:
        return (base / Path(cwd).expanduser()).resolve()
    except RuntimeError as error:
        raise InputError(f"cwd = {cwd!r}: {error}") from error


_KINDS: Final = {"cwd": (str, "a text"), "env": (dict, "a dict"), "metrics": (dict, "a dict")}


def script_arguments(spec: Spec, name: str, example: str, others: Sequence[str], *, lists: bool = False) -> ScriptArguments:
    """InputError for a missing, unknown or wrong one. `lists`: the first may be a list of texts."""
    unknown = [key for key in spec.args if key != name and key not in others]
    if unknown:
        raise InputError(f"{spec.name} has no argument `{unknown[0]}`; it takes {', '.join((name, *others))}")
    if name not in spec.args:
        raise InputError(f"{spec.name} takes one argument, {name}: {spec.name}({example})")
    value, found = spec.args[name], {key: spec.args[key] for key in others if key in spec.args}
    for key, one in found.items():
        kind, called = _KINDS[key]
        if not isinstance(one, kind):
            raise InputError(f"{spec.name}: {key} must be {called}, not {one!r}")
    if lists and isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return ScriptArguments([str(item) for item in value], **found)  # type: ignore[arg-type]
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{spec.name}: {name} must be a text, such as {example}, not {value!r}")
    return ScriptArguments(value, **found)  # type: ignore[arg-type]
