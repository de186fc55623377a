"""`ir.Study` -> `study "name" { ... }`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from pathlib import Path

from . import ast, ir
from .source import NOWHERE
from .to_automl_exprs import literal, name
from .to_automl_places import name_step

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0))


def study_section(
    study: ir.Study,
    taken: Collection[str],
    folder: Path | None,
    write: Callable[[ir.Expr], ast.Expr],
) -> ast.Section | None:
    """None for a study that says nothing. `taken`: names of the configuration; `folder`: where the text will stand.

    `write` gives an expression as text.
    """
    body: list[ast.Statement] = []
    if study.target is not None:
        body.append(_set("target", _target(study.target, folder)))
    for objective in study.objectives:
        plain = _WORD.fullmatch(objective.metric) and objective.metric not in taken
        metric: ast.Expr = name(objective.metric) if plain else ast.Lit(objective.metric, NOWHERE)
        if objective.expr is not None:
            metric = write(objective.expr)
        body.append(ast.Objective(objective.direction, metric, NOWHERE))
    body += [ast.Ensure(write(ensure.condition), ensure.reason, NOWHERE) for ensure in study.ensures]
    limits = _limits(study.budget)
    if limits:
        body.append(ast.Section(ast.Path((name_step("budget"),), NOWHERE), None, limits, NOWHERE))
    if study.controller != ir.Spec("Auto"):
        body.append(_set("controller", call(study.controller.name, study.controller.args)))
    if study.pruner is not None:
        body.append(_set("pruner", call(study.pruner.name, study.pruner.args)))
    if study.workers:
        body.append(_set("workers", _list([_worker(worker) for worker in study.workers])))
    if study.seed:
        body.append(_set("seed", literal(study.seed)))
    if study.order != "arrival":
        body.append(_set("order", literal(study.order)))
    if not study.baseline:
        body.append(_set("baseline", literal(False)))
    if study.keep is not None:
        body.append(_set("keep", literal(study.keep)))
    if study.out is not None:
        body.append(_set("out", literal(study.out)))
    if study.accelerate:
        body.append(_set("accelerate", literal(True)))
    if study.stall_time_s is not None:
        body.append(_set("stall_time", _time(study.stall_time_s)))
    if study.disk_reserve is not None:
        body.append(_set("disk_reserve", _bytes(study.disk_reserve)))
    if study.cache is not None:
        body.append(_set("cache", _bytes(study.cache) if study.cache else literal(False)))
    if study.executor is not None:
        body.append(_set("executor", call(study.executor.name, study.executor.args)))
    if study.handlers:
        body.append(_set("handlers", _list([call(spec.name, spec.args) for spec in study.handlers])))
    if study.repeat is not None:
        body.append(_section("repeat", None, _repeat(study.repeat)))
    body += [_section("phase", phase.name, _phase(phase)) for phase in study.phases]
    if not body and not study.name:
        return None
    return ast.Section(ast.Path((name_step("study"),), NOWHERE), study.name or None, tuple(body), NOWHERE)


def call(callee: str, args: dict[str, ir.Value]) -> ast.Call:
    return ast.Call(callee, tuple(_set(key, literal(value)) for key, value in args.items()), NOWHERE, NOWHERE)


def _section(key: str, label: str | None, body: tuple[ast.Statement, ...]) -> ast.Section:
    return ast.Section(ast.Path((name_step(key),), NOWHERE), label, body, NOWHERE)


def _repeat(repeat: ir.Repeat) -> tuple[ast.Bind, ...]:
    out: list[ast.Bind] = []
    if repeat.folds is not None:
        out.append(_set("folds", literal(repeat.folds)))
    if repeat.seeds:
        out.append(_set("seeds", literal(list(repeat.seeds))))
    if repeat.score != "mean":
        out.append(_set("score", literal(repeat.score)))
    if repeat.abandon:
        out.append(_set("abandon", literal(True)))
    return tuple(out)


def _phase(phase: ir.Phase) -> tuple[ast.Statement, ...]:
    out: list[ast.Statement] = []
    if phase.controller is not None:
        out.append(_set("controller", call(phase.controller.name, phase.controller.args)))
    if phase.pruner is not None:
        out.append(_set("pruner", call(phase.pruner.name, phase.pruner.args)))
    if phase.workers:
        out.append(_set("workers", _list([_worker(worker) for worker in phase.workers])))
    limits = _limits(phase.budget)
    if limits:
        out.append(_section("budget", None, limits))
    if phase.search is not None:
        out.append(_set("search", literal(list(phase.search))))
    if phase.warm_start:
        out.append(_set("warm_start", literal(phase.warm_start)))
    return tuple(out)


def _set(key: str, value: ast.Expr) -> ast.Bind:
    return ast.Bind((ast.Path((name_step(key),), NOWHERE),), value, False, None, None, (), None, NOWHERE)


def _list(values: list[ast.Expr]) -> ast.ListExpr:
    return ast.ListExpr(tuple(ast.Item(value, None, NOWHERE) for value in values), NOWHERE)


def _target(target: ir.Spec, folder: Path | None) -> ast.Call:
    value, *others = target.args.values() or (None,)
    if target.name in ("Mmar", "Bundle") and isinstance(value, str) and folder is not None and Path(value).is_absolute():
        value = os.path.relpath(value, folder.resolve())
    named = dict(zip(list(target.args)[1:], others, strict=True))
    if target.name == "Bundle":  # the text holds the whole configuration: the bundle brings none
        named = {"config": [], **named}
    arguments = (_set(key, literal(other)) for key, other in named.items())
    return ast.Call(target.name, (ast.Positional(literal(value), None, NOWHERE), *arguments), NOWHERE, NOWHERE)


def _limits(budget: ir.Budget) -> tuple[ast.Bind, ...]:
    out: list[ast.Bind] = []
    if budget.trials is not None:
        out.append(_set("trials", literal(budget.trials)))
    for key, seconds in (("time", budget.time_s), ("job_time", budget.job_time_s)):
        if seconds is not None:
            out.append(_set(key, _time(seconds)))
    if budget.target is not None:
        out.append(_set("target", literal(budget.target)))
    if budget.patience is not None:
        out.append(_set("patience", literal(budget.patience)))
    if budget.gpu_hours is not None:
        out.append(_set("gpu_hours", literal(budget.gpu_hours)))
    return tuple(out)


def _bytes(count: int) -> ast.Quantity:
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count % 1024**power == 0:
            return ast.Quantity(float(count // 1024**power), unit, NOWHERE)
    # Every number of bytes is one of kilobytes with three decimals.
    return ast.Quantity(count / 1000, "KB", NOWHERE)


def _time(seconds: float) -> ast.Quantity:
    for unit, size in _UNITS:
        if seconds >= size and seconds % size == 0:
            return ast.Quantity(seconds / size, unit, NOWHERE)
    return ast.Quantity(seconds, "s", NOWHERE)


def _worker(worker: ir.Worker) -> ast.Expr:
    if worker.gpus:
        return literal(list(worker.gpus))
    return ast.Call("cpu", (ast.Positional(literal(worker.threads), None, NOWHERE),), NOWHERE, NOWHERE)
