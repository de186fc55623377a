"""The pictures of a report: the best score so far, and each parameter against the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeGuard

from automl_run.dsl.ir import Value
from automl_run.engine.summary import Job, Summary

from . import svg
from .wording import score_text, state_text, value_text

_WIDTH, _HEIGHT = 860, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 18, 16, 40
_SMALL_WIDTH, _SMALL_HEIGHT = 280, 190
_MAX_CATEGORIES = 8
_LOG_FROM = 50.0


@dataclass(frozen=True, slots=True)
class Step:
    """One job on the curve. `best`: the best score up to this job, None before the first score."""

    job: Job
    best: float | None


def best_so_far(summary: Summary) -> list[Step]:
    """The jobs in the order of the table, each with the best score up to it."""
    best: float | None = None
    steps: list[Step] = []
    for job in summary.rows:
        if job.score is not None and (best is None or summary.better(job.score, best)):
            best = job.score
        steps.append(Step(job, best))
    return steps


def curve(summary: Summary) -> str | None:
    """The curve as SVG, or None while nothing has a score."""
    steps = best_so_far(summary)
    scores = [step.job.score for step in steps if step.job.score is not None]
    if not scores:
        return None
    lo, hi = svg.padded(scores)
    bottom = _HEIGHT - _BOTTOM
    x = svg.Scale(0, max(len(steps) - 1, 1), _LEFT + 8, _WIDTH - _RIGHT - 8)
    y = svg.Scale(lo, hi, bottom - 10, _TOP)
    parts = [_horizontal(y, _LEFT, _WIDTH - _RIGHT), svg.line(_LEFT, bottom, _WIDTH - _RIGHT, bottom, "axis")]
    every = max(1, -(-len(steps) // 16))
    parts += [svg.text(x(i), bottom + 16, str(step.job.index)) for i, step in enumerate(steps) if i % every == 0]
    parts.append(svg.text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, "recommendation", style="label"))
    baseline = summary.baseline
    if baseline is not None and baseline.score is not None:
        at = y(baseline.score)
        parts.append(svg.line(_LEFT, at, _WIDTH - _RIGHT, at, "baseline"))
        above = at - 6 if at - 6 > _TOP + 8 else at + 14
        parts.append(svg.text(_WIDTH - _RIGHT, above, f"baseline {score_text(baseline.score)}", "end"))
    corners: list[str] = []
    for i, step in enumerate(steps):
        if step.best is not None:
            corners.append(f"{'H' if corners else 'M'}{x(i):.1f}{'' if corners else f',{y(step.best):.1f}'}")
            corners.append(f"V{y(step.best):.1f}")
    parts.append(f'<path d="{"".join(corners)}" class="curve"/>')
    parts += [_mark(summary, step.job, x(i), y, bottom) for i, step in enumerate(steps)]
    return svg.picture(_WIDTH, _HEIGHT, f"{summary.objective.name} of each job, and the best so far", parts)


def parameter_plots(summary: Summary, names: dict[str, str], limit: int = 12) -> list[tuple[str, str]]:
    """(path, SVG) for each parameter that took at least two values; linked targets that move together share one picture."""
    scored = [job for job in summary.rows if job.score is not None]
    plots: list[tuple[str, str]] = []
    seen: set[tuple[str, ...]] = set()
    for path in summary.paths:
        jobs = [job for job in scored if path in job.params]
        column = [job.params[path] for job in jobs]
        pattern = _pattern(column, jobs)
        if len({value_text(value) for value in column}) < 2 or pattern in seen:
            continue
        picture = _parameter_plot(summary, names[path], list(zip(jobs, column, strict=True)))
        if picture is not None:
            seen.add(pattern)
            plots.append((path, picture))
        if len(plots) == limit:
            break
    return plots


def _pattern(column: Sequence[Value], jobs: Sequence[Job]) -> tuple[str, ...]:
    """Equal for linked targets: the same numbers, or alternatives that change in the same jobs."""
    texts = [value_text(value) for value in column]
    if not all(_is_number(value) for value in column):
        texts = [str(texts.index(value)) for value in texts]
    return (*texts, *(job.name for job in jobs))


def _is_number(value: Value) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _parameter_plot(summary: Summary, name: str, column: Sequence[tuple[Job, Value]]) -> str | None:
    left, right, top, bottom = 46, 10, 10, _SMALL_HEIGHT - 36
    scores = [job.score for job, _ in column if job.score is not None]
    y = svg.Scale(*svg.padded(scores, 0.1), bottom - 4, top)
    parts = [_horizontal(y, left, _SMALL_WIDTH - right, 4), svg.line(left, bottom, _SMALL_WIDTH - right, bottom, "axis")]
    numbers = [value for _, value in column if _is_number(value)]
    if len(numbers) == len(column):
        log = min(numbers) > 0 and max(numbers) / min(numbers) >= _LOG_FROM
        lo, hi = (float(min(numbers)), float(max(numbers))) if log else svg.padded(numbers, 0.03)
        scale = svg.Scale(lo, hi, left + 8, _SMALL_WIDTH - right - 8, log)
        places = [scale(number) for number in numbers]
        parts += [svg.text(scale(tick), bottom + 14, svg.tick_text(tick)) for tick in scale.ticks(4)]
    else:
        texts = [value_text(value) for _, value in column]
        categories = sorted(set(texts))
        if len(categories) > _MAX_CATEGORIES:
            return None
        width = (_SMALL_WIDTH - right - left) / len(categories)
        centres = {category: left + width * (i + 0.5) for i, category in enumerate(categories)}
        room = max(3, int(width / 5.6))
        parts += [
            svg.text(centre, bottom + 14, category if len(category) <= room else category[: room - 1] + "…")
            for category, centre in centres.items()
        ]
        places = [centres[words] for words in texts]
    parts.append(svg.text((left + _SMALL_WIDTH - right) / 2, _SMALL_HEIGHT - 5, name, style="label"))
    parts += [_mark(summary, job, place, y, bottom, 3.4) for (job, _), place in zip(column, places, strict=True)]
    return svg.picture(_SMALL_WIDTH, _SMALL_HEIGHT, f"{name} and {summary.objective.name}", parts)


def _horizontal(y: svg.Scale, left: float, right: float, count: int = 5) -> str:
    return "".join(
        svg.line(left, y(tick), right, y(tick), "grid") + svg.text(left - 8, y(tick) + 3.5, svg.tick_text(tick), "end")
        for tick in y.ticks(count)
    )


def _mark(summary: Summary, job: Job, at: float, y: svg.Scale, bottom: float, radius: float = 4.0) -> str:
    """A dot for a score; a cross on the axis for a job that ended without one; nothing for one that still runs."""
    hint = f"{job.name} · {state_text(job)} · {summary.objective.name} {score_text(job.score)}"
    if job.score is not None:
        is_best = summary.best is not None and summary.best.job == job.name
        style = "best" if is_best else "first" if job.is_baseline else "done" if job.state == "done" else "cut"
        return svg.dot(at, y(job.score), radius + (1.5 if is_best else 0), f"job {style}", hint)
    if job.state in ("failed", "infeasible", "stopped"):
        return f'<g class="lost"><title>{escape(hint)}</title><path d="M{at - 3.5:.1f},{bottom - 3.5:.1f}l7,7m0,-7l-7,7"/></g>'
    return ""
