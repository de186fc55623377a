"""What a program must have before it can be run, and a file that is meant as a layer may lack."""

from __future__ import annotations

from collections.abc import Iterator

from . import ast, ir
from .bundle_target import ids_of
from .diagnostics import Diagnostic
from .load import Checked
from .source import Span

_TARGET = 'say what a job runs, for example `target = Python("module:function")`'
_OBJECTIVE = "write `maximize NAME` or `minimize NAME` with the name of a metric"
_RUN_ID = 'say what is run, for example `target = Bundle("dir", run_id = "training")`'


def missing(program: ir.Program) -> dict[str, str]:
    """What a run needs and `program` has not -> what to write."""
    out: dict[str, str] = {}
    if program.study.target is None:
        out["the study has no target"] = _TARGET
    if not program.study.objectives:
        out["the study has no objective"] = _OBJECTIVE
    target = program.study.target
    if target is not None and target.name == "Bundle":
        id = ids_of(target.args, program.config.entries)["run_id"]
        if id not in program.config.entries:
            out[f"the bundle's configuration has no id `{id}` to run"] = _RUN_ID
    return out


def remarks(checked: Checked) -> list[Diagnostic]:
    """A note for each thing that a run needs and the study lacks; none where nothing is said about a study."""
    place = next(_studies(checked), None)
    if checked.program is None or place is None:
        return []
    return [
        Diagnostic("AM407", f"{what}: a run needs one", place, "", help, "note") for what, help in missing(checked.program).items()
    ]


def _studies(checked: Checked) -> Iterator[Span]:
    """Where the study is spoken of, the highest layer first."""
    for layer in reversed(checked.layers):
        for statement in layer.module.body:
            match statement:
                case (
                    ast.Section(path=ast.Path((ast.NameStep("study"), *_)) as path)
                    | ast.Bind(targets=(ast.Path((ast.NameStep("study"), _, *_)) as path, *_))
                ):
                    yield path.span
