"""From the study's `controller` to an object that recommends. Nothing heavy is imported before a controller is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from automl_run.dsl.controllers import ALIASES, CONTROLLERS, UNUSED_ARGUMENTS, Argument
from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.ir import Program, Spec, Value
from automl_run.errors import InputError, RunError

from .base import Controller
from .cma_es import CmaEs
from .gaussian_process import GP
from .grid import Grid
from .nsga2 import NSGA2
from .random_search import RandomSearch
from .reinforcement import Reinforcement
from .sobol import Sobol
from .space import Space, generator
from .tpe import TPE

#: What `Auto()` stands for.
_AUTO: Final = "TPE"

#: Made with the program, the number of trials that are left for it (None: no limit), and its arguments by name.
CLASSES: Final[Mapping[str, Callable[..., Controller]]] = {
    "Grid": Grid,
    "Random": RandomSearch,
    "Sobol": Sobol,
    "TPE": TPE,
    "GP": GP,
    "CmaEs": CmaEs,
    "NSGA2": NSGA2,
    "Reinforcement": Reinforcement,
}


def describe(spec: Spec) -> str:
    """The controller for people: `Grid`, `Reinforcement(max_rounds = 8)`, and for `Auto` what it stands for: `Auto: TPE(...)`.

    InputError as in `make_controller`.
    """
    # What a class of the user's takes is its own business.
    name, arguments = (spec.name, dict(spec.args)) if "." in spec.name else _checked(spec)
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
        return CLASSES[name](program, trials, **arguments)
    except RunError as error:
        raise InputError(str(error)) from error


def _checked(spec: Spec) -> tuple[str, dict[str, Value]]:
    """The name without aliases, and the arguments with their defaults."""
    name = _AUTO if spec.name == "Auto" else ALIASES.get(spec.name, spec.name)
    if name not in CLASSES:
        raise InputError(f"unknown controller `{spec.name}`: {did_you_mean(spec.name, ('Auto', *CLASSES))}")
    if spec.name == "Auto" and spec.args:
        raise InputError(f"controller Auto takes no arguments; `{next(iter(spec.args))}` is given")
    unused = UNUSED_ARGUMENTS.get(name, ())
    known = {key: argument for key, argument in CONTROLLERS[name].items() if key not in unused}
    for key in spec.args:
        if key not in known:
            help = did_you_mean(key, known) if known else "it takes none"
            raise InputError(f"controller {spec.name}: unknown argument `{key}`: {help}")
    arguments: dict[str, Value] = {}
    for key, argument in known.items():
        if key in spec.args:
            arguments[key] = _value(spec, key, argument)
        elif argument.default is not None:
            arguments[key] = argument.default
    return name, arguments


def _value(spec: Spec, key: str, argument: Argument) -> Value:
    value = spec.args[key]
    match argument.kind:
        case "whole":
            good = type(value) is int and value >= argument.least
            wanted = f"an integer of at least {argument.least:g}"
        case "number":
            number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else -math.inf
            good = number > argument.least or (number == argument.least and not argument.above)
            wanted = f"a number {'above' if argument.above else 'of at least'} {argument.least:g}"
        case "text":
            good, wanted = isinstance(value, str), "a text"
    if not good:
        raise InputError(f"controller {spec.name}: `{key}` is {wanted}, not {value!r}")
    return value
