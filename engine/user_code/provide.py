"""Lets `import automl` find `provided/`, in this process only.

An installed package `automl` is never shadowed: what it has stays its own, and only the modules that it lacks are provided. So code
of the user's finds Clara's classes beside it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Final

from automl_run.errors import InputError

_PACKAGE: Final = "automl"
#: In the order in which a package comes before what is in it.
_MODULES: Final = (
    "",
    ".defs",
    ".components",
    ".components.controllers",
    ".components.controllers.controller",
    ".components.handlers",
    ".components.handlers.handler",
    ".components.executors",
    ".components.executors.executor",
)


def provide() -> None:
    """Call it before user code is imported, in a process that exists for user code. InputError if `automl` is a module there."""
    for name in _MODULES:
        target = _PACKAGE + name
        parent, _, short = target.rpartition(".")
        ours = parent in sys.modules and sys.modules[parent].__name__.startswith(__package__)
        # Python would find what lies in a folder of ours under its other name, and load it a second time.
        if target in sys.modules or (not ours and _installed(target)):
            continue
        module = importlib.import_module(f"{__package__}.provided{name}")
        sys.modules[target] = module
        if parent and not ours:
            setattr(importlib.import_module(parent), short, module)


def _installed(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    if spec is not None and name == _PACKAGE and spec.submodule_search_locations is None:
        raise InputError(
            f"{spec.origin} has the name of Clara's package `automl`, which controllers and handlers are imported with: rename it"
        )
    return spec is not None
