"""The targets `Python("pkg.mod:fn")` and `Command("python train.py --lr {lr}")` with their named arguments, as `ir.Spec`.

`cwd`: the folder it runs in, from the program's; `env`: variables of its environment, null takes one away. Of a command alone: the
arguments as a list, which no shell reads, and `metrics`: name -> a regular expression of the lines that show it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from .. import ast, ir
from ..command_template import PROVIDED, Place, places
from ..diagnostics import did_you_mean
from ..source import NOWHERE, Span
from .expressions import Expressions, Reading
from .tree import Fault

#: target -> its first argument, as the IR names it, and the others
SCRIPT_TARGETS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "Python": ("function", ("cwd", "env")),
    "Command": ("template", ("cwd", "env", "metrics")),
}
_FUNCTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Variables by which the engine keeps jobs apart.
_RESERVED = ("CUDA_VISIBLE_DEVICES",)


def script_target(call: ast.Call, expressions: Expressions) -> ir.Spec:
    """Fault AM203 or AM405."""
    return _Reader(call.callee, call, expressions).read()


@dataclass(frozen=True, slots=True)
class _Reader:
    name: str
    call: ast.Call
    expressions: Expressions

    def read(self) -> ir.Spec:
        first, named = SCRIPT_TARGETS[self.name]
        match self.call.args:
            case (ast.Positional(value, None), *others):
                pass
            case _:
                raise self._one_text()
        args: dict[str, ir.Value] = {first: self._first(value)}
        for arg in others:
            match arg:
                case ast.Bind(targets=(ast.Path(steps=(ast.NameStep(key),), span=place),), given=expr, search=None, guard=None) if (
                    expr is not None
                ):
                    pass
                case _:
                    raise self._one_text()
            if key not in named:
                help = did_you_mean(key, named)
                raise Fault("AM203", f"`{self.name}` has no argument `{key}`", place, label="unknown argument", help=help)
            if key in args:
                raise Fault("AM111", f"`{key}` is given twice", place)
            args[key] = self._named(key, expr)
        return ir.Spec(self.name, args)

    def _one_text(self) -> Fault:
        return Fault("AM405", f'`{self.name}` takes one text: `{self.name}("...")`', self.call.span)

    def _first(self, expr: ast.Expr) -> ir.Value:
        value = self.expressions.constant(expr, None, None) if isinstance(expr, (ast.Lit, ast.ListExpr)) else None
        span = expr.span
        if self.name == "Command" and isinstance(value, list):
            if not value or not all(isinstance(item, str) for item in value) or not value[0]:
                help = 'write `Command(["python", "train.py", "--lr", "{lr}"])`'
                raise Fault("AM405", "the arguments of a command are a list of texts, the program first", span, help=help)
        elif not isinstance(value, str):
            raise self._one_text()
        elif not value.strip():
            raise Fault("AM405", f"`{self.name}` needs a text that is not empty", span)
        if self.name == "Python":
            if _FUNCTION.fullmatch(str(value)) is None:
                raise Fault("AM405", f'"{value}" names no function', span, help='write `Python("package.module:function")`')
        else:
            for text in _texts(value):
                self._check_places(text, span)
        return value

    def _named(self, key: str, expr: ast.Expr) -> ir.Value:
        value, span = self.expressions.constant(expr, None, None), expr.span
        match key:
            case "cwd":
                if not isinstance(value, str) or not value.strip():
                    raise Fault("AM405", "`cwd` is the path of a folder", span)
                if self.name == "Command":
                    self._check_places(value, span)
                return value
            case "env":
                return self._environment(value, span)
            case _:
                return self._metrics(value, span)

    def _environment(self, value: ir.Value, span: Span) -> ir.Value:
        if not isinstance(value, dict) or not all(isinstance(each, (str, bool, int, float, type(None))) for each in value.values()):
            help = 'write `env = {OMP_NUM_THREADS: 4, DATA_ROOT: "data"}`'
            raise Fault("AM405", "`env` maps names of variables to texts, numbers or null", span, help=help)
        for name, text in value.items():
            if _VARIABLE.fullmatch(name) is None:
                raise Fault("AM405", f"`{name}` is no name of a variable of the environment", span)
            if name in _RESERVED or name.startswith("AUTOML_"):
                help = "the study's `workers` say which GPUs a job has" if name in _RESERVED else ""
                raise Fault("AM405", f"`{name}` is set for each job by the worker that runs it", span, help=help)
            if self.name == "Command" and isinstance(text, str):
                self._check_places(text, span)
        return value

    def _metrics(self, value: ir.Value, span: Span) -> ir.Value:
        help = 'write `metrics = {dice: "mean dice: ([0-9.]+)"}`'
        if not isinstance(value, dict) or not value:
            raise Fault("AM405", "`metrics` maps names to regular expressions", span, help=help)
        for name, pattern in value.items():
            if not isinstance(pattern, str):
                raise Fault("AM405", f"the pattern of `{name}` is a text", span, help=help)
            try:
                groups = re.compile(pattern)
            except re.error as error:
                raise Fault("AM405", f"the pattern of `{name}` cannot be read: {error}", span) from error
            if groups.groups - ("step" in groups.groupindex) != 1:
                help = f"the value stands in parentheses, as in {help.removeprefix('write ')}; `(?P<step>[0-9]+)` may name the step"
                raise Fault("AM405", f"the pattern of `{name}` needs one group", span, help=help)
        return value

    def _check_places(self, template: str, span: Span) -> None:
        """`{model.depth}` is a place of the configuration; other braces are the shell's."""
        known = self.expressions.places.root.entries
        for place in places(template):
            if place.first not in known:
                if place.kind == "value" and place.path in PROVIDED:
                    continue
                help = did_you_mean(place.first, (*known, *PROVIDED)) or "a value of the configuration is named like `{lr}`"
                if place.kind == "value":
                    help += f"; the text `{{{place.path}}}` is written `{{{{{place.path}}}}}`"
                raise Fault("AM405", f"the command names `{place.first}`, which is no key of this program", span, help=help)
            if place.kind == "value":
                self._always_there(place, span)
            else:
                # It is left out where it has no value, so that a slip would never be seen.
                self._find(place, span)

    def _always_there(self, place: Place, span: Span) -> None:
        """Fault AM130 for a bare value that some trials lack. Whether the path leads somewhere, the first configuration tells."""
        expr: ast.Expr = ast.Name(place.first, NOWHERE)
        for step in _steps(place)[1:]:
            match step:
                case ast.IndexStep(index):
                    expr = ast.Index(expr, index, NOWHERE)
                case ast.NameStep(name) | ast.AttrStep(name):
                    expr = ast.Attr(expr, name, NOWHERE)
        try:
            self.expressions.translate(expr, None, None, Reading())
        except Fault as fault:
            if fault.diagnostic.code == "AM130":
                help = f"write `{{--{place.path}}}` or `{{{place.path}=}}`: these are left out where it has no value"
                raise Fault("AM130", f"`{place.path}` is not there in every trial", span, help=help) from None

    def _find(self, place: Place, span: Span) -> None:
        steps = _steps(place)
        try:
            self.expressions.places.walk(None, steps, None)
        except Fault as fault:
            found = fault.diagnostic
            raise Fault("AM405", f"the command names `{place.path}`: {found.message}", span, help=found.help) from None


def _steps(place: Place) -> list[ast.Step]:
    steps: list[ast.Step] = []
    for word in re.findall(r"\w+|\[\d+\]", place.path):
        index = word[1:-1]
        steps.append(ast.IndexStep(ast.Lit(int(index), NOWHERE), NOWHERE) if word[0] == "[" else ast.NameStep(word, NOWHERE))
    return steps


def _texts(value: ir.Value) -> Iterator[str]:
    yield from (str(item) for item in value) if isinstance(value, list) else [str(value)]
