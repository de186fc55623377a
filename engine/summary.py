"""The summary of a run: one JSON document for programs, `show` and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl_run.dsl.evaluate import Undefined, target_values
from automl_run.dsl.ir import Value

from .core.state import Job, State


def params_of(state: State, index: int) -> dict[str, Value]:
    """Target path -> value of a recommendation."""
    if state.program is None:
        return {}
    try:
        return target_values(state.program, state.recommended[index].point)
    except Undefined:
        return {}


def job_scores(state: State, job: Job) -> dict[str, float]:
    """Objective -> value that counts; {} for a job without a score."""
    if job.scores is None:
        return {}
    return {objective.metric: score for objective, score in zip(state.objectives, job.scores, strict=True)}


def best_of(state: State, folder: Path) -> dict[str, Any] | None:
    """What `best.json` says, or None while no job has a score."""
    if state.best is None:
        return None
    job = state.jobs[state.best]
    return {
        "job": job.name,
        "index": job.index,
        "score": job.scores[0] if job.scores else None,
        "scores": job_scores(state, job),
        "params": params_of(state, job.index),
        "seed": job.seed,
        "path": str(folder / "best"),
    }


def summarize(state: State, folder: Path, now: float | None, *, live: bool) -> dict[str, Any]:
    """Jobs in the order of their recommendation's index. `now` None: the run is over since its newest fact.

    A run without a scheduler that has not ended is `paused`: it can be resumed.
    """
    run_state = "paused" if state.run == "running" and not live else state.run
    jobs = sorted(state.jobs.values(), key=lambda job: job.index)
    return {
        "run_id": state.run_id,
        "state": run_state,
        "reason": state.reason,
        "digest": state.digest,
        "objectives": [{"name": o.metric, "direction": o.direction} for o in state.objectives],
        "best": best_of(state, folder),
        "jobs": [_job(state, job, live, now) for job in jobs],
        "seconds": round(state.elapsed(state.last_at if now is None else now), 3),
    }


def _job(state: State, job: Job, live: bool, now: float | None) -> dict[str, Any]:
    seconds = job.seconds
    if job.state == "running" and live and now is not None:
        seconds = max(0.0, now - job.assigned_at)
    return {
        "name": job.name,
        "index": job.index,
        "state": "waiting" if job.state == "running" and not live else job.state,
        "cause": job.cause if job.ended else None,
        "message": job.message if job.ended else "",
        "score": job.scores[0] if job.scores else None,
        "scores": job_scores(state, job),
        "params": params_of(state, job.index),
        "seconds": round(seconds, 3),
        "gpus": list(job.gpus),
        "seed": job.seed,
        "attempts": job.fence,
        "step": job.last_step,
        "reported": dict(job.best),
    }
