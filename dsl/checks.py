"""Mistakes that the grammar lets through, because telling them apart needs more than the next word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from . import ast
from .diagnostics import Diagnostic, Fix, Secondary
from .source import Source, Span

MAX_ALTERNATIVES = 10_000


class Checks:
    """Collects what it finds in `diagnostics`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.diagnostics: list[Diagnostic] = []

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        label: str = "",
        help: str = "",
        also: Sequence[Secondary] = (),
        fixes: Sequence[Fix] = (),
    ) -> None:
        self.diagnostics.append(Diagnostic(code, message, span, label, help, secondary=tuple(also), fixes=tuple(fixes)))

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
                message = "alternatives are separated by `|`; `or` joins conditions"
                self.error("AM015", message, alternative.span, help=f"write `{fix}`", fixes=[Fix(alternative.span, fix, True)])

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
        message = f"a {kind} is one value; alternatives are separated by `|`"
        is_plain = "#" not in self._source.text[only.span.start : only.span.end]
        fixes = [Fix(only.span, fix, True)] if is_plain else []
        self.error("AM014", message, only.span, help=f"write `{fix}`", fixes=fixes)

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
            fixes = self._log(span, args, f"log {bounds}") if len(positional) == len(args) == 2 else []
            self.error("AM016", "`log` is the scale of a range, not a function", span, help=f"write `log {bounds}`", fixes=fixes)
        elif (help := _sampler(callee)) and not re.search(rf"\bdef[ \t]+{re.escape(callee)}[ \t]*\(", self._source.text):
            self.error("AM016", f"`{callee}` is another tool's word for a search", span, help=help)
            return
        before: ast.Bind | None = None
        for arg in args:
            if isinstance(arg, ast.Positional) and before is not None:
                if before.search is not None and before.guard is None:
                    fix = f"{self._text(before.search.span)} | {self._text(arg.span)}"
                    fixes = [Fix(Span(arg.span.file, before.search.span.end, arg.span.start), " | ", True)]
                    message = "alternatives are separated by `|`"
                    self.error("AM002", message, arg.span, "a value without a name", f"write `{fix}`", fixes=fixes)
                else:
                    self.error("AM022", "an argument without a name comes first", arg.span, help="give it a name, or move it")
                return
            if isinstance(arg, ast.Bind):
                before = arg

    def _log(self, span: Span, args: Sequence[ast.Positional | ast.Bind | ast.Let], written: str) -> list[Fix]:
        """`= log(a, b)` and `~ log(a, b)` as a search; elsewhere it may be meant otherwise."""
        text = self._source.text
        close = text.find(")", args[-1].span.end)
        before = text[: span.start].rstrip()
        if close < 0 or not before.endswith(("~", "|", "=")) or before.endswith(("==", "<=", ">=", "!=", "+=")):
            return []
        fix = Fix(Span(span.file, span.start, close + 1), written, True)
        sign = Span(span.file, len(before) - 1, len(before))
        return [Fix(sign, "~", True), fix] if before.endswith("=") else [fix]

    def unique(self, names: Iterable[tuple[str, Span]], what: str) -> None:
        seen: dict[str, Span] = {}
        for name, span in names:
            if name in seen:
                self.error("AM018", f"the {what} `{name}` is given twice", span, also=[Secondary(seen[name], "first here")])
            else:
                seen[name] = span


_RANGES = frozenset(["uniform", "quniform", "interval", "randint", "suggest_float", "suggest_int", "suggest_uniform", "range"])
_LOG_RANGES = frozenset(["loguniform", "log_uniform", "qloguniform", "log_uniform_values", "suggest_loguniform"])
_CHOICES = frozenset(["choice", "grid_search", "suggest_categorical", "categorical"])
_TOOLS = frozenset(["tune", "optuna", "trial", "hp", "wandb", "ray", "random", "np", "numpy", "space"])


def _sampler(callee: str) -> str:
    """What to write instead of `tune.loguniform(...)` and its like; "" for anything else."""
    tool, _, name = callee.rpartition(".")
    if tool and tool.split(".")[0] not in _TOOLS:
        return ""
    if name in _LOG_RANGES:
        return "a range on a log scale is written `x ~ log 1e-5..1e-2`"
    if name in _RANGES:
        return "a range is written `x ~ 0.0..1.0`, or `x ~ 1..9 step 2`; on a log scale `x ~ log 1e-5..1e-2`"
    if name in _CHOICES:
        return "alternatives are written `x ~ 1 | 2 | 4`"
    if name in ("normal", "randn", "lognormal", "gauss"):
        return "a search has ends, and the controller its own distribution: `x ~ 0.0..1.0`"
    return ""


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
