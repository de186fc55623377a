"""Program -> `.automl` text that means the same: its digest is the program's own.

    to_automl_places.py   where each search stands
    to_automl_exprs.py    expressions
    to_automl_write.py    the configuration
    to_automl_study.py    the study

What was written with `def`, `let` for a constant or several files is resolved: the text is the meaning, not the way there.
"""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path

from automl_run.errors import InputError

from . import ast, ir
from .diagnostics import render_all
from .elaborate import Request, elaborate
from .elaborate.layers import Layer
from .parser import parse_module
from .printer import print_module
from .source import Source
from .to_automl_exprs import Scope, Unwritable
from .to_automl_study import study_section
from .to_automl_write import Writer

_NAME = "program.automl"


def to_automl(program: ir.Program, *, folder: Path | None = None) -> str:
    """The text. `folder`: where it will lie, so that the target's folder can be named from there.

    Unwritable (an InputError) if the program holds what no text says; the text is parsed and compared before it is given out.
    """
    text = print_module(to_module(program, folder))
    written, found = reread(text, program)
    if written is None:
        raise Unwritable(f"this program cannot be written as one text: {found}")
    if written.digest != program.digest:
        raise Unwritable("this program cannot be written as one text: what was written means something else")
    return text


def text_of_program(program: ir.Program) -> str | None:
    """For people: the one file it was read from, as written, if that alone means it; else `to_automl`. None if neither is there."""
    from .load import check

    automl = [name for name in program.files if name.endswith(".automl")]
    if len(automl) == 1 and program.files[0] == automl[0]:
        with contextlib.suppress(OSError, InputError):
            read = check(automl[0]).program
            if read is not None and read.digest == program.digest:
                return Path(automl[0]).read_text(encoding="utf-8")
    with contextlib.suppress(InputError):
        return to_automl(program)
    return None


def to_module(program: ir.Program, folder: Path | None = None) -> ast.Module:
    """The text as a syntax tree, unchecked. Unwritable."""
    writer = Writer(program)
    body = writer.statements()
    taken = {*program.config.entries, *(name for group in writer.homes.lets.values() for name in group.names)}
    study = study_section(program.study, taken, folder, lambda expr: writer.names.expr(expr, Scope()))
    return ast.Module(_NAME, program.edition, (*(() if study is None else (study,)), *body))


def reread(text: str, program: ir.Program) -> tuple[ir.Program | None, str]:
    """The program that `text` is where `program` was read, or None and what is wrong with it."""
    source = Source(_NAME, text)
    module, found = parse_module(source)
    diagnostics = list(found)
    if not any(item.severity == "error" for item in diagnostics):
        request = Request([Layer(module)], variables=copy.copy(program.variables), base_dir=program.base_dir)
        elaborated = elaborate(request)
        diagnostics += elaborated.diagnostics
        if elaborated.program is not None:
            return elaborated.program, ""
    errors = [item for item in diagnostics if item.severity == "error"]
    return None, render_all(errors[:1], {_NAME: source})
