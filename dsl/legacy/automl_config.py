"""Clara's config_automl.json -> `study { ... }`.

Codes: AM201 a key missing or of the wrong kind, AM208 unknown key, AM220 unknown component,
AM221 wrong value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .. import controllers
from ..ast import AttrStep, Bind, Call, Expr, Item, ListExpr, Lit, Module, NameStep, Path, Positional, Quantity, Section, Statement
from ..controllers import ALIASES, EXECUTORS, HANDLERS
from ..diagnostics import Diagnostic, did_you_mean
from ..source import Source, Span
from .components import ComponentReader, identify
from .json_reader import read_json
from .json_tree import JsonArray, JsonEntry, JsonNode, JsonObject, JsonScalar, kind_of, number_of, text_of
from .words import misspelt

#: Clara's controller and ours, each under its name here.
CONTROLLERS = {**ALIASES, **{f"{name}{end}": name for name in controllers.CONTROLLERS for end in ("", "Controller")}}
_DOTTED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+")
_KEYS = ("controller", "executor", "handlers", "max_job_run_time", "max_sys_run_time")
_TIMES = {"max_job_run_time": "job_time", "max_sys_run_time": "time"}


def read_automl(source: Source) -> tuple[Module, list[Diagnostic]]:
    """The study that `source` describes, and everything that is wrong with it."""
    root, diagnostics = read_json(source)
    if root is None:
        return Module(source.name, None, ()), diagnostics
    reader = _AutomlReader(source.name)
    reader.out.diagnostics += diagnostics
    if isinstance(root, JsonObject):
        reader.read(root)
    else:
        reader.out.error("AM201", f"an AutoML config is an object, not {kind_of(root)}", root.span, "`{...}` was expected")
    body: tuple[Statement, ...] = ()
    if reader.statements or reader.budget:
        place = root.span
        if reader.budget:
            reader.statements.append(Section(_path("budget", place), None, tuple(reader.budget), place))
        body = (Section(_path("study", place), None, tuple(reader.statements), place),)
    return Module(source.name, None, body), sorted(reader.out.diagnostics, key=lambda item: item.span.start)


def train_config_file(module: Module) -> str | None:
    """MMARHandler's `train_config_file` as `read_automl` left it, usually `{trainconf}`; None where none is said."""
    for call in _handlers(module):
        for arg in call.args:
            if isinstance(arg, Bind) and arg.targets[0].steps == (NameStep("train_config_file", arg.targets[0].span),):
                return arg.given.value if isinstance(arg.given, Lit) and isinstance(arg.given.value, str) else None
    return None


def _handlers(module: Module) -> list[Call]:
    found: list[Call] = []
    for study in module.body:
        for statement in study.body if isinstance(study, Section) else ():
            if isinstance(statement, Bind) and isinstance(statement.given, ListExpr):
                found += [item.value for item in statement.given.items if isinstance(item.value, Call)]
    return found


def _path(name: str, span: Span) -> Path:
    return Path((NameStep(name, span),), span)


def _set(name: str, value: Expr, span: Span) -> Bind:
    return Bind((_path(name, span),), value, False, None, None, (), None, value.span)


