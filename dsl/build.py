"""Programs built in Python: the same syntax tree as the text, through the same elaborator.

    from automl_run.dsl.build import C, Program, between, log, oneof

    p = Program().use("config_train.json")
    with p.study("test1") as s:
        s.maximize("val_mean_dice")
        s.budget(trials=40, time="12h")
        s.controller = C("Reinforcement")
        s.workers = [[0], [1]]
    p["learning_rate"].search(log(1e-4, 1e-3), baseline=2e-4)
    roi = p.let("roi", between(64, 160, step=16), baseline=96)
    p["train.model"] = C("UNet", depth=between(3, 5), patch=[roi, roi, roi])
    p.require(roi % 32 == 0, because="five halvings")
    program = p.program()

Wrong use raises InputError at the call; what only the whole shows (an unknown name, a loop) is a ProgramError of `program()`, with
places in the text that `to_automl()` gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from automl_run.errors import InputError

from . import ast, ir
from .build_values import (
    C,
    Expr,
    Search,
    Value,
    between,
    binding,
    call,
    condition_of,
    cpu,
    expr,
    log,
    oneof,
    path_of,
    quantity,
    searched,
    to_expr,
    when,
    word_of,
)
from .diagnostics import did_you_mean
from .load import check_text
from .parser import parse_module
from .printer import print_module, print_path, print_statement
from .source import NOWHERE, Source

__all__ = ["C", "Expr", "Place", "Program", "Search", "Study", "between", "call", "cpu", "expr", "log", "oneof", "when"]

_EDITIONS = (1,)
_TIMES = ("time", "job_time", "stall_time")
_LIMITS = ("trials", "time", "job_time", "gpu_hours", "target", "patience")


class Program:
    """A program under construction. `folder`: what `use` and relative targets are taken from (default: the working directory)."""

    def __init__(self, edition: int = 1, *, folder: str | Path | None = None) -> None:
        if edition not in _EDITIONS:
            raise InputError(f"there is no edition {edition!r} of the language; known: {', '.join(map(str, _EDITIONS))}")
        self._edition = edition
        self._folder = None if folder is None else Path(folder)
        self._uses: list[ast.Statement] = []
        self._studies: list[ast.Statement] = []
        self._body: list[ast.Statement] = []
        self._bound: dict[str, bool] = {}
        self._read: ir.Program | None = None

    # -- what is said ---------------------------------------------------------------------------------------------------------

    def use(self, path: str | Path) -> Program:
        """A layer below this one: `.automl`, or Clara's `.json`."""
        self._uses.append(self._checked(ast.Use(str(path), NOWHERE)))
        return self

    @contextmanager
    def study(self, name: str = "") -> Iterator[Study]:
        """The study; its keys are set inside the `with`."""
        if self._studies:
            raise InputError("a program has one study")
        study = Study()
        yield study
        body = tuple(study.statements())
        self._studies.append(self._checked(ast.Section(path_of("study"), str(name) or None, body, NOWHERE)))

    def __getitem__(self, path: str | tuple[str, ...]) -> Place:
        """A place, or several that are searched together; it is a value as well: `p["a"] * 2`."""
        return Place(self, tuple(map(path_of, (path,) if isinstance(path, str) else path)))

    def __setitem__(self, path: str, value: Value) -> None:
        self[path].set(value)

    def let(self, name: str | Sequence[str], value: Value, *, baseline: Value = ..., when: Expr | None = None) -> Expr:
        """A shared variable that is no key of the configuration; what it returns reads it. Several names: `lets`."""
        return self.lets((name,) if isinstance(name, str) else tuple(name), value, baseline=baseline, when=when)[0]

    def lets(self, names: Sequence[str], value: Value, *, baseline: Value = ..., when: Expr | None = None) -> tuple[Expr, ...]:
        """Variables that are searched together."""
        targets = tuple(ast.Path((ast.NameStep(word_of(name), NOWHERE),), NOWHERE) for name in names)
        if isinstance(value, Search):
            bind = searched(targets, value, baseline, when)
        elif baseline is ...:
            bind = binding(targets, value, when)
        else:
            raise InputError("a fixed value has no baseline")
        self._once(targets, when is not None, "let ")
        self._body.append(self._checked(ast.Let(bind, NOWHERE)))
        return tuple(Expr(ast.Name(name, NOWHERE)) for name in names)

    def require(self, condition: Expr, because: str = "") -> None:
        """A condition that every trial meets before it starts."""
        self._body.append(self._checked(ast.Require(condition_of(condition), str(because), NOWHERE)))

    # -- what it comes to -----------------------------------------------------------------------------------------------------

    def module(self) -> ast.Module:
        """The syntax tree."""
        return ast.Module("<builder>", self._edition, (*self._uses, *self._studies, *self._body))

    def to_automl(self) -> str:
        """The text of what was built, with its `use`s. (`program().to_automl()` resolves them.)"""
        return print_module(self.module())

    def program(self) -> ir.Program:
        """The program. Raises ProgramError, whose places are in the text of `to_automl()`."""
        if self._read is None:
            self._read = check_text(self.to_automl(), name="<builder>", folder=self._folder).unwrap()
        return self._read

    @property
    def digest(self) -> str:
        return self.program().digest

    # -- bookkeeping ----------------------------------------------------------------------------------------------------------

    def _add(self, statement: ast.Bind) -> None:
        checked = self._checked(statement)
        if not statement.append:
            self._once(statement.targets, statement.guard is not None, "")
        self._body.append(checked)

    def _once(self, targets: tuple[ast.Path, ...], guarded: bool, kind: str) -> None:
        for path in targets:
            text = kind + print_path(path)
            if text in self._bound and not (guarded and self._bound[text]):
                raise InputError(f"`{text}` is bound twice")
            self._bound[text] = guarded

    def _checked(self, statement: ast.Statement) -> ast.Statement:
        """`statement`, if its text is read as it was meant; InputError with what the reader says otherwise."""
        self._read = None
        _, found = parse_module(Source("<builder>", print_statement(statement)), require_edition=False)
        errors = [item for item in found if item.severity == "error"]
        if errors:
            raise InputError(errors[0].message + (f": {errors[0].help}" if errors[0].help else ""))
        return statement


