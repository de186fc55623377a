"""From the name of a component to its class. Imports what it looks in."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import PathFinder
from pathlib import Path

from automl_run.dsl.diagnostics import did_you_mean
from automl_run.errors import JobError

from .names import ALL_MODULES, MODULES

Factory = Callable[..., object]

#: Packages whose classes a config may always name by `path`.
_STOCK = ("automl_run", "ignite", "monai", "torch")


class Lookup:
    """`root`: of the MMAR, whose `custom/` folder and itself are where modules of the user are sought first."""

    def __init__(self, root: Path) -> None:
        self.folders = [str(root / "custom"), str(root)]
        for folder in reversed(self.folders):
            if folder not in sys.path:
                sys.path.insert(0, folder)
        importlib.invalidate_caches()

    def find(self, name: str, key: str, place: str) -> Factory:
        """The class or function called `name`; a dotted name says its module. JobError, with the nearest name, if there is none."""
        module, _, short = name.rpartition(".")
        if module:
            return self._dotted(module, short, place)
        modules = dict.fromkeys([*MODULES.get(key, ()), *ALL_MODULES])
        for candidate in modules:
            found = getattr(importlib.import_module(candidate), name, None)
            if callable(found):
                factory: Factory = found
                return factory
        near = [known for candidate in MODULES.get(key, ALL_MODULES) for known in dir(importlib.import_module(candidate))]
        hint = did_you_mean(name, [known for known in near if not known.startswith("_")])
        raise JobError("user_error", f"{place}: there is no component `{name}`" + (f" ({hint})" if hint else ""))

    def _dotted(self, module: str, short: str, place: str) -> Factory:
        self._check_allowed(module.partition(".")[0], place)
        try:
            found: object = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
                raise
            raise JobError(
                "user_error", f"{place}: there is no module `{error.name}`; looked in {', '.join(self.folders)}"
            ) from error
        names = dir(found)
        found = getattr(found, short, None)
        if not callable(found):
            hint = did_you_mean(short, names)
            raise JobError("user_error", f"{place}: module `{module}` has no `{short}`" + (f" ({hint})" if hint else ""))
        factory: Factory = found
        return factory

    def _check_allowed(self, package: str, place: str) -> None:
        """A config may construct the libraries' classes, the MMAR's own, and those of modules that the user allowed."""
        allowed = (*_STOCK, *filter(None, os.environ.get("AUTOML_ALLOW_MODULES", "").split(",")))
        if package in (name.partition(".")[0] for name in allowed) or PathFinder.find_spec(package, self.folders) is not None:
            return
        custom = self.folders[0]
        raise JobError(
            "user_error", f"{place}: module `{package}` is not in {custom}; put it there or allow it with --allow-module {package}"
        )


def call(factory: Factory, args: Mapping[str, object], title: str) -> object:
    """`factory(**args)`. JobError for arguments that it does not take or lacks, and for values that it refuses."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        signature = None
    if signature is not None:
        names = signature.parameters
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in names.values())
        unknown = [name for name in args if name not in names]
        if unknown and not open_ended:
            hint = did_you_mean(unknown[0], names)
            raise JobError("user_error", f"{title} has no argument `{unknown[0]}`" + (f" ({hint})" if hint else ""))
        try:
            signature.bind(**args)
        except TypeError as error:
            raise JobError("user_error", f"{title}: {error}") from error
    try:
        return factory(**args)
    except (TypeError, ValueError, AssertionError, KeyError, NotImplementedError) as error:
        raise JobError("user_error", f"{title}: {type(error).__name__}: {error}") from error
