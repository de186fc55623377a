"""Mistakes that the grammar lets through, because telling them apart needs more than the next word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import ast
from .diagnostics import Diagnostic, Secondary
from .source import Source, Span

MAX_ALTERNATIVES = 10_000


class Checks:
    """Collects what it finds in `diagnostics`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.diagnostics: list[Diagnostic] = []

    def error(self, code: str, message: str, span: Span, label: str = "", help: str = "", also: Sequence[Secondary] = ()) -> None:
        self.diagnostics.append(Diagnostic(code, message, span, label, help, secondary=tuple(also)))

    def _text(self, span: Span) -> str:
        return " ".join(self._source.text[span.start : span.end].split())

    # -- domains --------------------------------------------------------------------------------------------------------

    def count(self, alternatives: int, span: Span) -> None:
        if alternatives > MAX_ALTERNATIVES:
            self.error("AM304", f"a choice has at most {MAX_ALTERNATIVES} alternatives, this one {alternatives}", span)

    def alternatives(self, domain: ast.Domain) -> None:
        """`1 or 2 or 4` is a truth value, and was not meant."""
        for alternative in domain.alternatives:
            values = _or_operands(alternative)
            if len(values) > 1 and any(_is_no_condition(value) for value in values):
                fix = " | ".join(self._text(value.span) for value in values)
                self.error(
                    "AM015", "alternatives are separated by `|`; `or` joins conditions", alternative.span, help=f"write `{fix}`"
                )

    def search(self, domain: ast.Domain, targets: int) -> None:
        self.alternatives(domain)
        if len(domain.alternatives) != 1:
            return
        match domain.alternatives[0]:
            case ast.ListExpr(items) as only if len(items) > 1:
                self._one_value(only, "list", items)
            case ast.TupleExpr(values) as only if targets == 1:
                self._one_value(only, "tuple", values)
            case ast.Comprehension() as only:
                self.error("AM014", "a list is one value, not several alternatives", only.span, help="write a range with a step")

    def _one_value(self, only: ast.Expr, kind: str, values: Sequence[ast.Item | ast.Expr]) -> None:
        fix = " | ".join(self._text(value.span) for value in values)
        self.error("AM014", f"a {kind} is one value; alternatives are separated by `|`", only.span, help=f"write `{fix}`")

    # -- bindings and calls ---------------------------------------------------------------------------------------------

    def let(self, bind: ast.Bind) -> None:
        for target in bind.targets:
            if len(target.steps) != 1 or not isinstance(target.steps[0], ast.NameStep):
                self.error("AM021", "`let` names a variable, not a place in the configuration", target.span, help="write one word")
        if bind.append:
            self.error("AM021", "a `let` has no inherited value to add to", bind.span, help="write `=`")

    def argument_targets(self, left: ast.Expr | ast.Path) -> tuple[ast.Path, ...] | None:
        """The target that the left side of a named argument stands for, or None after saying why there is none."""
        match left:
            case ast.Path():
                return (left,)
            case ast.TupleExpr(items) if len(items) > 1:
                found = [self.argument_targets(item) for item in items]
                return None if None in found else tuple(path for paths in found if paths for path in paths)
            case ast.Name(name, span) | ast.Lit(str(name), span):
                return (ast.Path((ast.NameStep(name, span),), span),)
            case _:
                help = "write it inside the call that has the argument" if isinstance(left, (ast.Attr, ast.Meta, ast.Index)) else ""
                self.error("AM021", "the left side of an argument is its name", left.span, "not a name", help)
                return None

    def function_name(self, name: str, span: Span) -> None:
        if "." in name:
            self.error("AM021", "`def` names one word", span, help=f"write `{name.replace('.', '_')}`")

    def call(self, callee: str, span: Span, args: Sequence[ast.Positional | ast.Bind | ast.Let]) -> None:
        if callee == "log":
            positional = [self._text(arg.span) for arg in args if isinstance(arg, ast.Positional)]
            bounds = "..".join(positional) if len(positional) == 2 else "1e-5..1e-2"
            self.error("AM016", "`log` is the scale of a range, not a function", span, help=f"write `log {bounds}`")
        before: ast.Bind | None = None
        for arg in args:
            if isinstance(arg, ast.Positional) and before is not None:
                if before.search is not None and before.guard is None:
                    fix = f"{self._text(before.search.span)} | {self._text(arg.span)}"
                    self.error("AM002", "alternatives are separated by `|`", arg.span, "a value without a name", f"write `{fix}`")
                else:
                    self.error("AM022", "an argument without a name comes first", arg.span, help="give it a name, or move it")
                return
            if isinstance(arg, ast.Bind):
                before = arg

    def unique(self, names: Iterable[tuple[str, Span]], what: str) -> None:
        seen: dict[str, Span] = {}
        for name, span in names:
            if name in seen:
                self.error("AM018", f"the {what} `{name}` is given twice", span, also=[Secondary(seen[name], "first here")])
            else:
                seen[name] = span


def _or_operands(value: ast.Range | ast.Expr) -> list[ast.Range | ast.Expr]:
    """The operands of a chain of `or`, in order."""
    operands: list[ast.Range | ast.Expr] = []
    while isinstance(value, ast.Binary) and value.op == "or":
        operands.append(value.right)
        value = value.left
    operands.append(value)
    return operands[::-1]


def _is_no_condition(value: ast.Range | ast.Expr) -> bool:
    match value:
        case ast.Lit(literal):
            return not isinstance(literal, bool)
        case ast.Call(callee):
            return callee[0].isupper() or "." in callee
        case ast.Quantity() | ast.ListExpr() | ast.TupleExpr() | ast.DictExpr():
            return True
        case _:
            return False
