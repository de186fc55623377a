"""What an operator's request means for a study: pure, so that a refusal is decided where the state is known."""

from __future__ import annotations

from automl_run.engine.core import inputs as on
from automl_run.engine.core.inputs import Input
from automl_run.engine.core.state import State, WorkerState

from .requests import Abort, Answer, ResumeWorker, Suspend


def operate(state: State, request: Suspend | ResumeWorker | Abort) -> tuple[Answer, Input | None]:
    """What to answer, and what the core is told; None when there is nothing to do."""
    if isinstance(request, Abort):
        return _abort(state, request.what)
    worker = state.worker(request.worker)
    if worker is None:
        return _refused(f"no worker `{request.worker}`; {_choice('workers', [each.name for each in state.workers])}"), None
    if isinstance(request, Suspend):
        return _suspend(worker)
    if worker.broken is not None:
        return _refused(f"{worker.name} cannot be used: {worker.broken}"), None
    if worker.suspended_at is None:
        return Answer(f"{worker.name} is not suspended"), None
    return Answer(f"{worker.name} gets jobs again"), on.ResumeWorker(worker.name)


def _suspend(worker: WorkerState) -> tuple[Answer, Input | None]:
    if worker.suspended_at is not None:
        return Answer(f"{worker.name} is suspended already"), None
    rest = f"; {worker.job} goes on to its end" if worker.job is not None else ""
    return Answer(f"{worker.name} gets no more jobs{rest}"), on.Suspend(worker.name)


def _abort(state: State, what: str) -> tuple[Answer, Input | None]:
    worker = state.worker(what)
    if worker is not None and worker.job is None:
        return _refused(f"{worker.name} runs no job"), None
    name = worker.job if worker is not None and worker.job is not None else what
    job = state.jobs.get(name)
    if job is None:
        return _refused(f"no worker or job `{what}`; {_choice('jobs that run', list(state.running))}"), None
    if job.ended:
        return _refused(f"{job.name} has ended: {job.state}"), None
    if job.stop is not None:
        return Answer(f"{job.name} was asked to stop already"), None
    return Answer(f"{job.name} is stopped"), on.AbortJob(job.name)


def _refused(why: str) -> Answer:
    return Answer(why, refused=True)


def _choice(what: str, names: list[str]) -> str:
    return f"{what}: {', '.join(names)}" if names else f"there are no {what}"
