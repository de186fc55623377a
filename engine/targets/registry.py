"""From a `Spec` of a program to the `Target` that it names."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from automl_run.dsl.ir import Spec, Value
from automl_run.errors import InputError

from .base import Target, TargetFactory


def _text_argument(args: Mapping[str, Value], name: str, target: str, example: str) -> str:
    """The one argument of a target."""
    if len(args) != 1:
        raise InputError(f"{target} takes one argument, {name}: {target}({example})")
    ((key, value),) = args.items()
    if key != name:
        raise InputError(f"{target} has no argument `{key}`; it takes {name}: {target}({example})")
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{target}: {name} must be a text, such as {example}, not {value!r}")
    return value


def _mmar(args: Mapping[str, Value], base_dir: Path, variables: Mapping[str, Value]) -> Target:
    from .mmar import MmarTarget

    return MmarTarget(_text_argument(args, "path", "Mmar", '"spleen_mmar"'), base_dir, variables)


def _python(args: Mapping[str, Value], base_dir: Path, variables: Mapping[str, Value]) -> Target:
    from .python_function import PythonTarget

    return PythonTarget(_text_argument(args, "function", "Python", '"package.module:function"'), base_dir)


def _command(args: Mapping[str, Value], base_dir: Path, variables: Mapping[str, Value]) -> Target:
    from .command import CommandTarget

    return CommandTarget(_text_argument(args, "template", "Command", '"python train.py --lr {lr}"'), base_dir)


TARGETS: Final[Mapping[str, TargetFactory]] = {"Mmar": _mmar, "Python": _python, "Command": _command}


def make_target(spec: Spec, base_dir: Path, variables: Mapping[str, Value]) -> Target:
    """InputError for an unknown target or wrong arguments; `check` says whether it can be run. Imports one target's module."""
    factory: Callable[[Mapping[str, Value], Path, Mapping[str, Value]], Target] | None = TARGETS.get(spec.name)
    if factory is None:
        close = difflib.get_close_matches(spec.name.capitalize(), TARGETS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"there is no target {spec.name!r}: it is one of {', '.join(TARGETS)}{hint}")
    return factory(spec.args, base_dir, variables)