class Place(Expr):
    """One place of the configuration, or several that are searched together."""

    def __init__(self, program: Program, paths: tuple[ast.Path, ...]) -> None:
        self._program, self._paths = program, paths
        super().__init__(_reading(paths[0]))

    def search(self, domain: Search, *, baseline: Value = ..., when: Expr | None = None, tag: str | None = None) -> None:
        """Searches it. `tag`: lr, net, transform or a label of one's own, where the path does not tell."""
        bind = searched(self._paths, domain, baseline, when)
        tags = () if tag is None else (word_of(tag),)
        self._program._add(ast.Bind(bind.targets, bind.given, False, None, bind.search, tags, bind.guard, NOWHERE))

    def set(self, value: Value, *, when: Expr | None = None) -> None:
        """Fixes it, under a condition if one is given."""
        self._program._add(binding(self._paths, value, when))

    def append(self, items: Sequence[Value], *, before: str | None = None) -> None:
        """Adds items to an inherited list, at its end or before the item of a class."""
        if isinstance(items, str) or not isinstance(items, (list, tuple)):
            raise InputError(f"a list of items is added, not {items!r}")
        place = None if before is None else _reading(path_of(before))
        self._program._add(ast.Bind(self._paths, to_expr(list(items)), True, place, None, (), None, NOWHERE))


class Study:
    """The keys of a study: attributes, and `maximize`, `minimize`, `ensure`, `budget`."""

    _KEYS = (
        "target", "controller", "pruner", "workers", "seed", "order", "baseline", "keep", "out", "accelerate", "stall_time",
        "disk_reserve", "cache", "handlers", "executor",
    )  # fmt: skip

    _said: dict[str, ast.Statement]
    _objectives: list[ast.Statement]

    def __init__(self) -> None:
        object.__setattr__(self, "_said", {})  # its own attributes are no keys
        object.__setattr__(self, "_objectives", [])

    def __setattr__(self, key: str, value: Value) -> None:
        if key not in self._KEYS:
            raise InputError(f"a study has no key `{key}`; {did_you_mean(key, self._KEYS)}")
        if key in ("controller", "pruner") and isinstance(value, str):
            value = C(value)
        tree = quantity(value) if key in _TIMES else to_expr(value)
        self._said[key] = ast.Bind((path_of(key),), tree, False, None, None, (), None, NOWHERE)

    def maximize(self, *metrics: str) -> None:
        """The metrics to be made large; several objectives make a trade-off."""
        self._objectives.extend(_objective("maximize", metric) for metric in metrics)

    def minimize(self, *metrics: str) -> None:
        self._objectives.extend(_objective("minimize", metric) for metric in metrics)

    def ensure(self, condition: Expr | str, because: str = "") -> None:
        """A condition on metrics that a trial must meet to be the best."""
        tree = expr(condition).tree if isinstance(condition, str) else condition_of(condition)
        self._objectives.append(ast.Ensure(tree, because, NOWHERE))

    def budget(self, **limits: int | float | str | timedelta) -> None:
        """trials, time, job_time, target, patience. Times are `"12h"`, seconds or timedeltas."""
        for key in limits:
            if key not in _LIMITS:
                raise InputError(f"a budget has no `{key}`; {did_you_mean(key, _LIMITS)}")
        body: list[ast.Statement] = []
        for key, value in limits.items():
            tree = quantity(value) if key in _TIMES else to_expr(value)
            body.append(ast.Bind((path_of(key),), tree, False, None, None, (), None, NOWHERE))
        self._said["budget"] = ast.Section(path_of("budget"), None, tuple(body), NOWHERE)

    def statements(self) -> list[ast.Statement]:
        return [*self._objectives, *self._said.values()]


def _objective(direction: str, metric: str) -> ast.Objective:
    if not isinstance(metric, str) or not metric:
        raise InputError(f"an objective is the name of a metric, not {metric!r}")
    value = ast.Name(metric, NOWHERE) if metric.isidentifier() and metric.isascii() else ast.Lit(metric, NOWHERE)
    return ast.Objective("maximize" if direction == "maximize" else "minimize", value, NOWHERE)


def _reading(path: ast.Path) -> ast.Expr:
    """A path as an expression that reads it."""
    from .to_automl_exprs import steps_expr

    return steps_expr(path.steps)
