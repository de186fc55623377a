"""A program inside Python: concrete configurations, and other libraries' views of its space.

A *sample* is a point: parameter id -> alternative index (choices) or number (ranges), active parameters only. It is what `sample`
returns, what `resolve`, `labelled` and `target_values` take, and what the engine journals. Ids name alternatives
(`model[UNet].depth`), so no two parameters share one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl_run.errors import InputError

from . import evaluate, ir, prior
from .ir import ParamId, Point, Program, Value
from .resolved import to_plain

if TYPE_CHECKING:
    import optuna

#: Categories of Optuna are stored as text and listed in plots; beyond this many the index is suggested as an integer.
_MAX_CATEGORIES = 1000


def resolve(program: Program, sample: Point | None) -> dict[str, Value]:
    """The concrete configuration at `sample` (None: the baseline): a component is `{"_target_": class, **arguments}`.

    Inactive parts are absent; `{x}` in strings stays as written. Raises InputError with the reason if `sample` is not allowed.
    """
    reason = evaluate.infeasible_because(program, sample)
    if sample is not None and reason is not None:
        raise InputError(f"this sample is not allowed: {reason}")
    try:
        config = evaluate.resolve(program, sample)
    except evaluate.Undefined as undefined:
        raise InputError(f"the baseline has no value: {undefined}") from None
    return {key: to_plain(value) for key, value in config.items()}


def labelled(program: Program, sample: Point) -> dict[ParamId, int | float | str]:
    """`sample` for people: the label of each alternative in place of its index."""
    out: dict[ParamId, int | float | str] = {}
    for id, value in sample.items():
        domain = program.param(id).domain
        out[id] = domain.alts[int(value)].label if isinstance(domain, ir.Choice) else value
    return out


# -- Optuna ---------------------------------------------------------------------------------------------------------------------


def to_optuna(program: Program, trial: optuna.trial.BaseTrial) -> dict[ParamId, int | float]:
    """A sample suggested by an Optuna trial, one `suggest_*` for each parameter that is active by then.

    Names are parameter ids. Choices are categoricals of labels (of indices where labels repeat); ranges keep their log scale and
    step, but a step that Optuna cannot say (a factor, or one on a log scale) is suggested as the index of a rung. Raises
    `optuna.TrialPruned` if a `require` forbids the sample: Optuna has no constraint that is known beforehand.
    """
    import optuna

    sample = evaluate.build_point(program, lambda param: _suggest(trial, param))
    reason = evaluate.infeasible_because(program, sample)
    if reason is not None:
        raise optuna.TrialPruned(reason)
    return sample


def _suggest(trial: optuna.trial.BaseTrial, param: ir.Param) -> int | float:
    domain = param.domain
    if isinstance(domain, ir.Choice):
        labels = [alt.label for alt in domain.alts]
        if len(labels) > _MAX_CATEGORIES:
            return int(trial.suggest_int(param.id, 0, len(labels) - 1))
        if len(set(labels)) < len(labels):
            return int(trial.suggest_categorical(param.id, range(len(labels))))
        return labels.index(str(trial.suggest_categorical(param.id, labels)))
    log = domain.scale == "log"
    if domain.step is None:
        if isinstance(domain, ir.Int):
            return int(trial.suggest_int(param.id, domain.lo, domain.hi, log=log))
        return float(trial.suggest_float(param.id, domain.lo, domain.hi, log=log))
    rungs = prior.values(domain)
    assert rungs is not None
    last = prior.length(rungs) - 1
    if domain.step.kind == "mul" or log:
        return rungs[int(trial.suggest_int(param.id, 0, last))]
    if isinstance(domain, ir.Int) and domain.step.size.is_integer():
        return int(trial.suggest_int(param.id, domain.lo, int(rungs[last]), step=int(domain.step.size)))
    # Optuna's multiples are not rounded; ours are, so that 0.3 is 0.3.
    value = trial.suggest_float(param.id, domain.lo, float(rungs[last]), step=domain.step.size)
    return rungs[prior.nearest(rungs, float(value))]
