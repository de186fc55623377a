"""From the study's `controller` to an object that recommends. Nothing heavy is imported before it is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.ir import Program, Spec, Value
from automl_run.errors import InputError, RunError

from .base import Controller
from .space import Space, generator

#: Clara's name -> ours.
_ALIASES = {"ReinforcementController": "Reinforcement"}
#: What `Auto()` stands for.
_AUTO = "TPE"


@dataclass(frozen=True, slots=True)
class _Kind:
    """`arguments`: name -> (least allowed integer, default; None: not given)."""

    make: Callable[[Program, int | None, Mapping[str, int]], Controller]
    arguments: Mapping[str, tuple[int, int | None]]


def _grid(program: Program, trials: int | None, arguments: Mapping[str, int]) -> Controller:
    from .grid import Grid

    return Grid(program, trials, **arguments)


def _random(program: Program, trials: int | None, arguments: Mapping[str, int]) -> Controller:
    from .random_search import RandomSearch

    return RandomSearch(program, trials, **arguments)


def _tpe(program: Program, trials: int | None, arguments: Mapping[str, int]) -> Controller:
    from .tpe import TPE

    return TPE(program, trials, **arguments)


def _reinforcement(program: Program, trials: int | None, arguments: Mapping[str, int]) -> Controller:
    from .reinforcement import Reinforcement

    return Reinforcement(program, trials, **arguments)


_KINDS: Mapping[str, _Kind] = {
    "Grid": _Kind(_grid, {"points": (1, None)}),
    "Random": _Kind(_random, {}),
    "TPE": _Kind(_tpe, {"startup": (1, 10)}),
    "Reinforcement": _Kind(_reinforcement, {"max_rounds": (1, 8)}),
}

#: The names that `controller = NAME(...)` may have.
NAMES: tuple[str, ...] = ("Auto", *_KINDS)


def describe(spec: Spec) -> str:
    """The controller for people: `Grid`, `Reinforcement(max_rounds = 8)`, and for `Auto` what it stands for: `Auto: TPE(...)`.

    InputError as in `make_controller`.
    """
    name, arguments = _checked(spec)
    inside = ", ".join(f"{key} = {value}" for key, value in arguments.items())
    text = f"{name}({inside})" if inside else name
    return f"Auto: {text}" if spec.name == "Auto" else text


def make_controller(program: Program) -> Controller:
    """The controller of `program.study`, with nothing recommended yet.

    The baseline (index 0) is not among its recommendations; where the study has one, it takes one of `budget.trials`.
    InputError: an unknown controller or argument, a space the controller cannot search, or no allowed point at all.
    """
    study = program.study
    name, arguments = _checked(study.controller)
    trials = study.budget.trials
    if trials is not None:
        trials = max(0, trials - (1 if study.baseline else 0))
    try:
        if program.params and trials != 0:
            Space(program).sample(generator(study.seed, "probe"))
        return _KINDS[name].make(program, trials, arguments)
    except RunError as error:
        raise InputError(str(error)) from error


def _checked(spec: Spec) -> tuple[str, dict[str, int]]:
    """The name without aliases, and the arguments with their defaults."""
    name = _AUTO if spec.name == "Auto" else _ALIASES.get(spec.name, spec.name)
    kind = _KINDS.get(name)
    if kind is None:
        raise InputError(f"unknown controller `{spec.name}`: {did_you_mean(spec.name, NAMES)}")
    if spec.name == "Auto" and spec.args:
        raise InputError(f"controller Auto takes no arguments; `{next(iter(spec.args))}` is given")
    for key in spec.args:
        if key not in kind.arguments:
            known = did_you_mean(key, kind.arguments) if kind.arguments else "it takes none"
            raise InputError(f"controller {spec.name}: unknown argument `{key}`: {known}")
    arguments: dict[str, int] = {}
    for key, (least, default) in kind.arguments.items():
        value: Value = spec.args.get(key, default)
        if value is None and key not in spec.args:
            continue
        if type(value) is not int or value < least:
            raise InputError(f"controller {spec.name}: `{key}` is an integer of at least {least}, not {value!r}")
        arguments[key] = value
    return name, arguments
