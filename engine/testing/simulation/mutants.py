"""Seeded bugs: each is one mistake that an engine like this could have, put in for the time of a simulation.

They measure the oracle and the faults: a bug that no seed brings to light is a promise that nothing tests. Mutants wrap what they
break instead of copying it, so they stay true while the code around them changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import msgspec

from automl_run.engine.agent.agent import Agent
from automl_run.engine.agent.attempt import Attempt
from automl_run.engine.agent.outcome import Outcome
from automl_run.engine.controllers.base import Controller
from automl_run.engine.core import causes, decide, facts, pruning, repetition
from automl_run.engine.core import inputs as on
from automl_run.engine.core.state import State, WorkerState
from automl_run.engine.scheduler import Scheduler
from automl_run.engine.wire import messages as wire
from automl_run.engine.wire.connection import Connection
from automl_run.errors import JournalError

from . import site
from .agents import SimEffects
from .disk import Disk, SimJournal

_Decision = decide._Decision
Patch = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Mutant:
    """`quick`: one of the twelve that every change is measured with."""

    name: str
    what: str
    patch: Patch
    quick: bool


ALL: list[Mutant] = []


def _mutant(what: str, *, quick: bool = False) -> Callable[[Patch], Patch]:
    def add(patch: Patch) -> Patch:
        ALL.append(Mutant(getattr(patch, "__name__", "?").removeprefix("_"), what, patch, quick))
        return patch

    return add


def _wrap(owner: Any, name: str, wrapper: Callable[..., Any]) -> AbstractContextManager[object]:
    """`wrapper(original, *args)` in the place of the function `name` of `owner`."""
    original = getattr(owner, name)
    return mock.patch.object(owner, name, lambda *args, **more: wrapper(original, *args, **more))


# -- durability -----------------------------------------------------------------------------------------------------------


@_mutant("messages go out before their facts are stored", quick=True)
def _commit_late() -> AbstractContextManager[object]:
    late: dict[int, list[Any]] = {}

    def append(original: Callable[..., None], journal: SimJournal, new: Sequence[Any]) -> None:
        due = late.pop(id(journal), [])
        late[id(journal)] = list(new)
        original(journal, due)

    return _wrap(SimJournal, "append", append)


@_mutant("commits are not synced", quick=True)
def _sync_off() -> AbstractContextManager[object]:
    return mock.patch.object(Disk, "sync", return_value=None)


@_mutant("a failed commit is ignored", quick=True)
def _failed_commit_ignored() -> AbstractContextManager[object]:
    def append(original: Callable[..., None], journal: SimJournal, new: Sequence[Any]) -> None:
        try:
            original(journal, new)
        except JournalError:
            return

    return _wrap(SimJournal, "append", append)


@_mutant("a fact that counts is taken for a transient one")
def _fact_not_stored() -> AbstractContextManager[object]:
    def append(original: Callable[..., None], journal: SimJournal, new: Sequence[Any]) -> None:
        original(journal, [fact for fact in new if not isinstance(fact, facts.StopAsked | facts.Accepted)])

    return _wrap(SimJournal, "append", append)


# -- what counts ----------------------------------------------------------------------------------------------------------


@_mutant("the result of an older attempt is accepted", quick=True)
def _stale_fence() -> AbstractContextManager[object]:
    def current(_original: object, decision: Any, worker: str, name: str, fence: int) -> Any:
        job = decision.state.jobs.get(name)
        return job if job is not None and job.state == "running" else None

    return _wrap(_Decision, "_current", current)


def _renumbered(shift: Callable[[int, int], bool]) -> AbstractContextManager[object]:
    def about(original: Callable[..., None], decision: Any, worker: str, message: Any) -> None:
        job = decision._current(worker, message.job, message.fence)
        if job is not None and shift(message.seq, job.seq + 1):
            message = msgspec.structs.replace(message, seq=job.seq + 1)
        original(decision, worker, message)

    return _wrap(_Decision, "_about_attempt", about)


@_mutant("a repeated message counts twice", quick=True)
def _no_dedupe() -> AbstractContextManager[object]:
    return _renumbered(lambda seq, due: seq < due)


@_mutant("a gap in an attempt's messages is not noticed", quick=True)
def _gap_accepted() -> AbstractContextManager[object]:
    return _renumbered(lambda seq, due: seq > due)


@_mutant("a retry keeps its fence", quick=True)
def _same_fence() -> AbstractContextManager[object]:
    def start(original: Callable[..., None], decision: Any, *args: Any) -> None:
        name, number, index, worker, fence, seed, which = args
        original(decision, name, number, index, worker, max(1, fence - 1), seed, which)

    return _wrap(_Decision, "_start", start)


@_mutant("a retry gets another seed")
def _seed_changes() -> AbstractContextManager[object]:
    def start(original: Callable[..., None], decision: Any, *args: Any) -> None:
        name, number, index, worker, fence, seed, which = args
        original(decision, name, number, index, worker, fence, seed + fence, which)

    return _wrap(_Decision, "_start", start)


@_mutant("a failure gets a score")
def _failure_scored() -> AbstractContextManager[object]:
    def end(original: Callable[..., None], decision: Any, job: Any, seq: int, state: str, scores: Any, *rest: Any) -> None:
        original(decision, job, seq, state, (0.0,) if state == "failed" else scores, *rest)

    return _wrap(_Decision, "_end", end)


@_mutant("NaN is a score")
def _nan_scored() -> AbstractContextManager[object]:
    finite = SimpleNamespace(**{**vars(math), "isfinite": lambda value: True})
    return mock.patch.object(decide, "math", finite)


@_mutant("result.json of another attempt is taken", quick=True)
def _foreign_result() -> AbstractContextManager[object]:
    def read(_original: object, effects: SimEffects, folder: Path, job: str, fence: int) -> Outcome | None:
        for outcome, _ in effects._site.disk.results.values():
            if outcome.job == job:
                return msgspec.structs.replace(outcome, fence=fence)
        return None

    return _wrap(SimEffects, "read_outcome", read)


@_mutant("a result that its dead agent left on the disk is not read")
def _result_unread() -> AbstractContextManager[object]:
    return mock.patch.object(site.SchedulerActor, "_result", return_value=None)


# -- retries and workers --------------------------------------------------------------------------------------------------


@_mutant("an error of the user's code is tried again")
def _user_error_retried() -> AbstractContextManager[object]:
    return mock.patch.object(causes, "RETRIED", causes.RETRIED | {"user_error"})


@_mutant("retries have no end")
def _endless_retries() -> AbstractContextManager[object]:
    return mock.patch.object(causes, "MAX_ATTEMPTS", 99)


@_mutant("a busy worker is given a second job", quick=True)
def _busy_worker() -> AbstractContextManager[object]:
    return _wrap(WorkerState, "free", lambda _original, worker, now: worker.up and worker.rests_until <= now)


# -- takeovers and connections --------------------------------------------------------------------------------------------


@_mutant("an agent does not repeat what was not acknowledged", quick=True)
def _no_resend() -> AbstractContextManager[object]:
    return _wrap(Agent, "_welcomed", lambda _original, agent: agent._uplink.welcomed())


@_mutant("an attempt that failed before it was accepted is not reported again")
def _unaccepted_unsent() -> AbstractContextManager[object]:
    def welcomed(original: Callable[[Agent], None], agent: Any) -> None:
        kept = dict(agent._attempts)
        agent._attempts = {key: attempt for key, attempt in kept.items() if attempt.accept is not None}
        original(agent)
        agent._attempts = kept

    return _wrap(Agent, "_welcomed", welcomed)


@_mutant("an acknowledgement of one message drops all")
def _ack_forgets() -> AbstractContextManager[object]:
    def acknowledge(_original: object, attempt: Attempt, seq: int) -> bool:
        attempt.unacknowledged.clear()
        return attempt.ended

    return _wrap(Attempt, "acknowledge", acknowledge)


@_mutant("what a job said just before its end is not read")
def _unread_reports() -> AbstractContextManager[object]:
    def receive(original: Callable[..., Iterator[object]], connection: Connection[Any]) -> Iterator[object]:
        return iter(()) if connection.eof else original(connection)

    return _wrap(Connection, "receive", receive)


@_mutant("a scheduler believes that every agent outlived the last one")
def _adopts_the_dead() -> AbstractContextManager[object]:
    def begin(original: Callable[..., None], decision: Any, began: on.Began) -> None:
        original(decision, replace(began, alive=frozenset(worker.name for worker in began.workers)))

    def hello(original: Callable[..., None], decision: Any, worker: str, message: wire.Hello) -> None:
        original(decision, worker, _claiming(decision, worker, message))

    stack = ExitStack()
    stack.enter_context(_wrap(_Decision, "begin", begin))
    stack.enter_context(_wrap(_Decision, "_hello", hello))
    return stack


def _claiming(decision: Any, worker: str, hello: wire.Hello) -> wire.Hello:
    known = decision.state.worker(worker)
    if known is None or known.job is None:
        return hello
    job = decision.state.jobs[known.job]
    return msgspec.structs.replace(hello, running=(*hello.running, (job.name, job.fence)))


@_mutant("a job that its agent does not know any more is waited for")
def _hello_trusted() -> AbstractContextManager[object]:
    def hello(original: Callable[..., None], decision: Any, worker: str, message: wire.Hello) -> None:
        original(decision, worker, _claiming(decision, worker, message))

    return _wrap(_Decision, "_hello", hello)


# -- processes ------------------------------------------------------------------------------------------------------------


@_mutant("an attempt that no longer counts runs on", quick=True)
def _superseded_ignored() -> AbstractContextManager[object]:
    return _wrap(Agent, "_forget", lambda _original, agent, key: None)


@_mutant("what a dead keeper left is not ended")
def _survivors() -> AbstractContextManager[object]:
    return _wrap(SimEffects, "kill_descendants", lambda _original, effects, *args, **more: [])


@_mutant("the scheduler spins while jobs stop")
def _spin() -> AbstractContextManager[object]:
    def wait_s(original: Callable[[Scheduler], float], scheduler: Scheduler) -> float:
        return original(scheduler) if scheduler.state.stopping is None else 0.0

    return _wrap(Scheduler, "wait_s", wait_s)


# -- repetitions ----------------------------------------------------------------------------------------------------------


@_mutant("a recommendation is told before its last repetition has ended")
def _told_early() -> AbstractContextManager[object]:
    return mock.patch.object(repetition, "count", lambda repeat: 1 if repeat is None else (repeat.folds or 1) - 1)


@_mutant("what is left of a decided recommendation is run all the same")
def _run_anyway() -> AbstractContextManager[object]:
    def cut(original: Callable[..., Any], state: State, repeat: Any, ended: Any) -> Any:
        decided = original(state, repeat, ended)
        return decided if len(state.recommended[ended.index].jobs) >= 2 else None

    return _wrap(repetition, "cut", cut)


# -- pruners --------------------------------------------------------------------------------------------------------------


@_mutant("a pruned job whose scheduler died is tried again")
def _pruned_again() -> AbstractContextManager[object]:
    return mock.patch.object(causes, "FINAL", causes.FINAL - {"pruned"})


@_mutant("the better jobs are pruned")
def _best_pruned() -> AbstractContextManager[object]:
    return _wrap(pruning, "better", lambda original, a, b, direction: original(b, a, direction))


# -- the controller -------------------------------------------------------------------------------------------------------


@_mutant("after a restart the controller sees the outcomes twice", quick=True)
def _seen_twice() -> AbstractContextManager[object]:
    def restore(original: Callable[..., None], controller: Controller, history: list[facts.Durable], state: State) -> None:
        original(controller, history, state)
        original(controller, history, state)

    return _wrap(site, "restore", restore)


@_mutant("failures are not shown to the controller")
def _failures_unseen() -> AbstractContextManager[object]:
    def carry_out(original: Callable[..., None], scheduler: Scheduler, command: on.Command) -> None:
        if not (isinstance(command, on.Observe) and command.outcome.state == "failed"):
            original(scheduler, command)

    return _wrap(Scheduler, "_carry_out", carry_out)


QUICK = [mutant for mutant in ALL if mutant.quick]
