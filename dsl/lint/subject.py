"""What a rule looks at: one file of a checked program, and the program it is part of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .. import ast, ir
from ..diagnostics import Diagnostic, Fix, Secondary
from ..load import Checked
from ..source import Source, Span


@dataclass(frozen=True, slots=True)
class Subject:
    """`module` is the file that is looked at, one of the layers of `checked`; `program` is what all of them mean."""

    checked: Checked
    program: ir.Program
    module: ast.Module
    source: Source
    legacy: bool

    def text(self, span: Span) -> str:
        return self.source.text[span.start : span.end]

    def modules(self) -> Iterator[ast.Module]:
        """All layers, low to high, this file's among them."""
        for layer in self.checked.layers:
            yield layer.module

    def studies(self) -> Iterator[ast.Section]:
        """The study blocks of this file."""
        for statement in self.module.body:
            if isinstance(statement, ast.Section) and key(statement.path) == ("study",):
                yield statement


def found(
    code: str,
    message: str,
    span: Span,
    *,
    label: str = "",
    help: str = "",
    secondary: Sequence[Secondary] = (),
    fixes: Sequence[Fix] = (),
) -> Diagnostic:
    """A lint: a diagnostic that stops nothing."""
    return Diagnostic(code, message, span, label, help, "warning", tuple(secondary), tuple(fixes))


def key(path: ast.Path) -> tuple[str, ...]:
    """A path of plain names; () for any other."""
    names = tuple(step.name for step in path.steps if isinstance(step, ast.NameStep))
    return names if len(names) == len(path.steps) else ()


def study_binds(module: ast.Module, name: str) -> Iterator[ast.Bind]:
    """The bindings of a study key, in a study block or by its path, those of phases included."""
    pending: list[tuple[tuple[str, ...], ast.Statement]] = [((), statement) for statement in module.body]
    while pending:
        prefix, statement = pending.pop(0)
        if isinstance(statement, ast.Section):
            inner = (*prefix, *key(statement.path))
            pending += [(inner, each) for each in statement.body]
        elif isinstance(statement, ast.Bind):
            for target in statement.targets:
                path = (*prefix, *key(target))
                if path[:1] == ("study",) and path[-1:] == (name,):
                    yield statement
