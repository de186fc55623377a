"""automl-run: the best training recipe for medical-imaging models.

    import automl_run

    program = automl_run.load("spleen.automl")
    result = automl_run.run(program, out="runs", run_id="first")

and in a script that a run starts, `automl_run.report(step, dice=0.81)`, `automl_run.params()`, `automl_run.result(dice=0.83)`.

Names are loaded when first used, so that `import automl_run` costs nothing; the script's three need the standard library alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from automl_run.dsl.ir import Program
    from automl_run.dsl.load import load, parse
    from automl_run.engine.run import run
    from automl_run.engine.targets.script import params, report, result

__all__ = ["Program", "__version__", "load", "params", "parse", "report", "result", "run"]

_HOMES = {
    "Program": "automl_run.dsl.ir",
    "load": "automl_run.dsl.load",
    "params": "automl_run.engine.targets.script",
    "parse": "automl_run.dsl.load",
    "report": "automl_run.engine.targets.script",
    "result": "automl_run.engine.targets.script",
    "run": "automl_run.engine.run",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'automl_run' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
