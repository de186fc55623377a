"""How reports write numbers, values, states and names."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from automl_run.dsl.ir import Value
from automl_run.engine.summary import Best, Job, Repeated, Summary
from automl_run.engine.words import counted

_EMPTY_WORDS = frozenset({"name", "path", "args", "_target_"})


def short_names(paths: list[str]) -> dict[str, str]:
    """Each path's shortest ending that no other path has and that says something: `train.optimizer.args.lr` is `lr`."""
    out: dict[str, str] = {}
    for path in paths:
        parts = path.split(".")
        least = min(len(parts), 2) if parts[-1] in _EMPTY_WORDS else 1
        for count in range(least, len(parts) + 1):
            ending = ".".join(parts[-count:])
            if not any(other != path and (other == ending or other.endswith("." + ending)) for other in paths):
                break
        out[path] = ending
    return out


def value_text(value: Value) -> str:
    """A value as people write it: numbers with four digits, text without quotes, the rest as JSON."""
    if isinstance(value, float):
        return number_text(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def parameters_text(params: Mapping[str, Value], names: Mapping[str, str]) -> str:
    """`lr=0.001 prob=0.5`; `names`: what a path is called, itself if it is not among them."""
    return " ".join(f"{names.get(path, path)}={value_text(value)}" for path, value in params.items())


def number_text(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.2e}" if not 1e-3 <= abs(value) < 1e6 else f"{value:.4g}"


def score_text(score: float | None) -> str:
    if score is None:
        return "–"
    return f"{score:.4f}" if 1e-3 <= abs(score) < 1e3 or score == 0 else f"{score:.5g}"


def each_text(each: Sequence[float | None]) -> str:
    """`0.8125 0.7930 –`: the score of each repetition."""
    return " ".join(map(score_text, each))


def repeated_text(repeated: Repeated) -> str:
    return f"{repeated.how} of {counted(len(repeated.jobs), 'job')}"


def best_note(best: Best | None) -> str:
    """Whose model is the best, beside its score."""
    if best is None:
        return "no job has a score"
    if best.repeated is None:
        return best.job
    own = next(iter(best.repeated.scores.values()), None)
    return f"{repeated_text(best.repeated)}; {best.job}, the model, has {score_text(own)}"


def gain_text(summary: Summary) -> str:
    """The best beside the baseline, or "" where one of them has no score."""
    baseline = summary.baseline
    if summary.best is None or summary.best.score is None or baseline is None or baseline.score is None:
        return ""
    return f"{summary.best.score - baseline.score:+.4f}".replace("-", "−")


def seconds_text(seconds: float | None, *, whole_seconds: bool = False) -> str:
    if seconds is None:
        return "–"
    if seconds < 9.95 and not whole_seconds:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def gpu_hours_text(hours: float) -> str:
    return f"{number_text(hours)} GPU hours"


def counts_text(summary: Summary) -> str:
    """`12 jobs: 9 done, 2 stopped, 1 failed`."""
    order = ("done", "stopped", "failed", "infeasible", "running", "paused", "waiting")
    states = [row.state for row in summary.rows]
    what = "recommendation" if summary.recommendations else "job"
    parts = [f"{states.count(state)} {state}" for state in order if state in states]
    return f"{counted(len(states), what)}: {', '.join(parts)}" if parts else "no jobs"


def state_text(job: Job) -> str:
    return f"{job.state} ({job.cause})" if job.cause else job.state
