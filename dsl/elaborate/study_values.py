"""The values of study keys: targets, controllers, workers, limits."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, get_args

from .. import ast, ir
from ..bundle_target import ARGUMENTS, IDS
from ..controllers import ALIASES, CONTROLLERS, DESTINATIONS, EXECUTORS, HANDLERS, PRUNERS, Argument
from ..diagnostics import did_you_mean, nearest
from ..source import Span
from .arguments import refuse_quantity
from .expressions import Expressions, base_value
from .script_targets import SCRIPT_TARGETS, script_target
from .tree import Fault

_TARGETS = {"Mmar": "path", "Bundle": "path"}
SCORES: Final[tuple[ir.RepeatScore, ...]] = get_args(ir.RepeatScore)
_PRUNER_EXAMPLE = 'Hyperband(resource = "epochs", min = 5, max = 300)'
_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(slots=True)
class StudyValues:
    """`resolve_target` makes the folder that `Mmar("...")` names absolute, from the file it stands in; None if there is none."""

    expressions: Expressions
    variables: Mapping[str, ir.Value]
    resolve_target: Callable[[str, str], str | None]

    def read(self, key: str, value: ast.Expr, file: str) -> object:
        """The value of `key`, checked. Fault AM203 or AM40x."""
        match key:
            case "target":
                return self._target(value, file)
            case "controller":
                return self._controller(value)
            case "workers":
                return self._workers(value)
            case "seed":
                return self._whole(value, "`seed`", 0)
            case "keep":
                return None if isinstance(value, ast.Name) and value.id == "all" else self._whole(value, "`keep`", 1)
            case "baseline":
                return self._kind(value, bool, "`baseline` is true or false")
            case "order":
                order = self._constant(value)
                if order not in ("arrival", "fixed"):
                    raise Fault("AM402", '`order` is "arrival" or "fixed"', value.span)
                return order
            case "out":
                return self._kind(value, str, "`out` is the path of a folder")
            case "executor":
                return self._executor(value)
            case "handlers":
                if not isinstance(value, ast.ListExpr):
                    raise Fault("AM402", "`handlers` is a list", value.span)
                return tuple(self._named(_expr(item), HANDLERS, "handler") for item in value.items)
            case "budget.trials" | "budget.patience":
                return self._whole(value, f"`{key}`", 1)
            case "budget.target":
                return float(self._number(value, "`budget.target`"))
            case "budget.gpu_hours":
                hours = float(self._number(value, "`budget.gpu_hours`"))
                if hours <= 0:
                    raise Fault("AM402", "`budget.gpu_hours` is a number above zero", value.span)
                return hours
            case "pruner":
                return None if isinstance(value, ast.Lit) and value.value is None else self._pruner(value)
            case "accelerate":
                return self._kind(value, bool, "`accelerate` is true or false")
            case "cache" if isinstance(value, ast.Lit) and value.value is False:
                return 0
            case "disk_reserve" | "cache":
                return self._bytes(value, key)
            case "repeat.folds":
                return self._whole(value, "`folds`", 2)
            case "repeat.seeds":
                return self._seeds(value)
            case "repeat.score":
                score = self._constant(value)
                if score not in SCORES:
                    names = ", ".join(f'"{name}"' for name in SCORES)
                    raise Fault("AM402", f"`score` is one of {names}", value.span)
                return score
            case "repeat.abandon":
                return self._kind(value, bool, "`abandon` is true or false")
            case "search":
                return self._labels(value)
            case "warm_start":
                return self._whole(value, "`warm_start`", 0)
            case _:
                return self._seconds(value, key)

    def _constant(self, expr: ast.Expr) -> ir.Value:
        value = self.expressions.constant(expr, None, None)
        if isinstance(value, str) and (match := _VARIABLE.fullmatch(value)) is not None and match[1] in self.variables:
            return self.variables[match[1]]
        return value

    def _kind(self, expr: ast.Expr, kind: type, message: str) -> ir.Value:
        value = self._constant(expr)
        if not isinstance(value, kind):
            raise Fault("AM402", message, expr.span)
        return value

    def _whole(self, expr: ast.Expr, what: str, least: int) -> int:
        if isinstance(expr, ast.Quantity):
            refuse_quantity(expr, what)
        value = self._constant(expr)
        if isinstance(value, bool) or not isinstance(value, int) or value < least or value.bit_length() > 63:
            raise Fault("AM402", f"{what} is a whole number from {least}", expr.span)
        return value

    def _number(self, expr: ast.Expr, what: str) -> int | float:
        if isinstance(expr, ast.Quantity):
            refuse_quantity(expr, what)
        value = self._constant(expr)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Fault("AM402", f"{what} is a number", expr.span)
        return value

    def _seconds(self, expr: ast.Expr, key: str) -> float:
        if isinstance(expr, ast.Quantity):
            value, dimension = base_value(expr)
            if dimension == "time" and value > 0:
                return float(value)
        help = "write it with a unit, as in `30min`, `12h`, `2d`"
        raise Fault("AM402", f"`{key}` is a time above zero", expr.span, help=help)

    def _bytes(self, expr: ast.Expr, key: str) -> int:
        if isinstance(expr, ast.Quantity):
            value, dimension = base_value(expr)
            if dimension == "bytes" and value > 0:
                return int(value)
        raise Fault("AM402", f"`{key}` is a number of bytes above zero", expr.span, help="write it with a unit, as in `20GiB`")

    def _seeds(self, expr: ast.Expr) -> tuple[int, ...]:
        values = self._constant(expr)
        found = [value for value in values if type(value) is int and 0 <= value < 2**63] if isinstance(values, list) else []
        if not isinstance(values, list) or not found or len(found) < len(values):
            raise Fault("AM402", "`seeds` is a list of whole numbers from 0", expr.span, help="write `seeds = [0, 1, 2]`")
        if len(set(found)) < len(found):
            raise Fault("AM402", "a seed stands twice in `seeds`", expr.span)
        return tuple(found)

    def _labels(self, expr: ast.Expr) -> tuple[str, ...]:
        """`["lr", "net"]`, or the labels as plain words."""
        items = [_expr(item) for item in expr.items] if isinstance(expr, ast.ListExpr) else []
        labels = [item.id if isinstance(item, ast.Name) else self._constant(item) for item in items]
        found = [label.removeprefix("@") for label in labels if isinstance(label, str)]
        if not found or len(found) < len(labels):
            help = 'write `search = ["lr", "transform"]`'
            raise Fault("AM402", "`search` is a list of labels", expr.span, help=help)
        return tuple(dict.fromkeys(found))

    # -- components of the engine -----------------------------------------------------------------------------------------------

    def _call(self, expr: ast.Expr, what: str, example: str) -> ast.Call:
        match expr:
            case ast.Call():
                return expr
            case ast.Name(name, span):
                return ast.Call(name, (), span, span)
            case _:
                raise Fault("AM402", f"`{what}` is written like `{example}`", expr.span)

    def _controller(self, expr: ast.Expr) -> ir.Spec:
        call = self._call(expr, "controller", "TPE()")
        return self._from_table(call, CONTROLLERS, "controller")

    def _pruner(self, expr: ast.Expr) -> ir.Spec:
        call = self._call(expr, "pruner", "Median()")
        spec = self._from_table(call, PRUNERS, "pruner")
        least, most = spec.args.get("min", 1), spec.args.get("max")
        if isinstance(least, int) and isinstance(most, int) and spec.name in PRUNERS and least >= most:
            raise Fault("AM402", f"`min` of `{spec.name}` lies below its `max`", call.span, help=f"write `{_PRUNER_EXAMPLE}`")
        return spec

    def _from_table(self, call: ast.Call, table: Mapping[str, Mapping[str, Argument]], what: str) -> ir.Spec:
        """One of `table` with its arguments checked, or `pkg.mod.Class(...)` of the user's own; its arguments stay as given."""
        name = ALIASES.get(call.callee, call.callee)
        if "." in name:
            return ir.Spec(name, {arg: self._constant(value) for arg, _, value in self._arguments(call)})
        if name not in table:
            help = did_you_mean(name, table) or f"known here: {', '.join(table)}, and a class of your own as `pkg.mod.Class()`"
            raise Fault("AM403", f"no {what} is called `{name}`", call.callee_span, label=f"unknown {what}", help=help)
        args: dict[str, ir.Value] = {}
        for arg, place, value in self._arguments(call):
            argument = table[name].get(arg)
            if argument is None:
                help = did_you_mean(arg, table[name]) or f"`{name}` takes no arguments"
                raise Fault("AM203", f"`{name}` has no argument `{arg}`", place, label="unknown argument", help=help)
            if arg in args:
                raise Fault("AM111", f"`{arg}` is given twice", place)
            args[arg] = self._argument(value, f"`{arg}`", argument)
        return ir.Spec(name, args)

    def _argument(self, expr: ast.Expr, what: str, argument: Argument) -> ir.Value:
        if argument.kind == "whole":
            return self._whole(expr, what, int(argument.least))
        if argument.kind == "text":
            return self._text(expr, what, argument.among)
        value = self._number(expr, what)
        if value < argument.least or (argument.above and value == argument.least):
            raise Fault("AM402", f"{what} is a number {'above' if argument.above else 'from'} {argument.least:g}", expr.span)
        return float(value)

    def _text(self, expr: ast.Expr, what: str, among: tuple[str, ...]) -> ir.Value:
        text = self._kind(expr, str, f"{what} is a text")
        if among and text not in among:
            known = ", ".join(f'"{name}"' for name in among)
            raise Fault("AM402", f"{what} is one of {known}", expr.span, help=did_you_mean(str(text), among))
        return text

    def _named(self, expr: ast.Expr, known: Mapping[str, Sequence[str]], what: str) -> ir.Spec:
        """One of Clara's, or `pkg.mod.Class(...)` of the user's own; its arguments stay as given."""
        call = self._call(expr, what, f"{next(iter(known))}()")
        if "." not in call.callee and call.callee not in known:
            help = f"one of your own is written `pkg.mod.{call.callee}()`"
            if nearest(call.callee, known) is not None:
                help = did_you_mean(call.callee, known)
            raise Fault("AM402", f"no {what} is called `{call.callee}`", call.callee_span, help=help)
        args: dict[str, ir.Value] = {}
        for arg, place, value in self._arguments(call):
            if "." not in call.callee and arg not in known[call.callee]:
                help = did_you_mean(arg, known[call.callee]) or f"`{call.callee}` takes no arguments"
                raise Fault("AM203", f"`{call.callee}` has no argument `{arg}`", place, label="unknown argument", help=help)
            if arg in args:
                raise Fault("AM111", f"`{arg}` is given twice", place)
            args[arg] = self._constant(value)
        return ir.Spec(call.callee, args)

    def _executor(self, expr: ast.Expr) -> ir.Spec:
        spec = self._named(expr, EXECUTORS, "executor")
        if "." not in spec.name and spec.args.get("msg_destination", "file") not in DESTINATIONS:
            names = ", ".join(f'"{name}"' for name in DESTINATIONS)
            raise Fault("AM402", f"`msg_destination` is one of {names}", expr.span)
        return spec

    def _arguments(self, call: ast.Call) -> list[tuple[str, Span, ast.Expr]]:
        out: list[tuple[str, Span, ast.Expr]] = []
        for arg in call.args:
            match arg:
                case ast.Bind(targets=(path,), given=value, search=None, guard=None) if value is not None and len(path.steps) == 1:
                    out.append((word(path.steps[0]), path.span, value))
                case _:
                    raise Fault("AM115", f"the arguments of `{call.callee}` are written `name = value`", arg.span)
        return out

    def _target(self, expr: ast.Expr, file: str) -> ir.Spec:
        call = self._call(expr, "target", 'Python("pkg.mod:fn")')
        if call.callee in SCRIPT_TARGETS:
            return script_target(call, self.expressions)
        argument = _TARGETS.get(call.callee)
        if argument is None:
            help = did_you_mean(call.callee, (*_TARGETS, *SCRIPT_TARGETS))
            raise Fault("AM405", f"no target is called `{call.callee}`", call.callee_span, label="unknown target", help=help)
        match call.args:
            case (ast.Positional(ast.Lit(str() as text, span), None),):
                pass
            case (ast.Positional(ast.Lit(str() as text, span), None), *_) if call.callee == "Bundle":
                pass
            case _:
                raise Fault("AM405", f'`{call.callee}` takes one text: `{call.callee}("...")`', call.span)
        if not text.strip():
            raise Fault("AM405", f"`{call.callee}` needs a text that is not empty", span)
        if call.callee == "Mmar":
            text = self._mmar(text, file, span)
        if call.callee == "Bundle":
            ids = self._bundle_ids(call)
            return ir.Spec(call.callee, {argument: self._bundle(text, file, span), **ids})
        return ir.Spec(call.callee, {argument: text})

    def _mmar(self, text: str, file: str, span: Span) -> str:
        folder = self.resolve_target(text, file)
        if folder is None:
            raise Fault("AM305", f"there is no folder `{text}`", span)
        if "train" not in self.expressions.places.root.entries:
            help = f'name it as the base: `use "{text.rstrip("/")}/config/config_train.json"`'
            raise Fault("AM405", "this program has no training configuration for an MMAR to run", span, help=help)
        return folder

    def _bundle(self, text: str, file: str, span: Span) -> str:
        folder = self.resolve_target(text, file)
        if folder is None:
            raise Fault("AM305", f"there is no folder `{text}`", span)
        if not self.expressions.places.root.entries:
            help = f'name it as the base: `use "{text.rstrip("/")}/configs/train.json"`'
            raise Fault("AM405", "this program has no configuration for a bundle to run", span, help=help)
        return folder

    def _bundle_ids(self, call: ast.Call) -> dict[str, ir.Value]:
        """The ids that it names and that are not the usual ones; `config` is the reader's of files."""
        ids: dict[str, ir.Value] = {}
        for name, place, value in self._arguments(dataclasses.replace(call, args=call.args[1:])):
            if name not in ARGUMENTS:
                help = did_you_mean(name, ARGUMENTS) or f"it takes {', '.join(f'`{known}`' for known in ARGUMENTS)}"
                raise Fault("AM203", f"`Bundle` has no argument `{name}`", place, label="unknown argument", help=help)
            if name in IDS:
                id = self._kind(value, str, f"`{name}` is the id that is evaluated, a text")
                if id != IDS[name]:
                    ids[name] = id
            elif not _is_files(value):
                raise Fault(
                    "AM402", '`config` is a file of the bundle or a list of them, `["train.json", "more.json"]`', value.span
                )
        return ids

    # -- workers ----------------------------------------------------------------------------------------------------------------

    def _workers(self, expr: ast.Expr) -> tuple[ir.Worker, ...]:
        match expr:
            case ast.Name("auto"):
                return ()
            case ast.ListExpr(items) if items:
                return tuple(self._worker(_expr(item)) for item in items)
            case ast.Comprehension(ast.Call("cpu", (ast.Positional(threads, None),)), name, iterable, condition, span):
                counts = self.expressions.constant(ast.Comprehension(threads, name, iterable, condition, span), None, None)
                return self._each(counts, span, lambda count: self._cpu(count, span))
            case ast.Comprehension(span=span):
                gpus = self.expressions.constant(expr, None, None)
                return self._each(gpus, span, lambda worker: self._gpus(worker, span))
            case _:
                help = "write `[[0], [1, 2]]` (GPUs of each worker), `[cpu(4), cpu(4)]` (threads of each) or `auto`"
                raise Fault("AM402", "`workers` is a list with one entry a worker", expr.span, help=help)

    def _each(self, values: ir.Value, span: Span, make: Callable[[ir.Value], ir.Worker]) -> tuple[ir.Worker, ...]:
        if not isinstance(values, list) or not values:
            raise Fault("AM402", "there is no worker in this list", span)
        return tuple(make(value) for value in values)

    def _worker(self, expr: ast.Expr) -> ir.Worker:
        match expr:
            case ast.Call("cpu", (ast.Positional(threads, None),)):
                return self._cpu(self.expressions.constant(threads, None, None), expr.span)
            case ast.Call("cpu", ()):
                return ir.Worker()
            case ast.Name("cpu", span) if self.expressions.places.name("cpu", None, None) is None:
                help = "a worker on the CPU is written `cpu(1)`, with its number of threads"
                raise Fault("AM101", "nothing is named `cpu` here", span, label="unknown name", help=help)
            case _:
                return self._gpus(self.expressions.constant(expr, None, None), expr.span)

    def _cpu(self, threads: ir.Value, span: Span) -> ir.Worker:
        if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= 4096:
            raise Fault("AM402", "`cpu(n)` takes a number of threads from 1", span)
        return ir.Worker((), threads)

    def _gpus(self, gpus: ir.Value, span: Span) -> ir.Worker:
        if not isinstance(gpus, list) or not gpus:
            raise Fault("AM402", "a worker is a list of GPUs, `[0, 1]`, or `cpu(4)`", span)
        if any(isinstance(gpu, bool) or not isinstance(gpu, int) or gpu < 0 for gpu in gpus):
            raise Fault("AM402", "a GPU is a whole number from 0", span)
        ids = tuple(gpu for gpu in gpus if isinstance(gpu, int))
        if len(set(ids)) != len(ids):
            raise Fault("AM402", "a worker has each GPU once", span)
        return ir.Worker(ids)


def _is_files(value: ast.Expr) -> bool:
    items = [item.value for item in value.items] if isinstance(value, ast.ListExpr) else [value]
    return all(isinstance(item, ast.Lit) and isinstance(item.value, str) for item in items)


def word(step: ast.Step) -> str:
    match step:
        case ast.NameStep(name):
            return name
        case ast.AttrStep(name):
            return f"@{name}"
        case ast.IndexStep(index):
            raise Fault("AM401", "a study key is a plain name", index.span)


def _expr(item: ast.Item) -> ast.Expr:
    if isinstance(item.value, ast.Domain) or item.guard is not None:
        raise Fault("AM402", "the study is fixed: nothing in it is searched", item.span)
    return item.value
