"""`apply(state, fact) -> state`: total over the facts that `decide` makes, pure, and all that replay needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from msgspec.structs import replace

from automl_run.dsl.ir import Budget, Program

from . import facts, pruning, repetition
from .causes import IN_A_ROW
from .curve import Curve
from .facts import AnyFact
from .state import Job, Recommended, Span, State, Verdict, WorkerState, better, merit


def replay(history: Iterable[AnyFact]) -> State:
    """The durable state after `history`."""
    state = State()
    for fact in history:
        state = apply(state, fact)
    return state


def apply(state: State, fact: AnyFact) -> State:
    """The state after `fact`. ValueError (msgspec's) only for a RunStarted that holds no program."""
    match fact:
        case facts.RunStarted(run_id, digest, program, at):
            loaded = Program.from_bytes(program)
            trials = loaded.study.budget.trials
            return replace(state, program=loaded, run_id=run_id, digest=digest, trials=trials, last_at=at)
        case facts.EpochStarted(epoch, at):
            elapsed = state.elapsed_before + (max(0.0, state.last_at - state.epoch_at) if state.epoch else 0.0)
            state = replace(state, epoch=epoch, epoch_at=at, last_at=at, elapsed_before=elapsed)
            return replace(state, run="running", reason="", stopping=None, failures=())
        case facts.WorkersSet(workers):
            before = {worker.name: worker for worker in state.workers}
            named = tuple(
                replace(before.get(w.name) or WorkerState(w.name, w.gpus, w.threads), gpus=w.gpus, threads=w.threads)
                for w in workers
            )
            return replace(state, workers=named)
        case facts.TrialsSet(trials):
            return replace(state, trials=trials)
        case facts.BudgetSet(budget):
            return _budget(state, budget)
        case facts.Suspended(worker, at):
            return _worker(state, worker, suspended_at=at)
        case facts.Unsuspended(worker, at):
            return _unsuspended(state, worker, at)
        case facts.Interrupted(at):
            return replace(state, run="paused", last_at=at)
        case facts.Stopping(how, reason, at):
            return replace(state, stopping=(how, reason), last_at=at)
        case facts.RunEnded(ended, reason, at):
            return replace(state, run=ended, reason=reason, last_at=at)
        case facts.Recommended(index, point, seed_key):
            new = Recommended(index, point, seed_key)
            order = state.order.set(len(state.order), index)
            waiting = state.waiting + (index,) * repetition.count(state.repeat)
            return replace(state, recommended=state.recommended.set(index, new), order=order, waiting=waiting)
        case facts.Shown(count):
            return replace(state, shown=count, controller_waits=False)
        case facts.Assigned():
            return _assigned(state, fact)
        case facts.Accepted(name, _, _):
            return replace(state, jobs=state.jobs.set(name, replace(state.jobs[name], accepted=True)))
        case facts.Reported(name, _, seq, step, values):
            job = state.jobs[name]
            job = pruning.told(state, job, step, values)
            job = replace(job, seq=seq, last_step=step, best=_best_of(state, job.best, values))
            return replace(state, jobs=state.jobs.set(name, job))
        case facts.StopAsked(name, _, why, reason):
            return replace(state, jobs=state.jobs.set(name, replace(state.jobs[name], stop=why, stop_reason=reason)))
        case facts.AttemptEnded(name, _, seq, cause, message, counted, at):
            job = state.jobs[name]
            spans = (*job.spans, Span(job.fence, job.worker, job.assigned_at, at, cause))
            job = replace(job, state="waiting", seq=seq, lost=job.lost + counted, cause=cause, message=message, spans=spans)
            state = _released(state, job, at)
            return replace(state, retry=(*state.retry, name))
        case facts.Ended():
            return _ended(state, fact)
        case facts.Cut(index):
            cut = replace(state.recommended[index], cut=fact)
            waiting = tuple(other for other in state.waiting if other != index)
            return replace(state, recommended=state.recommended.set(index, cut), waiting=waiting)
        case facts.Concluded(index, how, scores, cause, message, job, at):
            return _concluded(replace(state, last_at=max(state.last_at, at)), index, Verdict(how, scores, cause, message, job))
        case facts.WorkerUp(worker, _):
            return _worker(state, worker, up=True, broken=None, rests_until=0.0)
        case facts.WorkerRests(worker, until):
            return _worker(state, worker, rests_until=until)
        case facts.WorkerDown(worker):
            return _worker(state, worker, up=False)
        case facts.WorkerBroken(worker, reason):
            return _worker(state, worker, up=False, broken=reason)
        case facts.Held(reason):
            return replace(state, held=reason)
        case facts.Asking():
            return replace(state, asking=True, asked_at=state.ended)
        case facts.ControllerLost(reason):
            return replace(state, asking=False, lost=reason)
        case facts.Answered(more, exhausted):
            # An answer from before an outcome does not say what the controller makes of it.
            current = state.fixed_order or state.asked_at == state.ended
            return replace(state, asking=False, controller_waits=not more and current, exhausted=exhausted)
        case _:
            assert_never(fact)


def _assigned(state: State, fact: facts.Assigned) -> State:
    worker = state.worker(fact.worker)
    job = Job(
        name=fact.job,
        number=fact.number,
        index=fact.index,
        worker=fact.worker,
        fence=fact.fence,
        seed=fact.seed,
        state="running",
        assigned_at=fact.at,
        repetition=fact.repetition,
        gpus=worker.gpus if worker else (),
        lost=state.jobs[fact.job].lost if fact.job in state.jobs else 0,
        spans=state.jobs[fact.job].spans if fact.job in state.jobs else (),
        curve=state.jobs[fact.job].curve if fact.job in state.jobs else Curve(),
    )
    new = fact.job not in state.jobs
    workers = tuple(
        replace(w, job=fact.job, jobs=w.jobs + new) if w.name == fact.worker else w for w in state.workers
    )  # fmt: skip
    recommended, waiting = state.recommended, state.waiting
    if new:
        known = recommended[fact.index]
        recommended = recommended.set(fact.index, replace(known, jobs=(*known.jobs, fact.job)))
        at = waiting.index(fact.index)
        waiting = waiting[:at] + waiting[at + 1 :]
    return replace(
        state,
        jobs=state.jobs.set(fact.job, job),
        recommended=recommended,
        workers=workers,
        waiting=waiting,
        retry=tuple(name for name in state.retry if name != fact.job),
        running=(*state.running, fact.job),
        last_at=max(state.last_at, fact.at),
    )


def _released(state: State, job: Job, at: float) -> State:
    """`job` stored, its worker free."""
    ran_s = max(0.0, at - job.assigned_at) if job.name in state.running else 0.0
    return replace(
        state,
        jobs=state.jobs.set(job.name, job),
        workers=tuple(replace(w, job=None) if w.job == job.name else w for w in state.workers),
        running=tuple(name for name in state.running if name != job.name),
        gpu_s=state.gpu_s + len(job.gpus) * ran_s,
        last_at=max(state.last_at, at),
    )


def _ended(state: State, fact: facts.Ended) -> State:
    job = state.jobs[fact.job]
    # One that waited for another attempt ends without one.
    spans = (*job.spans, Span(job.fence, job.worker, job.assigned_at, fact.at, fact.state)) if job.state == "running" else job.spans
    job = replace(
        job,
        spans=spans,
        state=fact.state,
        seq=fact.seq,
        scores=fact.scores,
        values=fact.values,
        cause=fact.cause,
        message=fact.message,
        code=fact.code,
        tail=fact.tail,
        seconds=fact.seconds,
    )
    state = replace(
        _released(state, job, fact.at),
        retry=tuple(name for name in state.retry if name != fact.job),
        ended=state.ended + 1,
        ran=(*state.ran, job) if pruning.is_compared(state, job) else state.ran,
        objectives_seen=state.objectives_seen or _is_unacceptable(job) or (fact.state == "done" and fact.scores is not None),
    )
    if state.repeat is not None:
        return state
    return _concluded(state, job.index, Verdict(fact.state, fact.scores, fact.cause, fact.message, fact.job))


def _concluded(state: State, index: int, verdict: Verdict) -> State:
    """A recommendation has its outcome."""
    known = replace(state.recommended[index], verdict=verdict)
    is_best, improves = _compare(state, index, verdict)
    failures = state.failures
    if verdict.state == "failed":
        failures = (*failures, verdict.cause or "")[-IN_A_ROW:]
    elif verdict.state != "infeasible":
        failures = ()
    counts = verdict.state != "infeasible" or any(_is_unacceptable(state.jobs[name]) for name in known.jobs)
    return replace(
        state,
        recommended=state.recommended.set(index, known),
        best=verdict.job if is_best else state.best,
        succeeded=state.succeeded + (verdict.state in ("done", "stopped")),
        since_best=0 if improves else state.since_best + counts,
        failures=failures,
        controller_waits=state.controller_waits and state.fixed_order,
    )


def _is_unacceptable(job: Job) -> bool:
    """It reported everything and then broke an `ensure`."""
    return job.state == "infeasible" and bool(job.values)


def _compare(state: State, index: int, verdict: Verdict) -> tuple[bool, bool]:
    """Whether this recommendation is the best so far, and whether it improves the score."""
    if not verdict.scores:
        return False, False
    best = state.best_verdict
    if state.best is None or best is None or not best.scores:
        return True, True
    direction = state.objectives[0].direction
    new, old = merit(verdict, index, direction), merit(best, state.jobs[state.best].index, direction)
    return new > old, new[:2] > old[:2]


def _best_of(state: State, best: Mapping[str, float], values: Mapping[str, float]) -> Mapping[str, float]:
    directions = {objective.metric: objective.direction for objective in state.objectives}
    merged = dict(best)
    for name, value in values.items():
        if name not in merged or name not in directions or better(value, merged[name], directions[name]):
            merged[name] = value
    return merged


def _budget(state: State, budget: Budget) -> State:
    if state.program is None:
        return state
    program = replace(state.program, study=replace(state.program.study, budget=budget))
    return replace(state, program=program, trials=budget.trials)


def _unsuspended(state: State, name: str, at: float) -> State:
    known = state.worker(name)
    if known is None or known.suspended_at is None:
        return state
    return _worker(state, name, suspended_at=None, suspensions=(*known.suspensions, (known.suspended_at, at)))


def _worker(state: State, name: str, **changes: object) -> State:
    return replace(state, workers=tuple(replace(w, **changes) if w.name == name else w for w in state.workers))
