"""Study -> Clara's config_automl.json, and what of it Clara has no words for."""

from __future__ import annotations

from .. import ir
from ..ir import Value
from .automl_config import CONTROLLERS
from .writer import Loss

_HANDLERS = ("MMARHandler", "StatsHandler", "MMARStatsHandler")
_CONTROLLER = {ours: theirs for theirs, ours in reversed(CONTROLLERS.items()) if theirs.endswith("Controller")}


def automl_config(study: ir.Study) -> tuple[dict[str, Value], list[Loss]]:
    """The AutoML config; workers and the run's name are of the command line, not of it."""
    out: dict[str, Value] = {
        "handlers": [_handler(spec, study) for spec in _handlers(study)],
        "executor": _component(study.executor or ir.Spec("MMARExecutor", {"msg_destination": "file", "remove_search_augs": True})),
        "controller": _component(ir.Spec(_CONTROLLER.get(study.controller.name, study.controller.name), study.controller.args)),
    }
    budget = study.budget
    if budget.job_time_s is not None:
        out["max_job_run_time"] = _number(budget.job_time_s)
    if budget.time_s is not None:
        out["max_sys_run_time"] = _number(budget.time_s)
    return out, _losses(study)


def _handlers(study: ir.Study) -> tuple[ir.Spec, ...]:
    """The study's own, with MMARHandler among them where only it can hold what the study says."""
    found = study.handlers or tuple(map(ir.Spec, _HANDLERS))
    needs = (study.keep, study.budget.target, study.out) != (None, None, None)
    if needs and all(spec.name != "MMARHandler" for spec in found):
        found = (ir.Spec("MMARHandler"), *found)
    return found


def _number(value: float) -> Value:
    return int(value) if value.is_integer() else value


def _component(spec: ir.Spec) -> dict[str, Value]:
    out: dict[str, Value] = {"path" if "." in spec.name else "name": spec.name}
    if spec.args:
        out["args"] = dict(spec.args)
    return out


def _handler(spec: ir.Spec, study: ir.Study) -> Value:
    """The handler; MMARHandler holds what the study says of keeping, stopping and folders."""
    if spec.name != "MMARHandler":
        return _component(spec)
    args: dict[str, Value] = dict(spec.args) or {"train_config_file": "{trainconf}", "key_mmar_content_only": True}
    said = {"num_mmars_to_keep": study.keep, "stop_threshold": study.budget.target, "work_dir": study.out}
    for key, value in said.items():
        if value is None:
            args.pop(key, None)
        else:
            args[key] = value
    return _component(ir.Spec(spec.name, args))


def _losses(study: ir.Study) -> list[Loss]:
    usual = ir.Study()
    out: list[Loss] = []

    def lose(key: str, message: str, help: str = "") -> None:
        out.append(Loss(message, f"study.{key}", help))

    for objective in study.objectives:
        if objective.direction == "minimize":
            lose("minimize", f"`minimize {objective.metric}`", "Clara maximizes `validate.key_metric`")
    if len(study.objectives) > 1:
        lose("maximize", "several objectives")
    ends_itself = study.controller.name in ("Reinforcement", "Grid")
    if study.budget.trials is not None and (ends_itself or study.budget.trials != 20):
        lose("budget", f"`trials = {study.budget.trials}`", "ReinforcementController has `max_rounds`")
    if study.budget.patience is not None:
        lose("budget", f"`patience = {study.budget.patience}`")
    if study.seed != usual.seed:
        lose("seed", f"`seed = {study.seed}`")
    if study.order != usual.order:
        lose("order", f'`order = "{study.order}"`')
    if study.baseline != usual.baseline:
        lose("baseline", "`baseline = false`")
    for ensure in study.ensures:
        lose("ensure", f"`ensure {ensure.text}`" if ensure.text else "`ensure`")
    if any(objective.expr is not None for objective in study.objectives):
        lose("maximize", "an objective that is an expression", "Clara maximizes `validate.key_metric`")
    if study.budget.gpu_hours is not None:
        lose("budget", f"`gpu_hours = {study.budget.gpu_hours:g}`")
    for key in ("pruner", "repeat", "accelerate", "stall_time_s", "disk_reserve", "cache"):
        if getattr(study, key) != getattr(usual, key):
            name = key.removesuffix("_s")
            lose(name, f"`{name}`")
    for phase in study.phases:
        lose("phase", f"the phase `{phase.name}`")
    if study.target is not None and study.target.name != "Mmar":
        lose("target", f"the target `{study.target.name}`", "Clara trains MMARs")
    return out
