"""`%%automl NAME` in Jupyter and IPython: the cell is a program, NAME becomes the `Program`.

    %load_ext automl_run.dsl.notebook

    %%automl spleen
    use "config_train.json"
    learning_rate ~ log 1e-5..1e-2

`use` starts at the notebook's folder. The first line `automl 1` may be left out. A cell with mistakes shows them as the command
line does, binds nothing, and fails, so that "Run All" stops there. IPython is needed for this module alone.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .diagnostics import Diagnostic, render
from .ir import Program
from .load import Checked, check_text
from .summary import size

_COLOURS = {"error": "#b3261e", "warning": "#8a5a00", "note": "#1a5fb4"}
_HEAD = re.compile(r"^(error|warning|note)\[(AM[0-9]+)\]")


class Shell(Protocol):
    """What is used of IPython's InteractiveShell."""

    def push(self, variables: dict[str, Program]) -> None: ...

    def register_magic_function(self, func: Callable[..., object], magic_kind: str, magic_name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class CellReport:
    """What stands below the cell: the diagnostics, and the program's parameters if there is one."""

    name: str
    checked: Checked

    def __repr__(self) -> str:
        return "\n\n".join([*(self._text(found) for found in self.checked.diagnostics), *self._summary()])

    def _repr_html_(self) -> str:
        parts = [self._html(found) for found in self.checked.diagnostics]
        parts += [html.escape(text) for text in self._summary()]
        return '<pre style="line-height:1.3">' + "\n\n".join(parts) + "</pre>"

    def _text(self, found: Diagnostic) -> str:
        return render(found, self.checked.sources)

    def _html(self, found: Diagnostic) -> str:
        text = html.escape(self._text(found))
        return _HEAD.sub(lambda head: f'<b style="color:{_COLOURS[head[1]]}">{head[0]}</b>', text)

    def _summary(self) -> list[str]:
        program = self.checked.program
        return [] if program is None else [summary(self.name, program)]


def summary(name: str, program: Program) -> str:
    """One line about the program, one for each parameter."""
    count, points = len(program.params), size(program)
    head = f"{name}: {count} parameter{'' if count == 1 else 's'}"
    head += f", {points} point{'' if points == 1 else 's'}" if points is not None and count else ""
    width = max((len(param.id) for param in program.params), default=0)
    return "\n".join([head, *(f"  {param.id:<{width}}  {', '.join(param.targets)}" for param in program.params)])


def run_cell(line: str, cell: str, shell: Shell) -> CellReport | None:
    """The magic. Raises IPython's UsageError for a wrong name, and for a cell with mistakes after showing them."""
    from IPython.core.error import UsageError
    from IPython.display import display

    name = line.strip()
    if not name.isidentifier():
        raise UsageError("write `%%automl NAME`: the program is bound to that name")
    checked = check_text(cell, name=f"%%automl {name}")
    report = CellReport(name, checked)
    if checked.program is None:
        display(report)  # type: ignore[no-untyped-call]
        errors = sum(found.severity == "error" for found in checked.diagnostics)
        raise UsageError(f"{errors} mistake{'' if errors == 1 else 's'} in this cell; `{name}` was not changed")
    shell.push({name: checked.program})
    return report


def load_ipython_extension(shell: Shell) -> None:
    """What `%load_ext` calls."""

    def automl(line: str, cell: str) -> CellReport | None:
        return run_cell(line, cell, shell)

    shell.register_magic_function(automl, "cell", "automl")