class _AutomlReader:
    def __init__(self, file: str) -> None:
        self.out = ComponentReader(file)
        self.statements: list[Statement] = []
        self.budget: list[Statement] = []

    def read(self, root: JsonObject) -> None:
        for entry in root:
            match entry.key:
                case "controller":
                    self._controller(entry)
                case "executor":
                    self._executor(entry)
                case "handlers":
                    self._handlers(entry)
                case "max_job_run_time" | "max_sys_run_time":
                    self._time(entry)
                case key if key.startswith("_"):
                    continue
                case key:
                    self.out.error(
                        "AM208", f"an AutoML config has no key `{key}`", entry.key_span, "unknown key", did_you_mean(key, _KEYS)
                    )

    # -- the three kinds of components ------------------------------------------------------------------------------------

    def _controller(self, entry: JsonEntry) -> None:
        call = self._component(entry.value, "controller", tuple(CONTROLLERS))
        if call is None:
            return
        if "." in call.callee:
            self.statements.append(_set("controller", call, entry.key_span))
            return
        rounds = next((arg for arg in call.args if isinstance(arg, Bind) and _is_named(arg, "max_rounds")), None)
        if rounds is not None and isinstance(rounds.given, Lit):
            value = rounds.given.value
            if (
                isinstance(value, bool)
                or (not isinstance(value, int) and not _is_variable(value))
                or (isinstance(value, int) and value < 1)
            ):
                self.out.error("AM221", "`max_rounds` is a whole number from 1", rounds.given.span, "wrong value")
        renamed = Call(CONTROLLERS[call.callee], call.args, call.callee_span, call.span)
        self.statements.append(_set("controller", renamed, entry.key_span))

    def _executor(self, entry: JsonEntry) -> None:
        call = self._component(entry.value, "executor", tuple(EXECUTORS))
        if call is not None:
            self._check_args(entry.value, call.callee, EXECUTORS)
            self.statements.append(_set("executor", call, entry.key_span))

    def _handlers(self, entry: JsonEntry) -> None:
        if not isinstance(entry.value, JsonArray):
            self.out.error("AM201", f"`handlers` is a list, not {kind_of(entry.value)}", entry.value.span, "a list was expected")
            return
        items: list[Item] = []
        for node in entry.value.items:
            call = self._component(node, "handler", tuple(HANDLERS))
            if call is None:
                continue
            self._check_args(node, call.callee, HANDLERS)
            if call.callee == "MMARHandler" and isinstance(node, JsonObject):
                self._mmar_handler(node)
            items.append(Item(call, None, call.span))
        self.statements.append(_set("handlers", ListExpr(tuple(items), entry.value.span), entry.key_span))

    def _component(self, node: JsonNode, kind: str, known: tuple[str, ...]) -> Call | None:
        """The call, None when it is switched off or wrong."""
        if not isinstance(node, JsonObject):
            self.out.error("AM201", f"a {kind} is an object, not {kind_of(node)}", node.span, "", 'write `{"name": "..."}`')
            return None
        off = node.get("disabled")
        if isinstance(off, JsonScalar) and off.value is True:
            return None
        path = node.entry("path")
        if path is not None:  # one's own class; a name beside it is only a name
            if _DOTTED.fullmatch(text_of(path.value) or "") is None:
                message = f"the `path` of a {kind} is a class with its module"
                self.out.error("AM201", message, path.value.span, "not a class", 'write `"path": "myModule.MyClass"`')
                return None
            return self._call(node, text_of(path.value) or "", path.value.span)
        name = node.entry("name")
        text = text_of(name.value) if name is not None else None
        if name is None or text is None:
            self._nameless(node, kind, name)
            return None
        if text not in known:
            help = did_you_mean(text, known)
            self.out.error("AM220", f"no {kind} is called `{text}`", name.value.span, f"unknown {kind}", help)
            return None
        return self._call(node, text, name.value.span)

    def _call(self, node: JsonObject, text: str, span: Span) -> Call | None:
        before = len(self.out.diagnostics)
        value = self.out.expr(node) if identify(node, False) is not None else Call(text, (), span, node.span)
        if len(self.out.diagnostics) > before or not isinstance(value, Call):
            return None
        kept: list[Positional | Bind] = []
        for arg in value.args:
            if isinstance(arg, Bind) and isinstance(arg.targets[0].steps[0], AttrStep) and _is_named(arg, "disabled"):
                continue
            if isinstance(arg, (Bind, Positional)):
                kept.append(arg)
        return Call(text, tuple(kept), value.callee_span, value.span)

    def _nameless(self, node: JsonObject, kind: str, name: JsonEntry | None) -> None:
        if name is not None:
            self.out.error("AM201", f"`name` is a string, not {kind_of(name.value)}", name.value.span, "a class name was expected")
            return
        for entry in node:
            if misspelt(entry.key, ("name", "path")) is not None:
                word = misspelt(entry.key, ("name", "path"))
                self.out.error("AM208", f"a {kind} has no key `{entry.key}`", entry.key_span, "misspelt", f"did you mean `{word}`?")
                return
        place = Span(node.span.file, node.span.start, node.span.start + 1)
        self.out.error("AM201", f"this {kind} has no `name`", place, "`name` is missing", 'add `"name": "..."`')

    def _check_args(self, node: JsonNode, name: str, table: Mapping[str, tuple[str, ...]]) -> None:
        """One's own class takes what it takes."""
        args = node.get("args") if isinstance(node, JsonObject) and name in table else None
        known = table.get(name, ())
        for entry in args if isinstance(args, JsonObject) else ():
            if entry.key not in known and not entry.key.startswith("_"):
                help = did_you_mean(entry.key, known)
                self.out.error("AM203", f"`{name}` has no argument `{entry.key}`", entry.key_span, "unknown argument", help)

    # -- what the study takes from them -----------------------------------------------------------------------------------

    def _mmar_handler(self, node: JsonObject) -> None:
        args = node.get("args")
        for entry in args if isinstance(args, JsonObject) else ():
            value = entry.value
            is_variable = _is_variable(text_of(value))
            match entry.key:
                case "num_mmars_to_keep":
                    number = number_of(value)
                    if not is_variable and (not isinstance(number, int) or number < 1):
                        self.out.error("AM221", "`num_mmars_to_keep` is a whole number from 1", value.span, "wrong value")
                    else:
                        self.statements.append(_set("keep", self.out.expr(value), entry.key_span))
                case "stop_threshold":
                    # a score at which the search is over; 1.0, Clara's usual value, is a Dice that no job exceeds
                    number = number_of(value)
                    if number is None and not is_variable:
                        self.out.error("AM221", "`stop_threshold` is a score, a number", value.span, "wrong value")
                    else:
                        target = Lit(float(number), value.span) if number is not None else self.out.expr(value)
                        self.budget.append(_set("target", target, entry.key_span))
                case "work_dir":
                    if text_of(value):
                        self.statements.append(_set("out", self.out.expr(value), entry.key_span))
                    else:
                        self.out.error("AM221", "`work_dir` is the path of a folder", value.span, "a string was expected")
                case "train_config_file":
                    if not text_of(value):
                        self.out.error("AM221", "`train_config_file` is the name of a file", value.span, "a string was expected")
                case _:
                    pass

    def _time(self, entry: JsonEntry) -> None:
        seconds = number_of(entry.value)
        if seconds is None or seconds <= 0:
            self.out.error("AM221", f"`{entry.key}` is a number of seconds above 0", entry.value.span, "wrong value")
            return
        value = Quantity(float(seconds), "s", entry.value.span)
        self.budget.append(_set(_TIMES[entry.key], value, entry.key_span))


def _is_named(bind: Bind, name: str) -> bool:
    step = bind.targets[0].steps[0]
    return isinstance(step, (NameStep, AttrStep)) and step.name == name


def _is_variable(value: object) -> bool:
    return isinstance(value, str) and value.startswith("{") and value.endswith("}")
