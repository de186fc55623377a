"""From a `Spec` of a program to the `Target` that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from automl_run.dsl.bundle_target import IDS
from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.ir import Spec, Value
from automl_run.errors import InputError

from .base import Target, Trainer
from .script_arguments import script_arguments

NAMES: Final = ("Mmar", "Bundle", "Python", "Command")
#: Of a spec that names an executor of the user's; no program can say it.
EXECUTOR: Final = "Executor"


def make_target(spec: Spec, base_dir: Path, variables: Mapping[str, Value]) -> Target:
    """InputError for an unknown target or wrong arguments; `check` says whether it can be run. Imports one target's module."""
    match spec.name:
        case "Mmar":
            from .mmar import MmarTarget

            return MmarTarget(_argument(spec, "path", '"spleen_mmar"'), base_dir, variables)
        case "Bundle":
            from .bundle import BundleTarget

            ids = {name: value for name, value in spec.args.items() if name in IDS}
            return BundleTarget(_argument(spec, "path", '"spleen_ct_segmentation"', tuple(IDS)), base_dir, ids)
        case "Python":
            from .python_function import PythonTarget

            found = script_arguments(spec, "function", '"package.module:function"', ("cwd", "env"))
            return PythonTarget(str(found.first), base_dir, cwd=found.cwd, env=found.env)
        case "Command":
            from .command import CommandTarget

            example, others = '"python train.py --lr {lr}"', ("cwd", "env", "metrics")
            found = script_arguments(spec, "template", example, others, lists=True)
            return CommandTarget(found.first, base_dir, cwd=found.cwd, env=found.env, metrics=found.metrics)
        case _:
            raise InputError(f"there is no target `{spec.name}`: {did_you_mean(spec.name, NAMES)}")


def make_trainer(spec: Spec, base_dir: Path, variables: Mapping[str, Value]) -> Trainer:
    """What a job runs: the study's target, or an executor of the user's in its place."""
    if spec.name == EXECUTOR:
        from .own_executor import ExecutorTarget

        return ExecutorTarget.of(spec)
    return make_target(spec, base_dir, variables)


def _argument(spec: Spec, name: str, example: str, others: tuple[str, ...] = ()) -> str:
    """The one argument of a target that it must have; `others` it may have."""
    target = spec.name
    given = {key: value for key, value in spec.args.items() if key not in others}
    if len(given) != 1:
        raise InputError(f"{target} takes one argument, {name}: {target}({example})")
    ((key, value),) = given.items()
    if key != name:
        raise InputError(f"{target} has no argument `{key}`; it takes {name}: {target}({example})")
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{target}: {name} must be a text, such as {example}, not {value!r}")
    return value
