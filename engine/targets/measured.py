"""The built-in metrics of a study, by who measures them."""

from __future__ import annotations

from typing import Final

from automl_run.dsl.elaborate.support import metric_names, objective_metrics
from automl_run.dsl.ir import Study

#: Of every job by its own process; of the network of an MMAR or a bundle by the target. Others report the rest themselves.
_OF_ANY_JOB: Final = frozenset({"peak_memory", "peak_gpu_memory"})
_OF_A_NETWORK: Final = frozenset({"parameters", "latency_ms"})


def measured_metrics(study: Study) -> tuple[str, ...]:
    """Those that a job of this study is to measure: only what the study reads."""
    has_network = study.target is not None and study.target.name in ("Mmar", "Bundle")
    known = _OF_ANY_JOB | _OF_A_NETWORK if has_network else _OF_ANY_JOB
    return tuple(name for name in metric_names(study) if name in known)


def reported_objectives(study: Study) -> tuple[str, ...]:
    """The metrics of its objectives that the target is to give: all that are not measured, or all where there is no such."""
    names = [name for name in objective_metrics(study) if name != "seconds"]
    measured = measured_metrics(study)
    return tuple(name for name in names if name not in measured) or tuple(names)


def reported_metrics(study: Study) -> tuple[str, ...]:
    """All metrics that the study reads and the target is to give."""
    measured = (*measured_metrics(study), "seconds")
    return tuple(name for name in metric_names(study) if name not in measured)
